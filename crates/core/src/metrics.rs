//! Numbers for CloudWatch, in its embedded metric format: JSON lines in the log, from which it makes metrics. Nothing
//! has to be installed to see them, and outside AWS they are lines to read.
//!
//! Each metric is a constant here, with its name, unit and meaning.
//!
//! ```
//! use std::time::Duration;
//! use buildhub_core::metrics::{self, Metrics};
//!
//! let mut metrics = Metrics::new("s3-inventory");
//! metrics.count(&metrics::RECORDS_CREATED, 3);
//! metrics.duration(&metrics::RUN_DURATION, Duration::from_secs(2));
//! let line = metrics.to_line(jiff::Timestamp::UNIX_EPOCH);
//! assert!(line.contains(r#""RecordsCreated":3"#));
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Number, Value};

/// The namespace of every metric.
pub const NAMESPACE: &str = "Buildhub";
/// The dimension of every metric: which function it is of.
pub const DIMENSION: &str = "Function";

/// One metric: its name in CloudWatch, its unit, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in CloudWatch.
    pub name: &'static str,
    /// What its numbers count.
    pub unit: Unit,
    /// What it says, for documentation and dashboards.
    pub meaning: &'static str,
}

/// The unit of a metric, written as CloudWatch writes it (AWS, `MetricDatum`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// How many.
    Count,
    /// How long, in thousandths of a second.
    Milliseconds,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal, $unit:ident, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $constant: Metric =
            Metric { name: $name, unit: Unit::$unit, meaning: $meaning };)*
        /// Every metric, for documentation and dashboards.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    ROWS_READ = "RowsRead", Count, "Inventory rows read.";
    ROWS_REFUSED = "RowsRefused", Count, "Inventory rows that could not be read.";
    BUILDS_FOUND = "BuildsFound", Count, "Rows or events that name a build archive.";
    RECORDS_READ = "RecordsRead", Count, "Records read from the store to know what it has.";
    RECORDS_UNCHANGED = "RecordsUnchanged", Count, "Archives whose record was already as it should be.";
    RECORDS_CREATED = "RecordsCreated", Count, "Records written that the store did not have.";
    RECORDS_UPDATED = "RecordsUpdated", Count, "Records written over an older one.";
    RECORDS_REFUSED = "RecordsRefused", Count, "Records that the store's schema or our checks refused.";
    RECORDS_LOST = "RecordsLost", Count, "Records the store acknowledged that were not there when read back.";
    METADATA_REQUESTS = "MetadataRequests", Count, "Requests to the archive for metadata.";
    METADATA_MISSING = "MetadataMissing", Count, "Archives whose metadata is not there yet.";
    EVENTS_RECEIVED = "EventsReceived", Count, "Events about objects that came, and messages that could not be read.";
    EVENTS_IGNORED = "EventsIgnored", Count, "Events of objects that are no builds, or of changes of no concern.";
    EVENTS_RETRIED = "EventsRetried", Count, "Events that are to come again: something could not be asked, or seen yet.";
    EVENTS_REFUSED = "EventsRefused", Count, "Events that can never be handled, each with its reason in the log.";
    RECORDS_REMOVED = "RecordsRemoved", Count, "Records removed with their archives.";
    ARCHIVE_REQUESTS = "ArchiveRequests", Count, "Requests to the archive for events.";
    EVENT_DELAY = "EventDelay", Milliseconds, "From an event to its handling; the longest of an invocation.";
    RUNS_UNFINISHED = "RunsUnfinished", Count, "1 when a run's time was over before its end, else 0.";
    FAULTS = "Faults", Count, "Things that could not be done, each with its reason in the log.";
    GAPS = "Gaps", Count, "Builds older than an hour, listed by the inventory, of which the store has no record.";
    PARTS_DONE = "PartsDone", Count, "Parts of an inventory that workers came to the end of.";
    PARTS_FAILED = "PartsFailed", Count, "Parts of an inventory that could not be read or brought in.";
    BATCHES_DONE = "BatchesDone", Count, "Batches of records that were written.";
    STEPS_FAILED = "StepsFailed", Count, "Steps of a spread run that failed and come again.";
    HOPS_EXCEEDED = "HopsExceeded", Count, "Parts given up because too many invocations worked on them.";
    ARCHIVES_REDIRECTED = "ArchivesRedirected", Count, "Requests for a source archive that was there.";
    ARCHIVES_BEGUN = "ArchivesBegun", Count, "Requests for a source archive that made its task.";
    ARCHIVES_UNSENT = "ArchivesUnsent", Count, "Tasks whose message could not be sent when they were made; the sweep sends it.";
    ARCHIVES_WAITED_FOR = "ArchivesWaitedFor", Count, "Requests for a source archive that is being made, or how far it is.";
    ARCHIVES_REMEMBERED = "ArchivesRemembered", Count, "Requests for a source archive that its source was seen not to have.";
    ARCHIVES_REFUSED = "ArchivesRefused", Count, "Requests that ask for nothing there can be.";
    ARCHIVES_UNAVAILABLE = "ArchivesUnavailable", Count, "Requests that could not be answered: no region, or no task's folder, could be asked.";
    REQUESTS_ANSWERED = "RequestsAnswered", Count, "Requests that self-serve answered, or took up.";
    REQUESTS_DENIED = "RequestsDenied", Count, "Requests to self-serve of whom it does not know, or of who may not do that.";
    REQUESTS_REFUSED = "RequestsRefused", Count, "Requests to self-serve that ask for nothing there can be.";
    REQUESTS_UNAVAILABLE = "RequestsUnavailable", Count, "Requests that self-serve could not answer: store, build system or branches could not be asked.";
    ANSWER_DURATION = "AnswerDuration", Milliseconds, "Answering a request of an API.";
    RUN_DURATION = "RunDuration", Milliseconds, "A catch-up run, from its start to its report.";
    FETCH_EXISTING_DURATION = "FetchExistingDuration", Milliseconds, "Bringing the index of known records up to date.";
    PUBLISH_DURATION = "PublishDuration", Milliseconds, "Writing records to the store.";
    ARCHIVES_COPIED = "ArchivesCopied", Count, "Source archives brought from their source into S3.";
    ARCHIVE_BYTES = "ArchiveBytes", Count, "Bytes of the source archives that were brought into S3.";
    ARCHIVES_REPAIRED = "ArchivesRepaired", Count, "Source archives that every region has again.";
    ARCHIVES_INCOMPLETE = "ArchivesIncomplete", Count, "Source archives that a region lacks after a worker's try.";
    ARCHIVES_FAILED = "ArchivesFailed", Count, "Source archives that will not be: their source has none, or gives none that is whole.";
    ARCHIVES_RETRIED = "ArchivesRetried", Count, "Source archives that did not come this time, and are tried again.";
    LEASES_LOST = "LeasesLost", Count, "Workers that found another at their task, and stopped.";
    COPY_DURATION = "CopyDuration", Milliseconds, "Bringing a source archive into S3; the longest of an invocation.";
    TASKS_SEEN = "TasksSeen", Count, "Tasks of the archiver that a turn of the sweeper saw.";
    TASKS_SENT_AGAIN = "TasksSentAgain", Count, "Tasks that nobody worked on, and whose messages were sent again.";
    REPAIRS_SENT = "RepairsSent", Count, "Tasks sent again because a region lacks the archive.";
    TASKS_GIVEN_UP = "TasksGivenUp", Count, "Tasks that no worker took, however often they were sent.";
    UPLOADS_SWEPT = "UploadsSwept", Count, "Uploads and hidden objects of dead workers that were removed.";
    ENVIRONMENTS_PLANNED = "EnvironmentsPlanned", Count, "Definitions of environments that became a message of the queue.";
    ENVIRONMENTS_BUILT = "EnvironmentsBuilt", Count, "Environments that were built and published, since their lock was new.";
    ENVIRONMENTS_UNCHANGED = "EnvironmentsUnchanged", Count, "Environments of which all was published already.";
    ENVIRONMENTS_RELABELLED = "EnvironmentsRelabelled", Count, "Environments that were published already and changed their labels.";
    ENVIRONMENTS_FAILED = "EnvironmentsFailed", Count, "Environments that cannot be published, each with its reason in the log.";
    ENVIRONMENTS_RETRIED = "EnvironmentsRetried", Count, "Environments that were not published this time, and are tried again.";
    ENVIRONMENT_BYTES = "EnvironmentBytes", Count, "Bytes of the archives of environments that were built.";
    ENVIRONMENT_DURATION = "EnvironmentDuration", Milliseconds, "Resolving, building and publishing an environment.";
    JOBS_DONE = "JobsDone", Count, "Jobs of self-serve that were carried out.";
    JOBS_FAILED = "JobsFailed", Count, "Jobs of self-serve that ended with something that cannot be done.";
    JOBS_RETRIED = "JobsRetried", Count, "Jobs of self-serve that were not carried out this time, and are tried again.";
    JOBS_OPEN = "JobsOpen", Count, "Jobs of self-serve that a turn of the sweep saw open.";
    JOBS_SENT_AGAIN = "JobsSentAgain", Count, "Open jobs of self-serve whose messages were sent again.";
    JOBS_GIVEN_UP = "JobsGivenUp", Count, "Jobs of self-serve that nobody could carry out within a day.";
    JOB_DELAY = "JobDelay", Milliseconds, "From asking for a job of self-serve to its end; the longest of an invocation.";
    REQUESTS_CORRECTED = "RequestsCorrected", Count, "Requests that no event told of rightly, brought up to date by a sweep.";
}

