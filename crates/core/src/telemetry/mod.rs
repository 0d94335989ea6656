//! Logs and crash reports: started once, by `main`.
//!
//! Commands log for a person, on standard error, since their standard output is data. Functions log one JSON object a
//! line on standard output, which is what Lambda hands to CloudWatch Logs. Crash reports go to Sentry where
//! `SENTRY_DSN` names a project.
//!
//! ```
//! use buildhub_core::Variables;
//! use buildhub_core::telemetry::{LogFormat, Telemetry, TelemetrySettings};
//!
//! # fn main() -> Result<(), buildhub_core::SettingError> {
//! let settings = TelemetrySettings::from_variables(&Variables::default(), LogFormat::Human)?;
//! let _telemetry = Telemetry::start(&settings)?; // until the end of main
//! tracing::info!(bucket = "inventories", "looking for the newest inventory");
//! # Ok(())
//! # }
//! ```

mod level;
mod logs;

use std::error::Error;
use std::panic::PanicHookInfo;
use std::time::Duration;

use sentry::types::Dsn;

use crate::{Secret, SettingError, Variables};

pub use level::LogLevel;
pub use logs::LogFormat;

/// How long a report may take to be delivered when the program ends, or a function answers.
const DELIVERY: Duration = Duration::from_secs(2);

/// What to log, how, and where crashes are reported.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// `LOG_LEVEL`: `INFO` when unset.
    pub level: LogLevel,
    /// For a person or for CloudWatch.
    pub format: LogFormat,
    /// `SENTRY_DSN`: the address of a Sentry project, which holds its key. Empty: nothing is reported.
    pub sentry_dsn: Secret,
}

impl TelemetrySettings {
    /// Reads the settings; the format is the program's choice.
    pub fn from_variables(variables: &Variables, format: LogFormat) -> Result<Self, SettingError> {
        let level = variables.parse("LOG_LEVEL", LogLevel::default(), level::ALLOWED)?;
        let sentry_dsn = Secret::new(variables.get("SENTRY_DSN").unwrap_or_default());
        let settings = Self { level, format, sentry_dsn };
        settings.dsn()?;
        Ok(settings)
    }

    fn dsn(&self) -> Result<Option<Dsn>, SettingError> {
        if self.sentry_dsn.is_empty() {
            return Ok(None);
        }
        let allowed = "it is the DSN of a Sentry project (https://KEY@HOST/PROJECT), or empty";
        let parsed = self.sentry_dsn.expose().parse();
        parsed.map(Some).map_err(|_| SettingError::InvalidSecret { name: "SENTRY_DSN", allowed: allowed.to_owned() })
    }
}

/// Running logs and crash reports. What is still unsent is delivered when it is dropped.
///
/// A panic is reported at once, before it unwinds, so that it arrives even from a function that is frozen afterwards.
#[must_use = "reports are delivered when this is dropped, at the end of main"]
pub struct Telemetry {
    sentry: Option<sentry::ClientInitGuard>,
}

impl Telemetry {
    /// Starts logs and, if wanted, reports. Where a log subscriber is already set, as in some tests, it stays.
    pub fn start(settings: &TelemetrySettings) -> Result<Self, SettingError> {
        let dsn = settings.dsn()?;
        // The first one set stays, and any of them serves.
        let _ = tracing::subscriber::set_global_default(logs::subscriber(settings)?);
        if settings.format == LogFormat::Json {
            std::panic::set_hook(Box::new(log_panic));
        }
        Ok(Self { sentry: dsn.map(report_to) })
    }

    /// Reports an error with its sources and waits, for at most two seconds, until it is delivered: a function is
    /// frozen once it has answered. Does nothing where reports are off.
    pub fn report(&self, error: &(dyn Error + 'static)) {
        if let Some(sentry) = &self.sentry {
            sentry::capture_error(error);
            sentry.flush(Some(DELIVERY));
        }
    }
}

/// A panic as one line of the log, with the request's id, instead of several on standard error without it. Sentry, which
/// starts later, hears of it first.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("something unprintable");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panicked: {said}");
}

fn report_to(dsn: Dsn) -> sentry::ClientInitGuard {
    // Sentry's transport takes the process's TLS provider; the first one set stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = sentry::ClientOptions::new()
        .release(concat!("buildhub@", env!("CARGO_PKG_VERSION")))
        .shutdown_timeout(DELIVERY);
    options.dsn = Some(dsn);
    sentry::init(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_off_without_a_dsn() {
        let settings = TelemetrySettings::from_variables(&Variables::default(), LogFormat::Human).unwrap();
        assert!(settings.dsn().unwrap().is_none());
    }

    #[test]
    fn a_dsn_that_is_none_is_refused_without_repeating_it() {
        let variables = Variables::default().with("SENTRY_DSN", "hush");
        let error = TelemetrySettings::from_variables(&variables, LogFormat::Human).unwrap_err().to_string();
        assert!(error.starts_with("SENTRY_DSN cannot be used: it is the DSN"), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn a_dsn_does_not_print() {
        let variables = Variables::default().with("SENTRY_DSN", "https://hush@sentry.example/1");
        let settings = TelemetrySettings::from_variables(&variables, LogFormat::Json).unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
