//! `<name>.txt`: build id and revision, before there was JSON.

use super::{Metadata, MetadataError, Origin, build, clean, tree_of};

/// The repository of files that name only a revision.
const CENTRAL: &str = "http://hg.mozilla.org/mozilla-central";

/// Reads either form: `BUILDID`, newline, `http…/<repository>/rev/<revision>`; or `BUILDID <revision>`, whose repository
/// is mozilla-central.
pub(super) fn parse(key: &str, body: &[u8]) -> Result<Metadata, MetadataError> {
    let fault = || MetadataError::NotText { key: key.to_owned() };
    let text = std::str::from_utf8(body).map_err(|_| fault())?;
    if text.trim_start().starts_with('<') {
        return Err(MetadataError::Html { key: key.to_owned() });
    }
    let mut words = text.split([' ', '\t', '\r', '\n', '\0']).filter(|word| !word.is_empty());
    let (Some(id), Some(second), None) = (words.next(), words.next(), words.next()) else { return Err(fault()) };
    if !(8..=14).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault());
    }
    let (repository, revision) =
        if second.starts_with("http") { second.split_once("/rev/").ok_or_else(fault)? } else { (CENTRAL, second) };
    if revision.is_empty() || !revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(fault());
    }
    Ok(Metadata {
        build: build(id, None),
        source: Origin { tree: clean(tree_of(repository)), repository: clean(repository), revision: clean(revision) },
        channel: None,
    })
}
