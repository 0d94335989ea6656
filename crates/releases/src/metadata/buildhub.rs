//! `buildhub.json`: a record without its id, written by the build itself.

use super::json::Fields;
use super::{Metadata, MetadataError, Origin, build, tree_of};
use crate::archive::Facts;
use crate::classify::{Key, classify};
use crate::record::{Build, Record};
use crate::{Products, date};

pub(super) fn parse(key: &str, body: &[u8]) -> Result<Metadata, MetadataError> {
    read(&mut Fields::parse(key, body)?)
}

fn read(fields: &mut Fields<'_>) -> Result<Metadata, MetadataError> {
    let stated = fields.object("build")?;
    let source = fields.object("source")?;
    let target = fields.object("target")?;
    let id = stated.required("id")?;
    let stated_date = stated.text("date")?;
    let repository = source.text("repository")?;
    let tree = source.text("tree")?.or_else(|| repository.as_deref().map(|repository| tree_of(repository).into()));
    Ok(Metadata {
        build: Build {
            number: stated.number("number")?,
            assembler: stated.text("as")?,
            ld: stated.text("ld")?,
            cc: stated.text("cc")?,
            cxx: stated.text("cxx")?,
            host: stated.text("host")?,
            target: stated.text("target")?,
            ..build(&id, stated_date.as_deref())
        },
        source: Origin { tree, repository, revision: source.text("revision")? },
        channel: target.text("channel")?,
    })
}

/// The record that a `buildhub.json` describes.
///
/// Its `download.url` names the archive; the coordinates, the id and the mime type follow from that as for any
/// archive, so that the record is the same whoever writes it. Size and date are the file's, the date normalised
/// (it may carry fractions and an offset). The file's own place (`key`) says which candidate it is.
pub fn record_from_buildhub_json(key: &str, body: &[u8], products: Products) -> Result<Record, MetadataError> {
    let mut fields = Fields::parse(key, body)?;
    let download = fields.object("download")?;
    let mut metadata = read(&mut fields)?;
    let url = download.required("url")?;
    let at = url.rfind("/pub/").map_or(0, |at| at + 1);
    let (archive_url, archive_key) = url.split_at_checked(at).unwrap_or(("", &url));
    let archive = match classify(archive_key, products) {
        Key::Archive(archive) => archive,
        Key::Metadata(_) => return Err(not_a_build(key, &url, crate::NotABuild::OtherFile)),
        Key::Other(why) => return Err(not_a_build(key, &url, why)),
    };
    if let Some((_, _, number)) = archive.candidate_of() {
        metadata.build.number = Some(number);
    }
    let size = download.required("size")?;
    let size = size.parse().map_err(|_| unexpected(key, "download.size", &size, "a number of bytes"))?;
    let stored = download.required("date")?;
    let date = date::parse(&stored).ok_or_else(|| unexpected(key, "download.date", &stored, "a date and time"))?;
    Ok(archive.record(&Facts { archive_url, size, date }, Some(&metadata)))
}

fn not_a_build(key: &str, url: &str, why: crate::NotABuild) -> MetadataError {
    MetadataError::NotABuild { key: key.to_owned(), url: url.to_owned(), why }
}

fn unexpected(key: &str, field: &'static str, value: &str, expected: &'static str) -> MetadataError {
    MetadataError::Unexpected { key: key.to_owned(), field, value: format!("{value:?}"), expected }
}
