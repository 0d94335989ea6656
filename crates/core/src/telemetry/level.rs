//! How much is logged.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;

/// What `LOG_LEVEL` may be, as the end of an error's sentence.
pub(super) const ALLOWED: &str =
    "it is ERROR, WARNING, INFO, DEBUG or TRACE, or filter directives such as buildhub_kinto=debug,info";

/// Libraries that tell of every connection and header; a level alone does not ask for that.
const TALKATIVE: [&str; 10] = [
    "aws_config",
    "aws_runtime",
    "aws_sdk_s3",
    "aws_smithy_runtime",
    "h2",
    "hyper",
    "hyper_util",
    "lambda_runtime",
    "reqwest",
    "rustls",
];

/// Where Lambda's runtime opens the span with a request's id. It logs nothing itself, and a line at any level needs it.
const REQUEST_SPAN: &str = "lambda_runtime::layers::trace=info";

/// What is logged: a level for Buildhub, or directives for each part.
///
/// Levels are written as the original Buildhub's were (Python's `WARNING` and `CRITICAL`) or as Rust's. Directives
/// are those of `tracing_subscriber`'s `EnvFilter`, and are taken as they stand. With a level, libraries that tell of
/// every connection are heard from `warn` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    pub(super) fn filter(&self) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
        EnvFilter::try_new(&self.0)
    }

    fn plain(level: &str) -> Self {
        let mut directives = format!("{level},{REQUEST_SPAN}");
        // What is quieter than `warn` already needs no more.
        if level != "error" {
            directives.extend(TALKATIVE.iter().map(|library| format!(",{library}=warn")));
        }
        Self(directives)
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self::plain("info")
    }
}

/// A text that is neither a level nor directives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{ALLOWED}")]
pub struct LogLevelError;

impl FromStr for LogLevel {
    type Err = LogLevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "error" | "critical" | "fatal" => Ok(Self::plain("error")),
            "warn" | "warning" => Ok(Self::plain("warn")),
            level @ ("info" | "debug" | "trace") => Ok(Self::plain(level)),
            // A lone word would be read as the name of a module to trace: a misspelt level, more likely.
            _ if !text.contains('=') => Err(LogLevelError),
            _ => EnvFilter::try_new(text).map(|_| Self(text.to_owned())).map_err(|_| LogLevelError),
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_python_and_rust_write_them() {
        let level = |text: &str| text.parse::<LogLevel>().unwrap();
        assert_eq!(level("WARNING"), level("warn"));
        assert_eq!(level("CRITICAL"), level("Error"));
        assert_eq!(level("INFO"), LogLevel::default());
    }

    #[test]
    fn directives_are_taken_as_they_stand() {
        assert_eq!("buildhub_kinto=debug,info".parse::<LogLevel>().unwrap().to_string(), "buildhub_kinto=debug,info");
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        assert_eq!("INFOO".parse::<LogLevel>(), Err(LogLevelError));
        assert_eq!("buildhub=loud".parse::<LogLevel>(), Err(LogLevelError));
    }

    #[test]
    fn every_level_is_a_filter() {
        for level in ["error", "warn", "info", "debug", "trace"] {
            assert!(level.parse::<LogLevel>().unwrap().filter().is_ok(), "{level}");
        }
    }
}
