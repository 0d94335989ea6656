//! Crash reports arrive at a Sentry server, here one that keeps what it is sent.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use buildhub_core::Variables;
use buildhub_core::telemetry::{LogFormat, Telemetry, TelemetrySettings};

/// Answers every request on a free port, and hands on the bodies.
fn sentry_server() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://key@{}/42", listener.local_addr().unwrap());
    let (sender, bodies) = channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut reader = BufReader::new(connection.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            let _ = sender.send(String::from_utf8_lossy(&body).into_owned());
        }
    });
    (dsn, bodies)
}

#[derive(Debug, thiserror::Error)]
#[error("the run stopped")]
struct Stopped(#[source] std::io::Error);

#[test]
fn a_panic_and_an_error_with_its_source_arrive_before_anything_else_happens() {
    let (dsn, bodies) = sentry_server();
    let variables = Variables::default().with("SENTRY_DSN", dsn);
    let settings = TelemetrySettings::from_variables(&variables, LogFormat::Human).unwrap();
    let telemetry = Telemetry::start(&settings).unwrap();

    // The reports are already there when the panic has unwound: a frozen function would send nothing more.
    std::thread::spawn(|| panic!("the handler fell over")).join().unwrap_err();
    let report = bodies.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(report.contains("the handler fell over"), "{report}");
    assert!(report.contains(r#""level":"fatal""#), "{report}");

    telemetry.report(&Stopped(std::io::Error::other("the disk is full")));
    let report = bodies.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(report.contains("the run stopped") && report.contains("the disk is full"), "{report}");
    drop(telemetry);
}
