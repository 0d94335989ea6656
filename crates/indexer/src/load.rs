//! Records on a stream into the store: what is there already is not sent.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::Instant;

use buildhub_releases::Record;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::caches::Caches;
use crate::connect::Target;
use crate::progress::{Progress, Stage};
use crate::ready::Ready;
use crate::report::Report;
use crate::target::TargetError;

/// The longest line that is read: a record has about a kilobyte.
const MAX_LINE: u64 = 1 << 20;

/// Lines read ahead of the store.
const WAITING: usize = 1_000;

/// Loads records from lines of `{"data": record}`.
#[derive(Debug)]
pub struct Load {
    /// Where to.
    pub target: Target,
    /// What is kept between runs.
    pub caches: Caches,
    /// Whether every record is sent, also those the store has.
    pub send_all: bool,
}

/// A load that was stopped before its end. What was acknowledged until then stays.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The store does not take it.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The input cannot be read.
    #[error("cannot read the records: {0}")]
    Input(std::io::Error),
}

/// A line of the input: a record, or why it is none.
type Line = Result<Ready, String>;

#[derive(Deserialize)]
struct Body {
    data: Record,
}

impl Load {
    /// Reads `input` to its end. The report counts what was done, also when it was stopped.
    pub async fn run(
        self,
        input: impl Read + Send + 'static,
        progress: Arc<dyn Progress>,
    ) -> (Report, Result<(), LineError>) {
        let began = Instant::now();
        let mut report = Report::default();
        let result = self.steps(input, &*progress, &mut report).await;
        report.complete = result.is_ok();
        report.seconds.total = began.elapsed().as_secs_f64();
        (report, result)
    }

    async fn steps(
        &self,
        input: impl Read + Send + 'static,
        progress: &dyn Progress,
        report: &mut Report,
    ) -> Result<(), LineError> {
        let index = self.target.open(&self.caches, progress, report).await?.index;
        let since = index.timestamp();
        let mut writer = self.target.writer(index).await?.sending_unchanged(self.send_all);
        let began = Instant::now();
        progress.begin(Stage::Records, None);
        let loaded = async {
            let (sender, mut lines) = mpsc::channel(WAITING);
            let reading = tokio::task::spawn_blocking(move || read_lines(input, &sender));
            while let Some(line) = lines.recv().await {
                report.records += 1;
                progress.advance(1);
                match line {
                    Ok(ready) => writer.offer(ready).await.map_err(TargetError::from)?,
                    Err(reason) => report.fault(reason),
                }
            }
            writer.flush().await.map_err(TargetError::from)?;
            match reading.await {
                Ok(read) => read.map_err(LineError::Input),
                Err(stopped) => Err(LineError::Input(std::io::Error::other(stopped))),
            }
        }
        .await;
        progress.end();
        report.seconds.records = began.elapsed().as_secs_f64();
        let mut index = writer.finish(report);
        // What a store acknowledged before it failed is found out by the next run.
        if !matches!(loaded, Err(LineError::Target(_))) && report.store.created + report.store.updated > 0 {
            self.target.prove(&mut index, since, &self.caches, progress, report).await?;
        }
        loaded
    }
}

/// Reads lines until the end or until nobody wants more.
fn read_lines(input: impl Read, sender: &mpsc::Sender<Line>) -> std::io::Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if (&mut input).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let is_long = line.len() as u64 == MAX_LINE && !line.ends_with(b"\n");
        if is_long {
            input.skip_until(b'\n')?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let read = if is_long {
            Err(format!("line {number} is longer than {MAX_LINE} bytes: it is no record"))
        } else {
            record(&line).map_err(|reason| format!("line {number} is no record: {reason}"))
        };
        if sender.blocking_send(read).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn record(line: &[u8]) -> Result<Ready, String> {
    let body: Body = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    Ready::new(&body.data).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &'static [u8]) -> Vec<Line> {
        let (sender, mut receiver) = mpsc::channel(100);
        read_lines(input, &sender).unwrap();
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv()).collect()
    }

    const RECORD: &[u8] = br#"{"data":{"id":"a","source":{"product":"firefox"},"target":{"platform":"win32","os":"win","locale":"fr","version":"60.0","channel":"release"},"download":{"url":"https://a/b.exe","mimetype":"x/y","size":1,"date":"2018-01-01T00:00:00Z"}}}
not json

{"data": {"id": 5}}
"#;

    #[test]
    fn a_line_that_is_no_record_is_named_and_the_others_are_read() {
        let lines = read(RECORD);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].as_ref().unwrap().id, "a");
        assert!(lines[1].as_ref().unwrap_err().starts_with("line 2 is no record"));
        assert!(lines[2].as_ref().unwrap_err().starts_with("line 4 is no record"));
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let long = std::io::repeat(b'x').take(5 * MAX_LINE).chain(&b"\n"[..]).chain(RECORD);
        let (sender, mut receiver) = mpsc::channel(100);
        read_lines(long, &sender).unwrap();
        drop(sender);
        assert!(receiver.blocking_recv().unwrap().unwrap_err().starts_with("line 1 is longer"));
        assert_eq!(receiver.blocking_recv().unwrap().unwrap().id, "a");
    }
}
