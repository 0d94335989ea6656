//! `filelists.xml`: every file of every package.
//!
//! It is large, and hardly ever needed: `primary.xml` has those that packages commonly ask for. So it is read for a few
//! wanted paths only, and nothing else of it is kept.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;

use super::Budget;
use super::package::Package;
use super::xml::{Document, MetadataError, Node};

/// Adds to `packages` those of their files that are `wanted`.
pub(super) fn add(
    source: impl Read,
    wanted: &HashSet<Arc<str>>,
    packages: &mut [Package],
    budget: &mut Budget,
) -> Result<(), MetadataError> {
    let by_checksum: HashMap<String, usize> =
        packages.iter().enumerate().map(|(index, package)| (package.checksum.to_string(), index)).collect();
    let mut document = Document::new(source);
    let (mut current, mut text, mut whole) = (None, String::new(), false);
    loop {
        match document.next()? {
            Node::Open(element) => {
                text.clear();
                if element.name() == "package" {
                    let id = element.attribute("pkgid")?;
                    current = id.and_then(|id| by_checksum.get(&id).copied());
                }
            }
            Node::Text(piece) => text.push_str(&piece),
            Node::Close(name) => match name.as_str() {
                "file" => {
                    let found = wanted.get(text.as_str());
                    if let (Some(path), Some(package)) = (found, current.and_then(|index| packages.get_mut(index)))
                        && !package.files.contains(path)
                    {
                        budget.entry()?;
                        package.files.push(Arc::clone(path));
                    }
                }
                "filelists" => whole = true,
                _ => {}
            },
            Node::End if whole => return Ok(()),
            Node::End => return Err(MetadataError::Missing { whose: "filelists.xml".into(), what: "end" }),
        }
    }
}
