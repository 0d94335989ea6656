//! Settings by name: the environment, overlaid by the command line, read once at start.

mod table;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

pub use table::{Group, Variable};

/// A set of named settings, as they were when the program started.
///
/// `main` makes one with [`Variables::from_process`]; everything below takes typed structs made from it, so nothing
/// else ever looks at the environment. A variable that is set but empty counts as unset, as it does for the AWS SDKs.
#[derive(Debug, Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

/// A setting that cannot be used: says which, what it was, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The text cannot be read as what the setting is.
    #[error("{name}={value:?} cannot be used: {allowed}")]
    Invalid {
        /// The variable's name.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// What may stand there, as a sentence's end.
        allowed: String,
    },
    /// A secret cannot be read; its text is not repeated.
    #[error("{name} cannot be used: {allowed}")]
    InvalidSecret {
        /// The variable's name.
        name: &'static str,
        /// What may stand there, as a sentence's end.
        allowed: String,
    },
    /// The setting is needed and has no default.
    #[error("{name} is not set: {allowed}")]
    Missing {
        /// The variable's name.
        name: &'static str,
        /// What may stand there, as a sentence's end.
        allowed: String,
    },
}

impl Variables {
    /// The process's environment. Only `main` calls this.
    pub fn from_process() -> Self {
        // The one place of the project that reads the environment. Names and values that are not UTF-8 cannot be a
        // setting of ours, so they are passed over.
        let pairs =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self(pairs.collect())
    }

    /// The same settings with `name` set to `value`: how a command-line flag overrides its variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The same settings, with `name` unset.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The text of a setting, if it is set and not empty. White space around it is dropped.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A setting read as `T`, or `default` where it is unset. `allowed` ends the error's sentence.
    pub fn parse<T>(&self, name: &'static str, default: T, allowed: &str) -> Result<T, SettingError>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| SettingError::invalid(name, text, allowed)),
        }
    }

    /// A yes-or-no setting: `true`/`false`, `1`/`0`, `yes`/`no`, `on`/`off`, in any case.
    pub fn flag(&self, name: &'static str, default: bool) -> Result<bool, SettingError> {
        let Some(text) = self.get(name) else { return Ok(default) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(SettingError::invalid(name, text, "it is true or false")),
        }
    }

    /// A comma-separated setting: its items trimmed, empty ones dropped.
    pub fn list(&self, name: &str, default: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or(default);
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl SettingError {
    /// The error for a setting whose text cannot be used.
    pub fn invalid(name: &'static str, value: &str, allowed: impl Into<String>) -> Self {
        Self::Invalid { name, value: value.to_owned(), allowed: allowed.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let vars = Variables::default().with("TIMEOUT_SECONDS", "  ");
        assert_eq!(vars.parse("TIMEOUT_SECONDS", 300, "it is a number of seconds"), Ok(300));
    }

    #[test]
    fn a_bad_value_names_the_variable_the_value_and_what_is_allowed() {
        let vars = Variables::default().with("TIMEOUT_SECONDS", "soon");
        let error = vars.parse::<u64>("TIMEOUT_SECONDS", 300, "it is a number of seconds").unwrap_err();
        assert_eq!(error.to_string(), r#"TIMEOUT_SECONDS="soon" cannot be used: it is a number of seconds"#);
    }

    #[test]
    fn flags_and_lists_are_read_as_people_write_them() {
        let vars = Variables::default().with("INITIALIZE_SERVER", "No").with("PRODUCTS", "firefox, thunderbird,");
        assert_eq!(vars.flag("INITIALIZE_SERVER", true), Ok(false));
        assert_eq!(vars.list("PRODUCTS", "mobile"), ["firefox", "thunderbird"]);
        assert_eq!(vars.list("INVENTORIES", "firefox, archive"), ["firefox", "archive"]);
        assert!(Variables::default().with("X", "maybe").flag("X", true).is_err());
    }
}
