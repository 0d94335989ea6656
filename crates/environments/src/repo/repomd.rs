//! `repodata/repomd.xml`: which files a repository's metadata are in.

use std::io::Read;

use super::Checksum;
use super::xml::{Document, MetadataError, Node};

/// Most files that one repository may have metadata in.
const FILES_MAX: usize = 1000;

/// What a `repomd.xml` says, as far as it is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repomd {
    /// Packages.
    pub primary: MetadataFile,
    /// All their files; not every repository has such a list.
    pub filelists: Option<MetadataFile>,
    /// Whether there are modules, some of whose packages dnf hides.
    pub is_modular: bool,
}

/// A file of metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFile {
    /// Where it is, from the repository's address on.
    pub location: String,
    /// What it must hash to, as it lies there.
    pub checksum: Checksum,
    /// Its size as it lies there, in bytes.
    pub size: Option<u64>,
}

#[derive(Default)]
struct Draft {
    kind: String,
    location: Option<String>,
    checksum: Option<(String, String)>,
    size: Option<u64>,
}

/// Reads a `repomd.xml`.
pub(super) fn read(source: impl Read) -> Result<Repomd, MetadataError> {
    let mut document = Document::new(source);
    let (mut primary, mut filelists, mut is_modular) = (None, None, false);
    let (mut draft, mut text, mut kind, mut files) = (Draft::default(), String::new(), String::new(), 0);
    loop {
        match document.next()? {
            Node::Open(element) => {
                text.clear();
                match element.name().as_str() {
                    "data" => {
                        draft = Draft { kind: element.attribute("type")?.unwrap_or_default(), ..Draft::default() };
                    }
                    "checksum" => kind = element.attribute("type")?.unwrap_or_default(),
                    "location" => draft.location = element.attribute("href")?,
                    _ => {}
                }
            }
            Node::Text(piece) => text.push_str(&piece),
            Node::Close(name) => match name.as_str() {
                "checksum" => draft.checksum = Some((std::mem::take(&mut kind), text.trim().to_owned())),
                "size" => draft.size = text.trim().parse().ok(),
                "data" => {
                    files += 1;
                    if files > FILES_MAX {
                        return Err(MetadataError::TooMany { most: FILES_MAX, what: "files of metadata" });
                    }
                    let draft = std::mem::take(&mut draft);
                    match draft.kind.as_str() {
                        "primary" => primary = Some(draft.finish()?),
                        "filelists" => filelists = Some(draft.finish()?),
                        "modules" => is_modular = true,
                        _ => {}
                    }
                }
                _ => {}
            },
            Node::End => break,
        }
    }
    let missing = || MetadataError::Missing { whose: "<repomd>".into(), what: "<data type=\"primary\">" };
    Ok(Repomd { primary: primary.ok_or_else(missing)?, filelists, is_modular })
}

impl Draft {
    fn finish(self) -> Result<MetadataFile, MetadataError> {
        let Self { kind: whose, location, checksum, size } = self;
        let missing = |what| MetadataError::Missing { whose: format!("<data type={whose:?}>"), what };
        let location = location.ok_or_else(|| missing("<location>"))?;
        let (kind, digits) = checksum.ok_or_else(|| missing("<checksum>"))?;
        let checksum = Checksum::new(&kind, &digits)
            .map_err(|source| MetadataError::Checksum { whose: location.clone(), source })?;
        Ok(MetadataFile { location, checksum, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repomd(checksum: &str) -> String {
        format!(
            r#"<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>
            <data type="primary"><checksum type="{checksum}">{}</checksum><open-checksum type="md5">0</open-checksum>
            <location href="repodata/a&amp;b-primary.xml.zst"/><size>77</size></data>
            <data type="primary_db"><checksum type="md5">0</checksum><location href="x"/></data></repomd>"#,
            "0".repeat(64)
        )
    }

    #[test]
    fn elements_are_not_nested_without_end() {
        let nested = format!("<repomd>{}", "<a>".repeat(1000));
        let error = read(nested.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("64 deep"), "{error}");
    }

    #[test]
    fn a_repomd_names_its_files_and_what_they_hash_to() {
        let found = read(repomd("sha256").as_bytes()).unwrap();
        assert_eq!(found.primary.location, "repodata/a&b-primary.xml.zst");
        assert_eq!(found.primary.size, Some(77));
        assert_eq!(found.filelists, None);
    }

    #[test]
    fn a_repomd_with_weak_checksums_is_refused_and_says_what_to_do() {
        let error = read(repomd("sha1").as_bytes()).unwrap_err().to_string();
        assert!(error.contains("createrepo_c --checksum sha256"), "{error}");
    }

    #[test]
    fn what_is_no_repomd_is_an_error_and_no_panic() {
        for text in
            ["", "<html>", "<repomd/>", "<repomd><data type=\"primary\"></data></repomd>", "\u{1}&x;", "<a>&b;</a>"]
        {
            read(text.as_bytes()).unwrap_err();
        }
    }
}
