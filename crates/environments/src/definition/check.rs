//! What a definition's values may be.

use std::collections::BTreeSet;

use buildhub_core::store::Location;

use super::error::Table;
use super::{Action, Definition, DefinitionError, Environment, Exclude, Label, Repo, Scriptlet, SourceKind};
use crate::places::Address;

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

const WORD: &str = "it is a word of letters, digits, '.', '_' and '-' that begins with a letter or a digit";
const ABSOLUTE: &str = "it is an absolute path without . and ..";
const ONCE: &str = "it stands in one table only";

/// Checks everything that types do not.
pub(super) fn check(definition: &Definition, file: &str) -> Result<(), DefinitionError> {
    environment(&definition.environment, definition, &Table::one(file, "environment"))?;
    let tables = |name: &'static str| (1..).map(move |number| Table::of(file, name, number));
    each(&definition.repos, tables("repo"), repo)?;
    each(&definition.excludes, tables("exclude"), |exclude, table| exclusion(exclude, definition, table))?;
    each(&definition.scriptlets, tables("scriptlet"), |one, table| scriptlet(one, definition, table))?;
    each(&definition.alternatives, tables("alternative"), |one, table| {
        table.check("link", &one.link, is_absolute(&one.link), ABSOLUTE)?;
        table.check("target", &one.target, !one.target.is_empty() && !one.target.contains('\0'), "it is a path")
    })?;
    each(&definition.users, tables("user"), |user, table| {
        table.check("name", &user.name, is_word(&user.name), WORD)?;
        table.check("home", &user.home, is_absolute(&user.home) && is_one_field(&user.home), ABSOLUTE)?;
        table.check("shell", &user.shell, is_absolute(&user.shell) && is_one_field(&user.shell), ABSOLUTE)
    })?;
    each(&definition.groups, tables("group"), |group, table| {
        table.check("name", &group.name, is_word(&group.name), WORD)
    })?;
    each(&definition.labels, tables("label"), label)?;
    distinct(definition, file)
}

fn each<'a, T>(
    items: &[T],
    tables: impl Iterator<Item = Table<'a>>,
    check: impl Fn(&T, &Table<'a>) -> Result<(), DefinitionError>,
) -> Result<(), DefinitionError> {
    items.iter().zip(tables).try_for_each(|(item, table)| check(item, &table))
}

fn environment(it: &Environment, definition: &Definition, table: &Table<'_>) -> Result<(), DefinitionError> {
    table.check("arch", &it.arch, is_word(&it.arch), "it is an architecture by rpm's name, such as x86_64")?;
    let root = it.root.as_deref().unwrap_or_default();
    match it.source {
        SourceKind::RpmRepo => {
            table.check("packages", "", !it.packages.is_empty(), "rpm-repo needs one package at least")?;
            table.check("root", root, it.root.is_none(), "only chroot-tar has a root")?;
            let sha256 = it.root_sha256.as_deref().unwrap_or_default();
            table.check("root_sha256", sha256, it.root_sha256.is_none(), "only chroot-tar has a root")?;
            table.check("source", "rpm-repo", !definition.repos.is_empty(), "rpm-repo needs one [[repo]] at least")?;
        }
        SourceKind::ChrootTar => {
            let packages = it.packages.join(", ");
            table.check("packages", &packages, it.packages.is_empty(), "chroot-tar has those of its root")?;
            let allowed = "chroot-tar needs the address of the uploaded root";
            table.check("root", shown(root), Address::read(root, &anywhere()).is_ok(), allowed)?;
            let Definition { scriptlets, alternatives, users, groups, .. } = definition;
            let is_none = scriptlets.is_empty() && alternatives.is_empty() && users.is_empty() && groups.is_empty();
            let allowed = "the root has its own, so there is no [[scriptlet]], [[alternative]], [[user]] or [[group]]";
            table.check("source", "chroot-tar", is_none, allowed)?;
        }
    }
    for package in &it.packages {
        let is_sound = !package.trim().is_empty() && !package.contains(['\n', '\0']);
        table.check("packages", package, is_sound, "each is a name, name-version, file, or anything provided")?;
    }
    if let Some(sha256) = &it.root_sha256 {
        table.check("root_sha256", sha256, is_sha256(sha256), "it is 64 hexadecimal digits, lower case")?;
    }
    let is_relative = !it.rpmdb.starts_with('/') && is_absolute(&format!("/{}", it.rpmdb));
    table.check("rpmdb", &it.rpmdb, is_relative, "it is a path in the environment without a leading slash and ..")?;
    it.setuid.iter().try_for_each(|path| table.check("setuid", path, is_absolute(path), ABSOLUTE))
}

fn repo(repo: &Repo, table: &Table<'_>) -> Result<(), DefinitionError> {
    const ADDRESS: &str =
        "it is https://…, http://…, s3://BUCKET/PREFIX or a path beside the definition, without a login and without ?";
    table.check("id", &repo.id, is_word(&repo.id), WORD)?;
    table.check("url", shown(&repo.url), Address::read(&repo.url, &anywhere()).is_ok(), ADDRESS)?;
    for key in &repo.gpg_keys {
        let is_sound = key.strip_prefix("sha256:").is_some_and(is_sha256);
        table.check("gpg_keys", key, is_sound, "each is sha256: and 64 hexadecimal digits, lower case")?;
    }
    if let Some(sources) = &repo.sources {
        table.check("sources", shown(sources), Address::read(sources, &anywhere()).is_ok(), ADDRESS)?;
    }
    if let Some(mirror) = &repo.mirror {
        let is_public = matches!(Address::read(mirror, &anywhere()), Ok(Address::Web(_))) && is_one_line(mirror);
        table.check("mirror", shown(mirror), is_public, "it is an https:// or http:// address without a login")?;
    }
    Ok(())
}

