//! What is to be made: a definition, with its name and where it lies.

use std::path::Path;

use buildhub_core::store::{Location, ObjectStore, StoreError, StoreErrorKind};

use crate::definition::{Definition, DefinitionError, WORD, is_word};

/// The most bytes of a definition.
const LIMIT: usize = 1 << 20;

/// A definition that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its name: the file's, without `.toml`. Labels belong to it.
    pub name: String,
    /// What it says.
    pub definition: Definition,
    /// What lies beside it: keys, roots, repositories.
    pub beside: Location,
}

/// Why there is no definition.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no text.
    #[error("{0} is no definition: it is not UTF-8")]
    NoText(String),
    /// It is called what no environment may be called.
    #[error("{name:?} cannot be the name of a definition: {WORD}")]
    Name {
        /// The name.
        name: String,
    },
    /// It cannot be used.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
}

impl OrderError {
    /// Whether the same may work later, by itself.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind == StoreErrorKind::Transient)
    }
}

impl Order {
    /// From a text. `file` is its name, for errors too.
    pub fn of_text(text: &str, file: &str, beside: Location) -> Result<Self, OrderError> {
        let name = file.rsplit('/').next().unwrap_or(file);
        let name = name.strip_suffix(".toml").unwrap_or(name).to_owned();
        if !is_word(&name) {
            return Err(OrderError::Name { name });
        }
        let definition = Definition::parse(text, file)?;
        Ok(Self { name, definition, beside })
    }

    /// From a file of this machine.
    pub fn of_file(path: &Path) -> Result<Self, OrderError> {
        let name = path.display().to_string();
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|source| OrderError::File { path: name.clone(), source })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = std::path::absolute(folder).map_err(|source| OrderError::File { path: name.clone(), source })?;
        Self::of_text(&text, &name, Location::Folder(folder))
    }

    /// From an object of a store, which is at `place`.
    pub async fn of_object(store: &dyn ObjectStore, place: &Location, key: &str) -> Result<Self, OrderError> {
        let bytes = store.read(key, LIMIT).await?.bytes;
        let text = std::str::from_utf8(&bytes).map_err(|_| OrderError::NoText(key.to_owned()))?;
        Self::of_text(text, key, place.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_named_by_a_word() {
        let text = "[environment]\nsource = \"chroot-tar\"\narch = \"x86_64\"\nroot = \"a.tar\"\n";
        let named = |file: &str| {
            let order = Order::of_text(text, file, Location::Folder(".".into()));
            order.map(|order| order.name).map_err(|error| error.to_string())
        };
        assert_eq!(named("environments/linux64.toml"), Ok("linux64".to_owned()));
        for wrong in ["", ".toml", "a b.toml", "-.toml", "x/..", "\u{1b}[2J"] {
            let error = named(wrong).unwrap_err();
            assert!(error.contains("cannot be the name of a definition"), "{error}");
        }
    }
}
