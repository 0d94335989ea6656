//! Where archives come from: an address made by a template, and the hosts that may be asked.
//!
//! `hgmo` is the first source, a Mercurial server. Another is another [`Source`], with a template of its own.

use std::collections::BTreeSet;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::request::{Request, Suffix};

/// Everything but what an address never needs encoded (RFC 3986, section 2.3).
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The names that a template has in braces.
const PLACEHOLDERS: [&str; 4] = ["repo", "rev", "suffix", "subdir"];

/// Somewhere archives come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name, which stands in the paths of the API: `hgmo`.
    pub name: &'static str,
    /// The address of an archive.
    pub template: Template,
    /// The hosts that may be asked: the template's, and those it may redirect to.
    pub hosts: BTreeSet<String>,
    /// The hosts among them that the operator's own settings name: these may be at private addresses.
    pub trusted: BTreeSet<String>,
    /// The kinds of archive that it makes.
    pub suffixes: Vec<Suffix>,
}

impl Source {
    /// The address of an archive: of the template's host, whatever is asked for.
    pub fn url(&self, request: &Request) -> Url {
        self.template.url(request)
    }
}

/// An address with `{repo}`, `{rev}`, `{suffix}` and `{subdir}` in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Scheme, host and port, with the first `/` of the path.
    root: Url,
    /// What comes behind it.
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Repo,
    Revision,
    Suffix,
    Subdir,
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is no web address.
    #[error("it is an http:// or https:// address with {{repo}}, {{rev}}, {{suffix}} and {{subdir}} in its path")]
    NoAddress,
    /// It has a user or a password.
    #[error("it is an address without a user or password, for addresses are shown to everybody who asks")]
    Login,
    /// It would mean the same for two archives.
    #[error("it has {{{0}}} in it, which tells archives apart")]
    Lacks(&'static str),
    /// It has something else in braces.
    #[error("of names in braces it has {{repo}}, {{rev}}, {{suffix}} and {{subdir}} only")]
    UnknownName,
    /// It has a part that would lead the address elsewhere, or that is sent nowhere.
    #[error("its path has no parts that are . or .., and nothing behind a # or a ?")]
    Path,
}

impl Template {
    /// The host that it is of.
    pub fn host(&self) -> &str {
        self.root.host_str().unwrap_or_default()
    }

    fn url(&self, request: &Request) -> Url {
        let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let path = |text: &str| text.split('/').map(encoded).collect::<Vec<_>>().join("/");
        let parts = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Repo => path(request.repo()),
            Piece::Revision => encoded(request.revision().as_str()),
            Piece::Suffix => encoded(request.suffix().as_str()),
            Piece::Subdir => request.subdir().map(path).unwrap_or_default(),
        });
        let mut url = self.root.clone();
        url.set_path(&parts.collect::<String>());
        url
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(TemplateError::NoAddress)?;
        let (authority, path) = rest.split_once('/').ok_or(TemplateError::NoAddress)?;
        if authority.contains('@') {
            return Err(TemplateError::Login);
        }
        let root = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| TemplateError::NoAddress)?;
        if !matches!(root.scheme(), "http" | "https") || root.path() != "/" || authority.contains(['{', '\\']) {
            return Err(TemplateError::NoAddress);
        }
        if path.contains(['?', '#', '\\']) || path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(TemplateError::Path);
        }
        let pieces = pieces(path)?;
        for (piece, name) in [(Piece::Repo, "repo"), (Piece::Revision, "rev"), (Piece::Suffix, "suffix")] {
            if !pieces.contains(&piece) {
                return Err(TemplateError::Lacks(name));
            }
        }
        if !pieces.contains(&Piece::Subdir) {
            return Err(TemplateError::Lacks("subdir"));
        }
        Ok(Self { root, pieces })
    }
}

