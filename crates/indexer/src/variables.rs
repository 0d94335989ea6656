//! Every setting by name: the one table behind the environment, the command line and the documentation.

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
    /// Every program.
    Program,
}

const fn variable(
    group: Group,
    name: &'static str,
    flag: &'static str,
    default: &'static str,
    help: &'static str,
) -> Variable {
    Variable { name, flag, default, help, group, switch: false }
}

const fn switch(
    group: Group,
    name: &'static str,
    flag: &'static str,
    default: &'static str,
    help: &'static str,
) -> Variable {
    Variable { switch: true, ..variable(group, name, flag, default, help) }
}

use Group::{Archive, Events, Folders, Inventory, Kinto, Program, Queues, S3};

/// All settings, in the order in which documentation shows them. Names and defaults of the first seventeen are those
/// of the original Buildhub.
pub const VARIABLES: &[Variable] = &[
    variable(
        Kinto,
        "SERVER_URL",
        "server",
        "http://localhost:8888/v1",
        "Address of the Kinto server, with its version",
    ),
    variable(Kinto, "BUCKET", "bucket", "build-hub", "Kinto bucket of the records"),
    variable(Kinto, "COLLECTION", "collection", "releases", "Kinto collection of the records"),
    variable(Kinto, "AUTH", "auth", "user:pass", "Who writes: user:password, or Bearer TOKEN"),
    variable(
        Folders,
        "CACHE_FOLDER",
        "cache-folder",
        ".",
        "Where caches live between runs: a folder, or s3://BUCKET/PREFIX",
    ),
    variable(
        Folders,
        "CSV_DOWNLOAD_DIRECTORY",
        "csv-download-directory",
        "the system's temporary folder",
        "Where builds that wait for the end of the inventory are kept during a run",
    ),
    variable(
        Program,
        "NB_RETRY_REQUEST",
        "nb-retry-request",
        "3",
        "How often a request that failed in passing is made again",
    ),
    variable(Program, "TIMEOUT_SECONDS", "timeout-seconds", "300", "How long one request may take, in seconds"),
    variable(
        Archive,
        "NB_PARALLEL_REQUESTS",
        "nb-parallel-requests",
        "8",
        "How many metadata files are fetched at the same time",
    ),
    variable(
        Kinto,
        "BATCH_MAX_REQUESTS",
        "batch-max-requests",
        "as the server says",
        "How many records are sent in one batch, if fewer than the server takes",
    ),
    variable(
        Kinto,
        "INITIALIZE_SERVER",
        "initialize-server",
        "true",
        "Whether bucket, collection and schema are brought up to date before loading",
    ),
    variable(Program, "SENTRY_DSN", "sentry-dsn", "", "Where crashes are reported; nowhere if empty"),
    variable(
        Inventory,
        "MIN_AGE_LAST_MODIFIED_HOURS",
        "min-age-last-modified-hours",
        "0",
        "Rows older than this many hours are skipped (a maximum age, in spite of its name); 0 skips none",
    ),
    variable(
        Inventory,
        "INVENTORIES",
        "inventories",
        "firefox, archive",
        "Names put for {inventory} in INVENTORY_PREFIX",
    ),
    variable(
        Inventory,
        "PRODUCTS",
        "products",
        "firefox, thunderbird, mobile, devedition",
        "Product folders of the archive that are read; focus and fenix are known too",
    ),
    variable(
        Archive,
        "ARCHIVE_URL",
        "archive-url",
        "https://archive.mozilla.org/",
        "The build archive: a site with JSON listings, or s3://BUCKET/PREFIX",
    ),
    variable(Program, "LOG_LEVEL", "log-level", "INFO", "DEBUG, INFO, WARNING or ERROR"),
    variable(
        Archive,
        "DOWNLOAD_URL",
        "download-url",
        "ARCHIVE_URL, or the bucket's own address",
        "What the records' download addresses begin with",
    ),
    variable(
        Inventory,
        "INVENTORY_LOCATION",
        "inventory-location",
        "s3://net-mozaws-prod-delivery-inventory-us-east-1/public",
        "Where the inventories' own keys begin: s3://BUCKET/PREFIX, or a folder",
    ),
    variable(
        Inventory,
        "INVENTORY_PREFIX",
        "inventory-prefix",
        "inventories/net-mozaws-prod-delivery-{inventory}/delivery-{inventory}/",
        "The folder of dated inventories below INVENTORY_LOCATION",
    ),
    variable(
        Queues,
        "PARTS_QUEUE_URL",
        "",
        "",
        "SQS queue of an inventory's parts; with it s3-inventory spreads a run over many invocations",
    ),
    variable(
        Queues,
        "BATCHES_QUEUE_URL",
        "",
        "",
        "SQS FIFO queue of batches of records, which s3-inventory writes one after another",
    ),
    variable(
        Kinto,
        "AUTH_ARN",
        "auth-arn",
        "",
        "In place of AUTH, the ARN of the secret (Secrets Manager) or parameter (SSM) that holds it; read once, at start",
    ),
    variable(
        Program,
        "SENTRY_DSN_ARN",
        "sentry-dsn-arn",
        "",
        "In place of SENTRY_DSN, the ARN of the secret or parameter that holds it",
    ),
    variable(S3, "AWS_ENDPOINT_URL", "endpoint-url", "Amazon's", "Address of an S3 server that is not Amazon's"),
    variable(S3, "AWS_REGION", "region", "us-east-1", "Region of the buckets"),
    switch(S3, "AWS_NO_SIGN_REQUEST", "no-sign-request", "false", "Ask without credentials, as public buckets allow"),
    switch(
        Archive,
        "RELEASE_AS_BETA",
        "release-as-beta",
        "false",
        "Whether a release of Firefox is written a second time, as one of the beta channel",
    ),
    switch(
        Events,
        "REMOVE_DELETED",
        "remove-deleted",
        "false",
        "Whether an archive's removal removes its record, and no older inventory brings it back",
    ),
];

/// The setting of that name.
pub fn variable_named(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// The default of a setting, as text; empty for one that is not in the table.
pub(crate) fn default_of(name: &str) -> &'static str {
    variable_named(name).map_or("", |variable| variable.default)
}
