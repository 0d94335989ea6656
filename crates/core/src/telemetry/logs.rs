//! How log lines look.

use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing_subscriber::fmt::{MakeWriter, SubscriberBuilder, format};
use tracing_subscriber::{EnvFilter, FmtSubscriber};

use super::{TelemetrySettings, level};
use crate::SettingError;

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A person: a line of text on standard error, coloured on a terminal.
    Human,
    /// CloudWatch: a JSON object a line on standard output, with `timestamp` and `level` as Lambda's log-level filter
    /// wants them (AWS, "Working with Lambda function logs: JSON log format"), `message`, the event's fields beside
    /// them, and in `span` the fields of the span around it, the request's id among them.
    Json,
}

/// Both kinds of log, ready to be set.
pub(super) fn subscriber(settings: &TelemetrySettings) -> Result<Box<dyn Subscriber + Send + Sync>, SettingError> {
    let filter = settings.level.filter();
    let filter = filter.map_err(|_| SettingError::invalid("LOG_LEVEL", &settings.level.to_string(), level::ALLOWED))?;
    Ok(match settings.format {
        LogFormat::Human => Box::new(human(filter, io::stderr, io::stderr().is_terminal())),
        LogFormat::Json => Box::new(json(filter, io::stdout)),
    })
}

fn builder(filter: EnvFilter) -> SubscriberBuilder<format::DefaultFields, format::Format, EnvFilter> {
    FmtSubscriber::builder().with_env_filter(filter)
}

fn human<W>(filter: EnvFilter, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    builder(filter).with_writer(writer).with_ansi(colours).with_target(false).compact().finish()
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    builder(filter).with_writer(writer).json().flatten_event(true).with_span_list(false).finish()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::super::LogLevel;
    use super::*;

    /// What was logged while `work` ran.
    fn logged(level: &str, format: LogFormat, work: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let filter = level.parse::<LogLevel>().unwrap().filter().unwrap();
        let writer = Arc::clone(&lines);
        let writer = move || Lines(Arc::clone(&writer));
        match format {
            LogFormat::Human => tracing::subscriber::with_default(human(filter, writer, false), work),
            LogFormat::Json => tracing::subscriber::with_default(json(filter, writer), work),
        }
        String::from_utf8(lines.lock().unwrap().clone()).unwrap()
    }

    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_holds_time_level_message_fields_and_the_requests_id() {
        let text = logged("INFO", LogFormat::Json, || {
            let span = tracing::info_span!("Lambda runtime invoke", requestId = "8476a536");
            span.in_scope(|| tracing::warn!(key = "a/b.zip", "no metadata\nfound"));
        });
        assert_eq!(text.lines().count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "no metadata\nfound");
        assert_eq!(line["key"], "a/b.zip");
        assert_eq!(line["span"]["requestId"], "8476a536");
        let time: jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
        assert!(time.as_second() > 1_700_000_000);
    }

    #[test]
    fn a_level_leaves_out_what_is_below_it_and_what_libraries_chatter() {
        let text = logged("DEBUG", LogFormat::Human, || {
            tracing::trace!("too fine");
            tracing::debug!("asked for");
            tracing::debug!(target: "hyper_util::client", "a connection");
            tracing::warn!(target: "hyper_util::client", "a trouble");
        });
        let heard: Vec<_> =
            ["too fine", "asked for", "a connection", "a trouble"].map(|said| text.contains(said)).into();
        assert_eq!(heard, [false, true, false, true], "{text}");
    }
}
