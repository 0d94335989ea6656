//! `<name>.json`: what the build system knows of a build.

use serde_json::Value;

use super::{Metadata, MetadataError, Origin, build, clean, tree_of};
use crate::record::Build;

/// The fields of a JSON object, read leniently: a number where a text is expected is a text.
pub(super) struct Fields<'a> {
    key: &'a str,
    object: serde_json::Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(key: &'a str, body: &[u8]) -> Result<Self, MetadataError> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        if body.trim_ascii_start().starts_with(b"<") {
            return Err(MetadataError::Html { key: key.to_owned() });
        }
        let value =
            serde_json::from_slice(body).map_err(|source| MetadataError::NotJson { key: key.to_owned(), source })?;
        Self::of(key, "the file", value)
    }

    pub(super) fn of(key: &'a str, field: &'static str, value: Value) -> Result<Self, MetadataError> {
        match value {
            Value::Object(object) => Ok(Self { key, object }),
            other => Err(unexpected(key, field, &other, "a JSON object")),
        }
    }

    /// The object in a field; an empty one when the field is absent.
    pub(super) fn object(&mut self, field: &'static str) -> Result<Self, MetadataError> {
        let value = self.object.remove(field).unwrap_or_else(|| Value::Object(serde_json::Map::default()));
        Self::of(self.key, field, value)
    }

    pub(super) fn required(&self, field: &'static str) -> Result<Box<str>, MetadataError> {
        self.text(field)?.ok_or_else(|| MetadataError::Missing { key: self.key.to_owned(), field })
    }

    /// The text of a field; `None` when it is absent, null or empty.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<Box<str>>, MetadataError> {
        match self.object.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(clean(text)),
            Some(Value::Number(number)) => Ok(clean(&number.to_string())),
            Some(other) => Err(unexpected(self.key, field, other, "a text")),
        }
    }

    /// The number of a field, which may be written as a text.
    pub(super) fn number(&self, field: &'static str) -> Result<Option<u32>, MetadataError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        let value = Value::String(text.to_string());
        text.parse().map(Some).map_err(|_| unexpected(self.key, field, &value, "a whole number"))
    }
}

fn unexpected(key: &str, field: &'static str, value: &Value, expected: &'static str) -> MetadataError {
    let value: String = value.to_string().chars().take(80).collect();
    MetadataError::Unexpected { key: key.to_owned(), field, value, expected }
}

pub(super) fn parse(key: &str, body: &[u8]) -> Result<Metadata, MetadataError> {
    let fields = Fields::parse(key, body)?;
    let id = fields.required("buildid")?;
    let stated = fields.required("moz_source_repo")?;
    let repository = stated.strip_prefix("MOZ_SOURCE_REPO=").unwrap_or(&stated);
    Ok(Metadata {
        build: Build {
            number: fields.number("buildnumber")?,
            assembler: fields.text("as")?,
            ld: fields.text("ld")?,
            cc: fields.text("cc")?,
            cxx: fields.text("cxx")?,
            host: fields.text("host_alias")?,
            target: fields.text("target_alias")?,
            ..build(&id, None)
        },
        source: Origin {
            tree: Some(tree_of(repository).into()),
            repository: Some(repository.into()),
            revision: Some(fields.required("moz_source_stamp")?),
        },
        channel: fields.text("moz_update_channel")?,
    })
}
