//! Crash reports arrive at a Sentry server, here one that keeps what it is sent.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use buildhub_core::Variables;
use buildhub_core::telemetry::{LogFormat, Telemetry, TelemetrySettings};
use buildhub_testkit::sentry::SentryServer;

#[derive(Debug, thiserror::Error)]
#[error("the run stopped")]
struct Stopped(#[source] std::io::Error);

// Reporting waits for the delivery, so the server needs a thread beside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_and_an_error_with_its_source_arrive_before_anything_else_happens() {
    let sentry = SentryServer::start().await.unwrap();
    let variables = Variables::default().with("SENTRY_DSN", sentry.dsn("key"));
    let settings = TelemetrySettings::from_variables(&variables, LogFormat::Human).unwrap();
    let telemetry = Telemetry::start(&settings).unwrap();

    // The reports are already there when the panic has unwound: a frozen function would send nothing more.
    std::thread::spawn(|| panic!("the handler fell over")).join().unwrap_err();
    let reports = sentry.envelopes();
    let report = reports.iter().find(|report| report.contains("the handler fell over"));
    assert!(report.is_some_and(|report| report.contains(r#""level":"fatal""#)), "{reports:?}");

    telemetry.report(&Stopped(std::io::Error::other("the disk is full")));
    let reports = sentry.envelopes();
    let is_whole = |report: &String| report.contains("the run stopped") && report.contains("the disk is full");
    assert!(reports.iter().any(is_whole), "{reports:?}");
    drop(telemetry);
}
