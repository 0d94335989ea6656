//! Settings as entries of tables: each crate has one of its own, and command line and documentation join them.

/// A setting that can be given by environment variable or flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The environment variable.
    pub name: &'static str,
    /// The flag, without dashes; empty where no command takes it.
    pub flag: &'static str,
    /// What it is where it is not set, for a person to read; empty where nothing is.
    pub default: &'static str,
    /// What it means, one sentence without a full stop.
    pub help: &'static str,
    /// What it concerns.
    pub group: Group,
    /// Whether it is a switch: the flag alone means `true`.
    pub switch: bool,
}

/// What a setting concerns: commands take the groups they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The Kinto server.
    Kinto,
    /// The build archive and its metadata.
    Archive,
    /// The S3 inventory.
    Inventory,
    /// Events about single objects.
    Events,
    /// Folders for caches and temporary files.
    Folders,
    /// Object stores of the S3 kind.
    S3,
    /// Queues of a run that is spread over many invocations.
    Queues,
    /// Archives of source revisions: whoever makes them.
    Archiver,
    /// Archives of source revisions: whoever asks for them.
    Asking,
    /// Build environments: whoever makes and publishes them.
    Environments,
    /// Build environments: whoever reads what is published.
    Published,
    /// Builds seen and steered: whoever serves that.
    SelfServe,
    /// Builds seen and steered: whoever asks for it.
    Steering,
    /// Every program.
    Program,
}

impl Variable {
    /// A setting with a value.
    pub const fn new(
        group: Group,
        name: &'static str,
        flag: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self { name, flag, default, help, group, switch: false }
    }

    /// A setting that is on or off.
    pub const fn switch(
        group: Group,
        name: &'static str,
        flag: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self { switch: true, ..Self::new(group, name, flag, default, help) }
    }
}
