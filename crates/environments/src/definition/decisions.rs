//! Decisions: what a definition says, and its lock keeps, about how files become an environment. Both are checked by the
//! same rules, for a lock may come from anybody.

use super::check::{each, once};
use super::error::Table;
use super::values::{ABSOLUTE, WORD, is_absolute, is_one_field, is_one_line, is_package, is_word};
use super::{Action, Alternative, Definition, DefinitionError, Exclude, Group, Scriptlet, SourceKind, User};

/// The phases of a scriptlet, by rpm's names.
pub const PHASES: [&str; 12] = [
    "pre",
    "post",
    "preun",
    "postun",
    "pretrans",
    "posttrans",
    "preuntrans",
    "postuntrans",
    "verify",
    "trigger",
    "filetrigger",
    "transfiletrigger",
];

/// The decisions of a definition, or of a lock.
#[derive(Debug)]
pub(crate) struct Decisions<'a> {
    pub(crate) source: SourceKind,
    pub(crate) arch: &'a str,
    pub(crate) rpmdb: &'a str,
    pub(crate) setuid: &'a [String],
    /// Packages that are asked for, or that are there.
    pub(crate) wanted: Vec<&'a str>,
    pub(crate) excludes: &'a [Exclude],
    pub(crate) scriptlets: &'a [Scriptlet],
    pub(crate) alternatives: &'a [Alternative],
    pub(crate) users: &'a [User],
    pub(crate) groups: &'a [Group],
}

impl<'a> Decisions<'a> {
    pub(super) fn of(definition: &'a Definition) -> Self {
        let Definition { environment, excludes, scriptlets, alternatives, users, groups, .. } = definition;
        Self {
            source: environment.source,
            arch: &environment.arch,
            rpmdb: &environment.rpmdb,
            setuid: &environment.setuid,
            wanted: environment.packages.iter().map(String::as_str).collect(),
            excludes,
            scriptlets,
            alternatives,
            users,
            groups,
        }
    }

    /// Checks everything that types do not. `file` is what errors call it.
    pub(crate) fn check(&self, file: &str) -> Result<(), DefinitionError> {
        let table = Table::one(file, "environment");
        table.check("arch", self.arch, is_word(self.arch), "it is an architecture by rpm's name, such as x86_64")?;
        let is_relative = !self.rpmdb.starts_with('/') && is_absolute(&format!("/{}", self.rpmdb));
        table.check(
            "rpmdb",
            self.rpmdb,
            is_relative,
            "it is a path in the environment without a leading slash and ..",
        )?;
        self.setuid.iter().try_for_each(|path| table.check("setuid", path, is_absolute(path), ABSOLUTE))?;
        let Self { scriptlets, alternatives, users, groups, .. } = self;
        let is_none = scriptlets.is_empty() && alternatives.is_empty() && users.is_empty() && groups.is_empty();
        let allowed = "the root has its own, so there is no [[scriptlet]], [[alternative]], [[user]] or [[group]]";
        table.check("source", "chroot-tar", is_none || self.source != SourceKind::ChrootTar, allowed)?;
        let tables = |name: &'static str| (1..).map(move |number| Table::of(file, name, number));
        each(self.excludes, tables("exclude"), |exclude, table| exclusion(exclude, self, table))?;
        each(self.scriptlets, tables("scriptlet"), |one, table| scriptlet(one, self, table))?;
        each(self.alternatives, tables("alternative"), |one, table| {
            table.check("link", &one.link, is_absolute(&one.link), ABSOLUTE)?;
            table.check("target", &one.target, !one.target.is_empty() && !one.target.contains('\0'), "it is a path")
        })?;
        each(self.users, tables("user"), |user, table| {
            table.check("name", &user.name, is_word(&user.name), WORD)?;
            table.check("home", &user.home, is_absolute(&user.home) && is_one_field(&user.home), ABSOLUTE)?;
            table.check("shell", &user.shell, is_absolute(&user.shell) && is_one_field(&user.shell), ABSOLUTE)
        })?;
        each(self.groups, tables("group"), |group, table| {
            table.check("name", &group.name, is_word(&group.name), WORD)
        })?;
        self.distinct(file)
    }

    /// What may stand in one table only.
    fn distinct(&self, file: &str) -> Result<(), DefinitionError> {
        let excluded = |exclude: &Exclude| exclude.package.clone().or_else(|| exclude.path.clone()).unwrap_or_default();
        once(file, "exclude", "package", self.excludes.iter().map(excluded))?;
        let phase = |scriptlet: &Scriptlet| format!("{} {}", scriptlet.package, scriptlet.phase);
        once(file, "scriptlet", "phase", self.scriptlets.iter().map(phase))?;
        once(file, "alternative", "link", self.alternatives.iter().map(|one| one.link.clone()))?;
        once(file, "user", "name", self.users.iter().map(|user| user.name.clone()))?;
        once(file, "user", "uid", self.users.iter().map(|user| user.uid.to_string()))?;
        once(file, "group", "name", self.groups.iter().map(|group| group.name.clone()))?;
        once(file, "group", "gid", self.groups.iter().map(|group| group.gid.to_string()))
    }
}

fn exclusion(exclude: &Exclude, decisions: &Decisions<'_>, table: &Table<'_>) -> Result<(), DefinitionError> {
    let is_reason = !exclude.reason.trim().is_empty() && is_one_line(&exclude.reason);
    table.check("reason", &exclude.reason, is_reason, "it is published, so it says in one line why")?;
    match (&exclude.package, &exclude.path) {
        (Some(package), None) => {
            table.check("package", package, is_package(package), "it is a package's name")?;
            let is_wanted = decisions.wanted.contains(&package.as_str());
            table.check("package", package, !is_wanted, "[environment] packages asks for it")
        }
        (None, Some(path)) => table.check("path", path, is_absolute(path), ABSOLUTE),
        _ => table.check("package", exclude.package.as_deref().unwrap_or_default(), false, "either package or path"),
    }
}

fn scriptlet(scriptlet: &Scriptlet, decisions: &Decisions<'_>, table: &Table<'_>) -> Result<(), DefinitionError> {
    table.check("package", &scriptlet.package, is_package(&scriptlet.package), "it is a package's name")?;
    let is_known = PHASES.contains(&scriptlet.phase.as_str());
    table.check("phase", &scriptlet.phase, is_known, &format!("it is one of {}", PHASES.join(", ")))?;
    let (users, links) = (decisions.users.len() + decisions.groups.len(), decisions.alternatives.len());
    match scriptlet.action {
        Action::Users => table.check("action", "users", users > 0, "it needs a [[user]] or a [[group]]"),
        Action::Alternatives => table.check("action", "alternatives", links > 0, "it needs an [[alternative]]"),
        Action::Acknowledge | Action::Ldconfig => Ok(()),
    }
}
