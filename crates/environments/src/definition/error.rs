//! What is wrong with a definition, where, and what may stand there.

/// Why a definition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// It is no TOML, or has a field that is not known, or lacks one.
    #[error("{file} is no definition: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// What, and where.
        reason: String,
    },
    /// A value cannot stand where it stands.
    #[error("{file}: {table} {field} = {value:?} cannot be used: {allowed}")]
    Value {
        /// The file.
        file: String,
        /// The table, with its number where there are several: `[[repo]] 2`.
        table: String,
        /// The field.
        field: &'static str,
        /// What stands there; empty where nothing does.
        value: String,
        /// What may stand there, as a sentence's end.
        allowed: String,
    },
}

/// A table of a definition, for errors to name.
#[derive(Debug, Clone)]
pub(super) struct Table<'a> {
    file: &'a str,
    name: String,
}

impl<'a> Table<'a> {
    /// The table of which there is one.
    pub(super) fn one(file: &'a str, name: &str) -> Self {
        Self { file, name: format!("[{name}]") }
    }

    /// The table of which there are several, from 1.
    pub(super) fn of(file: &'a str, name: &str, number: usize) -> Self {
        Self { file, name: format!("[[{name}]] {number}") }
    }

    /// Refuses a value, unless `is_sound`.
    pub(super) fn check(
        &self,
        field: &'static str,
        value: &str,
        is_sound: bool,
        allowed: &str,
    ) -> Result<(), DefinitionError> {
        if is_sound {
            return Ok(());
        }
        let (file, table, value, allowed) =
            (self.file.to_owned(), self.name.clone(), value.to_owned(), allowed.to_owned());
        Err(DefinitionError::Value { file, table, field, value, allowed })
    }
}
