//! What a request's path and query ask for.

use crate::request::{Request, RequestError, Suffix};
use crate::source::Source;

/// An archive, and from where it is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) request: Request,
    /// The region that is nearest to whoever asks. One that is not known changes nothing.
    pub(super) preferred_region: Option<String>,
}

/// Why nothing can be asked for in this way.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("an archive is asked for by repository and revision: /archiver/{source_name}/REPOSITORY/REVISION")]
    Incomplete { source_name: &'static str },
    #[error("there is no parameter {name:?}: there are subdir, suffix and preferred_region")]
    Unknown { name: String },
    #[error("the parameter {name} is given more than once")]
    Repeated { name: &'static str },
    #[error("{source_name} makes no {suffix} archives")]
    NotOffered { source_name: &'static str, suffix: Suffix },
}

impl Asked {
    /// Reads the path's segments behind the source's name, and the query.
    pub(super) fn read(source: &Source, path: &[String], query: &[(String, String)]) -> Result<Self, AskError> {
        // A `/` that was encoded is one, as it was to the original: a repository's path may be encoded whole.
        let path = path.join("/");
        let (repo, revision) = path.rsplit_once('/').ok_or(AskError::Incomplete { source_name: source.name })?;
        let (mut subdir, mut suffix, mut preferred_region) = (None, None, None);
        for (name, value) in query {
            let (name, place) = match name.as_str() {
                "subdir" => ("subdir", &mut subdir),
                "suffix" => ("suffix", &mut suffix),
                "preferred_region" => ("preferred_region", &mut preferred_region),
                // Nor `repo` and `rev`, which once took the place of the path's.
                _ => return Err(AskError::Unknown { name: name.chars().take(80).collect() }),
            };
            if place.replace(value).is_some() {
                return Err(AskError::Repeated { name });
            }
        }
        let suffix = suffix.map_or(Ok(Suffix::TarGz), |suffix| suffix.parse())?;
        if !source.suffixes.contains(&suffix) {
            return Err(AskError::NotOffered { source_name: source.name, suffix });
        }
        let request = Request::new(repo, revision.parse()?, suffix)?;
        let request = request.of_subdir(subdir.map_or("", String::as_str))?;
        Ok(Self { request, preferred_region: preferred_region.cloned() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use buildhub_core::web;

    use super::*;

    fn read(address: &str) -> Result<Asked, AskError> {
        let source = Source {
            name: "hgmo",
            template: "https://hg.example/{repo}/archive/{rev}.{suffix}/{subdir}".parse().unwrap(),
            hosts: BTreeSet::new(),
            trusted: BTreeSet::new(),
            suffixes: vec![Suffix::TarGz, Suffix::Zip],
        };
        let request = web::Request::get(address);
        Asked::read(&source, &request.segments()[2..], &request.query)
    }

    /// Kept, rows 1 and 2: the original's parameters and their defaults.
    #[test]
    fn the_last_segment_is_the_revision_and_the_rest_the_repository() {
        let asked =
            read("/archiver/hgmo/projects/ash/42bf8560b395?subdir=testing/mozharness&preferred_region=us-west-2");
        let asked = asked.unwrap();
        assert_eq!(asked.request.key(), "projects/ash-42bf8560b395.tar.gz/testing/mozharness");
        assert_eq!(asked.preferred_region.as_deref(), Some("us-west-2"));
        let plain = read("/archiver/hgmo/projects%2Fash/42bf8560b395?subdir=&suffix=zip").unwrap();
        assert_eq!(plain.request.key(), "projects/ash-42bf8560b395.zip");
        assert_eq!(plain.preferred_region, None);
    }

    /// Changelog, row 13: what could lead an address elsewhere is refused, however it is written; and so is any other
    /// parameter.
    ///
    /// Kept, row 3: as by the original.
    #[test]
    fn what_cannot_be_asked_for_is_refused_with_its_reason() {
        for (address, reason) in [
            ("/archiver/hgmo/42bf8560b395", "/archiver/hgmo/REPOSITORY/REVISION"),
            ("/archiver/hgmo/ash/42bf8560b395?x=1", r#"no parameter "x""#),
            ("/archiver/hgmo/ash/42bf8560b395?rev=tip", r#"no parameter "rev""#),
            ("/archiver/hgmo/ash/42bf8560b395?repo=b", r#"no parameter "repo""#),
            ("/archiver/hgmo/ash/42bf8560b395?suffix=zip&suffix=tar.gz", "more than once"),
            ("/archiver/hgmo/ash/42bf8560b395?suffix=tar.bz2", "hgmo makes no tar.bz2 archives"),
            ("/archiver/hgmo/ash/42bf8560b395?suffix=exe", "it is tar.gz, tar.bz2 or zip"),
            ("/archiver/hgmo/ash/tip", "12 to 40 hexadecimal digits"),
            ("/archiver/hgmo/ash/", "12 to 40 hexadecimal digits"),
            ("/archiver/hgmo/%2e%2e/ash/42bf8560b395", ". or .."),
            ("/archiver/hgmo/..%2Fash/42bf8560b395", ". or .."),
            ("/archiver/hgmo//ash/42bf8560b395", "empty"),
            ("/archiver/hgmo/a%3Fb/42bf8560b395", "letters and digits"),
            ("/archiver/hgmo/a%23b/42bf8560b395", "letters and digits"),
            ("/archiver/hgmo/a%00/42bf8560b395", "letters and digits"),
            ("/archiver/hgmo/ash/42bf8560b395?subdir=..%2Fx", ". or .."),
            ("/archiver/hgmo/ash/42bf8560b395?subdir=a%3Fb", "none of ?"),
            ("/archiver/hgmo/ash/42bf8560b395?subdir=%FF", "must be UTF-8"),
        ] {
            let error = read(address).unwrap_err().to_string();
            assert!(error.contains(reason), "{address}: {error}");
        }
    }
}