/// The numbers of one run or invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    function: String,
    values: BTreeMap<&'static str, (Unit, Number)>,
    properties: Map<String, Value>,
}

impl Metrics {
    /// No numbers yet, of a function.
    pub fn new(function: impl Into<String>) -> Self {
        Self { function: function.into(), values: BTreeMap::new(), properties: Map::new() }
    }

    /// Adds to a counter. Adding nothing makes it show as 0, which an alarm can tell from no news.
    pub fn count(&mut self, metric: &Metric, more: u64) {
        let so_far = self.values.get(metric.name).and_then(|(_, value)| value.as_u64()).unwrap_or(0);
        self.values.insert(metric.name, (metric.unit, so_far.saturating_add(more).into()));
    }

    /// Sets how long something took, in whole milliseconds.
    pub fn duration(&mut self, metric: &Metric, took: Duration) {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.values.insert(metric.name, (metric.unit, milliseconds.into()));
    }

    /// Adds a field that is no metric, to be found again in the log: a request's id, an inventory's folder.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }

    /// One line of JSON, without the newline (AWS, "Specification: Embedded metric format").
    pub fn to_line(&self, at: Timestamp) -> String {
        // Metrics come last, so that a property cannot take the place of one.
        let mut root = self.properties.clone();
        let known = self.values.iter().map(|(name, (unit, _))| Definition { name, unit: *unit });
        let directive = Directive { namespace: NAMESPACE, dimensions: [[DIMENSION]], metrics: known.collect() };
        root.insert("_aws".to_owned(), metadata(at, &directive));
        root.insert(DIMENSION.to_owned(), self.function.clone().into());
        root.extend(self.values.iter().map(|(name, (_, value))| ((*name).to_owned(), value.clone().into())));
        Value::Object(root).to_string()
    }