fn exclusion(exclude: &Exclude, definition: &Definition, table: &Table<'_>) -> Result<(), DefinitionError> {
    let is_reason = !exclude.reason.trim().is_empty() && is_one_line(&exclude.reason);
    table.check("reason", &exclude.reason, is_reason, "it is published, so it says in one line why")?;
    match (&exclude.package, &exclude.path) {
        (Some(package), None) => {
            table.check("package", package, is_package(package), "it is a package's name")?;
            let is_wanted = definition.environment.packages.contains(package);
            table.check("package", package, !is_wanted, "[environment] packages asks for it")
        }
        (None, Some(path)) => table.check("path", path, is_absolute(path), ABSOLUTE),
        _ => table.check("package", exclude.package.as_deref().unwrap_or_default(), false, "either package or path"),
    }
}

fn scriptlet(scriptlet: &Scriptlet, definition: &Definition, table: &Table<'_>) -> Result<(), DefinitionError> {
    table.check("package", &scriptlet.package, is_package(&scriptlet.package), "it is a package's name")?;
    let is_known = PHASES.contains(&scriptlet.phase.as_str());
    table.check("phase", &scriptlet.phase, is_known, &format!("it is one of {}", PHASES.join(", ")))?;
    let (users, links) = (definition.users.len() + definition.groups.len(), definition.alternatives.len());
    match scriptlet.action {
        Action::Users => table.check("action", "users", users > 0, "it needs a [[user]] or a [[group]]"),
        Action::Alternatives => table.check("action", "alternatives", links > 0, "it needs an [[alternative]]"),
        Action::Acknowledge | Action::Ldconfig => Ok(()),
    }
}

fn label(label: &Label, table: &Table<'_>) -> Result<(), DefinitionError> {
    let word = |field, text: &str| table.check(field, text, is_word(text), WORD);
    word("branch", &label.branch)?;
    word("platform", &label.platform)?;
    word("product", &label.product)?;
    label.build_type.iter().try_for_each(|text| word("build_type", text))?;
    label.channel.iter().try_for_each(|text| word("channel", text))
}

/// What may stand in one table only.
fn distinct(definition: &Definition, file: &str) -> Result<(), DefinitionError> {
    let Definition { repos, excludes, scriptlets, alternatives, users, groups, labels, .. } = definition;
    once(file, "repo", "id", repos.iter().map(|repo| repo.id.clone()))?;
    let excluded = |exclude: &Exclude| exclude.package.clone().or_else(|| exclude.path.clone()).unwrap_or_default();
    once(file, "exclude", "package", excludes.iter().map(excluded))?;
    let phase = |scriptlet: &Scriptlet| format!("{} {}", scriptlet.package, scriptlet.phase);
    once(file, "scriptlet", "phase", scriptlets.iter().map(phase))?;
    once(file, "alternative", "link", alternatives.iter().map(|one| one.link.clone()))?;
    once(file, "user", "name", users.iter().map(|user| user.name.clone()))?;
    once(file, "user", "uid", users.iter().map(|user| user.uid.to_string()))?;
    once(file, "group", "name", groups.iter().map(|group| group.name.clone()))?;
    once(file, "group", "gid", groups.iter().map(|group| group.gid.to_string()))?;
    once(file, "label", "branch", labels.iter().map(ToString::to_string))
}

fn once(
    file: &str,
    name: &str,
    field: &'static str,
    values: impl Iterator<Item = String>,
) -> Result<(), DefinitionError> {
    let mut seen = BTreeSet::new();
    (1..).zip(values).try_for_each(|(number, value)| {
        let is_new = seen.insert(value.clone());
        Table::of(file, name, number).check(field, &value, is_new, ONCE)
    })
}

/// Any place will do to see whether an address is one.
fn anywhere() -> Location {
    Location::Folder(".".into())
}

/// An address as an error shows it: a login or a key is not repeated.
fn shown(address: &str) -> &str {
    if address.contains(['@', '?', '#']) { "…" } else { address }
}

/// Whether a text is 64 hexadecimal digits, lower case.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text may stand in an object's key, and is neither `-` nor hidden.
fn is_word(text: &str) -> bool {
    let is_of = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= 100 && text.bytes().all(is_of) && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

fn is_package(text: &str) -> bool {
    let is_of = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+~^".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of)
}

fn is_absolute(path: &str) -> bool {
    let parts = || path.trim_end_matches('/').split('/').skip(1);
    path == "/"
        || path.starts_with('/')
            && !path.contains(['\0', '\n'])
            && parts().all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Whether a text may stand between the colons of `etc/passwd`.
fn is_one_field(text: &str) -> bool {
    !text.contains(':')
}

fn is_one_line(text: &str) -> bool {
    !text.contains(['\n', '\r', '\0'])
}
