//! What a package is to be.

/// A package, described.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) release: String,
    pub(super) epoch: Option<u32>,
    pub(super) arch: Option<String>,
    pub(super) licence: String,
    pub(super) payload: Payload,
    pub(super) tags: Vec<(String, String)>,
    pub(super) files: Vec<File>,
    pub(super) listed: Vec<String>,
    pub(super) sections: Vec<(String, String)>,
}

/// How a package's payload is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Payload {
    None,
    Gzip,
    Bzip2,
    #[default]
    Xz,
    Lzma,
    Zstd,
}

impl Recipe {
    /// An empty package of that name: version 1, release 1, of the architecture `x86_64`, under MIT.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: "1".into(),
            release: "1".into(),
            epoch: None,
            arch: None,
            licence: "MIT".into(),
            payload: Payload::default(),
            tags: Vec::new(),
            files: Vec::new(),
            listed: Vec::new(),
            sections: Vec::new(),
        }
    }

    /// Its version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Its release.
    #[must_use]
    pub fn release(mut self, release: impl Into<String>) -> Self {
        self.release = release.into();
        self
    }

    /// Its epoch.
    #[must_use]
    pub fn epoch(mut self, epoch: u32) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Its architecture: `noarch`, `i686`, `aarch64`.
    #[must_use]
    pub fn arch(mut self, arch: impl Into<String>) -> Self {
        self.arch = Some(arch.into());
        self
    }

    /// Its licence.
    #[must_use]
    pub fn licence(mut self, licence: impl Into<String>) -> Self {
        self.licence = licence.into();
        self
    }

    /// How its payload is compressed.
    #[must_use]
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    /// Something it requires: `make >= 4`, `/bin/sh`, `(a if b)`.
    #[must_use]
    pub fn requires(self, what: impl Into<String>) -> Self {
        self.tag("Requires", what)
    }

    /// Something it provides.
    #[must_use]
    pub fn provides(self, what: impl Into<String>) -> Self {
        self.tag("Provides", what)
    }

    /// A line of its description: `Conflicts`, `Obsoletes`, `Recommends`, `Supplements`, …
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((name.into(), value.into()));
        self
    }

    /// A file, a folder or a link in it.
    #[must_use]
    pub fn file(mut self, file: File) -> Self {
        self.files.push(file);
        self
    }

    /// A line of its list of files, for what needs nothing on disk: `%dev(c,1,3) %attr(0666,root,root) /dev/null`.
    #[must_use]
    pub fn listed(mut self, line: impl Into<String>) -> Self {
        self.listed.push(line.into());
        self
    }

    /// A scriptlet or trigger: its line without the package's name (`%post`, `%post -p /sbin/ldconfig`,
    /// `%filetriggerin -- /usr/lib`), and its body.
    #[must_use]
    pub fn section(mut self, line: impl Into<String>, body: impl Into<String>) -> Self {
        self.sections.push((line.into(), body.into()));
        self
    }

    /// The name of its file: `make-4.4-1.x86_64.rpm`.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.{}.rpm", self.name, self.version, self.release, self.target())
    }

    pub(super) fn target(&self) -> &str {
        self.arch.as_deref().unwrap_or("x86_64")
    }
}

/// Something that a package puts at a path.
#[derive(Debug, Clone)]
pub struct File {
    pub(super) path: String,
    pub(super) what: What,
    pub(super) mode: Option<u32>,
    pub(super) owner: (String, String),
    pub(super) directives: Vec<String>,
    pub(super) is_listed: bool,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Contents(Vec<u8>),
    Folder,
    Symlink(String),
    Hardlink(String),
}

impl File {
    fn of(path: impl Into<String>, what: What) -> Self {
        let owner = ("root".into(), "root".into());
        Self { path: path.into(), what, mode: None, owner, directives: Vec::new(), is_listed: true }
    }

    /// A file at an absolute path, of mode 0644 and root's.
    pub fn new(path: impl Into<String>, contents: impl Into<Vec<u8>>) -> Self {
        Self::of(path, What::Contents(contents.into()))
    }

    /// A folder of its own, of mode 0755.
    pub fn folder(path: impl Into<String>) -> Self {
        Self::of(path, What::Folder)
    }

    /// A symbolic link.
    pub fn symlink(path: impl Into<String>, target: impl Into<String>) -> Self {
        Self::of(path, What::Symlink(target.into()))
    }

    /// Another name of a file that was named before, by its absolute path.
    pub fn hardlink(path: impl Into<String>, to: impl Into<String>) -> Self {
        Self::of(path, What::Hardlink(to.into()))
    }

    /// Its permissions.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Its user and group.
    #[must_use]
    pub fn owner(mut self, user: impl Into<String>, group: impl Into<String>) -> Self {
        self.owner = (user.into(), group.into());
        self
    }

    /// What stands before it in the list of files: `%config(noreplace)`, `%ghost`, `%doc`, `%caps(cap_net_raw+ep)`.
    #[must_use]
    pub fn directive(mut self, directive: impl Into<String>) -> Self {
        self.directives.push(directive.into());
        self
    }

    /// It is on disk, and a line of its own ([`Recipe::listed`]) lists it together with others: rpmbuild takes long for
    /// very many lines.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.is_listed = false;
        self
    }
}
