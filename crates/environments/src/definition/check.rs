//! What a definition's values may be.

use std::collections::BTreeSet;

use buildhub_core::store::Location;

use super::decisions::Decisions;
use super::error::Table;
use super::values::{WORD, is_one_line, is_sha256, is_word};
use super::{Definition, DefinitionError, Environment, Label, Repo, SourceKind};
use crate::places::Address;

pub(crate) const MIRROR: &str = "it is an https:// or http:// address without a login";
const ONCE: &str = "it stands in one table only";

/// Checks everything that types do not.
pub(super) fn check(definition: &Definition, file: &str) -> Result<(), DefinitionError> {
    environment(&definition.environment, definition, &Table::one(file, "environment"))?;
    Decisions::of(definition).check(file)?;
    let tables = |name: &'static str| (1..).map(move |number| Table::of(file, name, number));
    each(&definition.repos, tables("repo"), repo)?;
    each(&definition.labels, tables("label"), label)?;
    distinct(definition, file)
}

pub(super) fn each<'a, T>(
    items: &[T],
    tables: impl Iterator<Item = Table<'a>>,
    check: impl Fn(&T, &Table<'a>) -> Result<(), DefinitionError>,
) -> Result<(), DefinitionError> {
    items.iter().zip(tables).try_for_each(|(item, table)| check(item, &table))
}

fn environment(it: &Environment, definition: &Definition, table: &Table<'_>) -> Result<(), DefinitionError> {
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
        }
    }
    for package in &it.packages {
        let is_sound = !package.trim().is_empty() && !package.contains(['\n', '\0']);
        table.check("packages", package, is_sound, "each is a name, name-version, file, or anything provided")?;
    }
    if let Some(sha256) = &it.root_sha256 {
        table.check("root_sha256", sha256, is_sha256(sha256), "it is 64 hexadecimal digits, lower case")?;
    }
    Ok(())
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
        table.check("mirror", shown(mirror), is_mirror(mirror), MIRROR)?;
    }
    Ok(())
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
    once(file, "repo", "id", definition.repos.iter().map(|repo| repo.id.clone()))?;
    once(file, "label", "branch", definition.labels.iter().map(ToString::to_string))
}

pub(super) fn once(
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

/// Whether a repository file inside an environment may name an address.
pub(crate) fn is_mirror(text: &str) -> bool {
    matches!(Address::read(text, &anywhere()), Ok(Address::Web(_))) && is_one_line(text)
}

/// Any place will do to see whether an address is one.
pub(crate) fn anywhere() -> Location {
    Location::Folder(".".into())
}

/// An address as an error shows it: a login or a key is not repeated.
pub(crate) fn shown(address: &str) -> &str {
    if address.contains(['@', '?', '#']) { "…" } else { address }
}