    /// Writes the line to standard output, where Lambda's log takes it from. Where that fails there are no numbers, and the
    /// work is done all the same.
    pub fn emit(&self, at: Timestamp) {
        if let Err(error) = self.write(at, &mut io::stdout()) {
            tracing::warn!(%error, "the metrics cannot be written");
        }
    }

    /// Writes the line.
    pub fn write(&self, at: Timestamp, writer: &mut impl Write) -> io::Result<()> {
        writeln!(writer, "{}", self.to_line(at))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: [[&'static str; 1]; 1],
    metrics: Vec<Definition<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition<'a> {
    name: &'a str,
    unit: Unit,
}

fn metadata(at: Timestamp, directive: &Directive<'_>) -> Value {
    serde_json::json!({ "Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(metrics: &Metrics) -> Value {
        let mut written = Vec::new();
        metrics.write(Timestamp::from_millisecond(1_700_000_000_123).unwrap(), &mut written).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "one line: {text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_is_what_the_specification_of_the_embedded_metric_format_asks_for() {
        let mut metrics = Metrics::new("s3-inventory").with("requestId", "8476a536");
        metrics.count(&RECORDS_CREATED, 2);
        metrics.count(&RECORDS_CREATED, 3);
        metrics.duration(&RUN_DURATION, Duration::from_micros(1_234_567));
        let expected = serde_json::json!({
            "_aws": {
                "Timestamp": 1_700_000_000_123_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "Buildhub",
                    "Dimensions": [["Function"]],
                    "Metrics": [
                        { "Name": "RecordsCreated", "Unit": "Count" },
                        { "Name": "RunDuration", "Unit": "Milliseconds" }
                    ]
                }]
            },
            "Function": "s3-inventory",
            "RecordsCreated": 5,
            "RunDuration": 1234,
            "requestId": "8476a536"
        });
        assert_eq!(line(&metrics), expected);
    }

    #[test]
    fn a_counter_of_nothing_shows_as_zero() {
        let mut metrics = Metrics::new("s3-inventory");
        metrics.count(&RECORDS_REFUSED, 0);
        assert_eq!(line(&metrics)["RecordsRefused"], 0);
    }

    #[test]
    fn a_property_cannot_take_a_metrics_place() {
        let mut metrics = Metrics::new("s3-inventory").with("_aws", 1).with("RowsRead", "many");
        metrics.count(&ROWS_READ, 7);
        let line = line(&metrics);
        assert_eq!(line["RowsRead"], 7);
        assert!(line["_aws"].is_object());
    }

    /// Limits of the specification: at most 100 metrics in a directive, names of 1 to 1024 characters.
    #[test]
    fn the_metrics_are_distinct_and_within_the_formats_limits() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.len() <= 100);
        for metric in ALL {
            assert!(metric.name.chars().all(|c| c.is_ascii_alphabetic()), "{}", metric.name);
            let is_a_time = ["Duration", "Delay"].iter().any(|end| metric.name.ends_with(end));
            assert_eq!(is_a_time, metric.unit == Unit::Milliseconds, "{}", metric.name);
        }
    }
}