/// A path, cut at its names in braces.
fn pieces(path: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = path;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(TemplateError::UnknownName)?;
        if !PLACEHOLDERS.contains(&name) || text.contains('}') {
            return Err(TemplateError::UnknownName);
        }
        pieces.push(Piece::Text(text.to_owned()));
        pieces.push(match name {
            "repo" => Piece::Repo,
            "rev" => Piece::Revision,
            "suffix" => Piece::Suffix,
            _ => Piece::Subdir,
        });
        rest = after;
    }
    if rest.contains('}') {
        return Err(TemplateError::UnknownName);
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HGMO: &str = "https://hg.mozilla.org/{repo}/archive/{rev}.{suffix}/{subdir}";

    fn template(text: &str) -> Template {
        text.parse().unwrap()
    }

    fn request(repo: &str, subdir: &str) -> Request {
        Request::new(repo, "42bf8560b395".parse().unwrap(), Suffix::TarGz).unwrap().of_subdir(subdir).unwrap()
    }

    /// Kept, row 4: without a subdir the address keeps its `/`.
    #[test]
    fn an_address_is_made_as_the_original_made_it() {
        let url = |subdir: &str| template(HGMO).url(&request("projects/ash", subdir)).to_string();
        assert_eq!(url(""), "https://hg.mozilla.org/projects/ash/archive/42bf8560b395.tar.gz/");
        assert_eq!(url("testing/mozharness"), url("") + "testing/mozharness");
    }

    #[test]
    fn what_is_asked_for_is_encoded_part_by_part() {
        let url = template(HGMO).url(&request("a+b", "c d/é&=;:@!'(ü)"));
        let expected = "/a%2Bb/archive/42bf8560b395.tar.gz/c%20d/%C3%A9%26%3D%3B%3A%40%21%27%28%C3%BC%29";
        assert_eq!(url.path(), expected);
    }

    #[test]
    fn what_is_no_template_says_why() {
        for (text, expected) in [
            ("hg.mozilla.org/{repo}", TemplateError::NoAddress),
            ("ftp://h/{repo}{rev}{suffix}{subdir}", TemplateError::NoAddress),
            ("https://{repo}/{rev}{suffix}{subdir}", TemplateError::NoAddress),
            ("https:///{repo}{rev}{suffix}{subdir}", TemplateError::NoAddress),
            ("https://h\\x/{repo}{rev}{suffix}{subdir}", TemplateError::NoAddress),
            ("https://me:hush@h/{repo}{rev}{suffix}{subdir}", TemplateError::Login),
            ("https://h/{repo}/{rev}/{subdir}", TemplateError::Lacks("suffix")),
            ("https://h/{rev}.{suffix}/{subdir}", TemplateError::Lacks("repo")),
            ("https://h/{repo}/{rev}.{suffix}", TemplateError::Lacks("subdir")),
            ("https://h/{repo}/{rev}.{suffix}/{subdir}{path}", TemplateError::UnknownName),
            ("https://h/{repo}/{rev}.{suffix}/{subdir}}", TemplateError::UnknownName),
            ("https://h/{repo}/{rev}.{suffix}/{subdir", TemplateError::UnknownName),
            ("https://h/{repo}/{rev}.{suffix}/{subdir}?x", TemplateError::Path),
            ("https://h/../{repo}/{rev}.{suffix}/{subdir}", TemplateError::Path),
        ] {
            assert_eq!(text.parse::<Template>(), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_never_leaves_its_templates_host_and_path(
            repo in "[a-z.+_/-]{1,20}",
            subdir in "[^\u{0}]{0,20}",
            template in prop::sample::select(vec![HGMO, "http://127.0.0.1:8000/hg/{repo}/a-{rev}.{suffix}/in/{subdir}"]),
        ) {
            let asked = Request::new(&repo, "42bf8560b395".parse().unwrap(), Suffix::Zip)
                .and_then(|request| request.of_subdir(&subdir));
            let Ok(asked) = asked else { return Ok(()) };
            let template: Template = template.parse().unwrap();
            let url = template.url(&asked);
            prop_assert_eq!((url.scheme(), url.host_str(), url.port()),
                (template.root.scheme(), template.root.host_str(), template.root.port()));
            prop_assert!(url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
            // The path, decoded, is the template filled in: nothing was dropped, and nothing climbed.
            let decoded = percent_encoding::percent_decode_str(url.path()).decode_utf8().unwrap();
            let text = if url.scheme() == "https" { HGMO } else { "http://127.0.0.1:8000/hg/{repo}/a-{rev}.{suffix}/in/{subdir}" };
            let (_, path) = text.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap();
            let filled = path.replace("{repo}", &repo).replace("{rev}", "42bf8560b395").replace("{suffix}", "zip");
            let subdir = asked.subdir().unwrap_or_default();
            prop_assert_eq!(decoded.strip_prefix('/').unwrap(), filled.replace("{subdir}", subdir));
        }
    }
}
