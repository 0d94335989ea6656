//! Rows on one stream to records on another: no store, no cache, no end to wait for but a release's.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use buildhub_inventory::{Rows, Schema, csv_rows};
use futures::{Stream, StreamExt as _, pin_mut};

use crate::pipeline::{Feed, PipelineError, read_spools, resolve_all, route};
use crate::progress::{Progress, Stage};
use crate::report::{Builds, Read as ReadCounts, Report};
use crate::resolve::{Knowledge, Resolved, Resolver};
use crate::scan::{Learned, ScanError, Sieve};
use crate::settings::Selection;
use crate::spool::Spool;

/// Converts an inventory's rows to records, one `{"data": record}` a line.
#[derive(Debug)]
pub struct Convert {
    /// Makes the records.
    pub resolver: Arc<Resolver>,
    /// What of the objects is looked at.
    pub selection: Selection,
    /// Columns of the rows.
    pub schema: Schema,
    /// Where releases wait for the end of the input.
    pub temporary: PathBuf,
}

/// A conversion that was stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The input cannot be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Records cannot be made.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Whoever reads the output is gone, or its disk is full.
    #[error("cannot write the records: {0}")]
    Output(#[from] std::io::Error),
    /// The reading thread ended without an answer.
    #[error("the thread that read the input stopped: {0}")]
    Task(String),
}

/// What the reading thread leaves behind.
struct End {
    learned: Learned,
    read: ReadCounts,
    builds: Builds,
    spool: Spool,
    result: Result<(), ScanError>,
}

impl Convert {
    /// Reads `input` (CSV, or gzipped CSV) to its end and writes records to `output`. The report counts what was done,
    /// also when it was stopped.
    pub async fn run(
        self,
        input: impl Read + Send + 'static,
        output: &mut (dyn Write + Send),
        progress: Arc<dyn Progress>,
    ) -> (Report, Result<(), ConvertError>) {
        let began = Instant::now();
        let mut report = Report::default();
        progress.begin(Stage::Inventory, None);
        let library = Arc::clone(&self.resolver.library);
        let result = self.steps(input, output, &mut report, Arc::clone(&progress)).await;
        progress.end();
        report.metadata = library.counts();
        report.complete = result.is_ok();
        report.seconds.total = began.elapsed().as_secs_f64();
        (report, result)
    }

    async fn steps(
        self,
        input: impl Read + Send + 'static,
        output: &mut (dyn Write + Send),
        report: &mut Report,
        progress: Arc<dyn Progress>,
    ) -> Result<(), ConvertError> {
        let spool = Spool::new(&self.temporary).map_err(ScanError::from)?;
        let rows = csv_rows(input, &self.schema, "standard input");
        let (feed, chunks) = Feed::new();
        let (selection, url) = (self.selection, self.resolver.download_url.clone());
        let reading = tokio::task::spawn_blocking(move || read(rows, &selection, &url, feed, spool, &*progress));
        // Candidates and nightlies say in their own keys where their metadata lies: they go ahead.
        let results = resolve_all(Arc::clone(&self.resolver), Arc::default(), chunks);
        let written = write_all(results, output, report).await;
        let End { learned, read, builds, spool, result } =
            reading.await.map_err(|stopped| ConvertError::Task(stopped.to_string()))?;
        report.read.add(&read);
        report.builds.add(&builds);
        report.judge_rows();
        written?;
        result?;
        let knowledge = Knowledge { learned, complete: false };
        let results = resolve_all(self.resolver, Arc::new(knowledge), read_spools(vec![spool]));
        write_all(results, output, report).await?;
        Ok(output.flush()?)
    }
}

fn read(
    mut rows: impl Rows,
    selection: &Selection,
    download_url: &str,
    mut feed: Feed,
    mut spool: Spool,
    progress: &dyn Progress,
) -> End {
    let mut sieve = Sieve::new(selection, download_url, None);
    let sifted = sieve.sift(&mut rows, progress, &|| false, &mut |news| route(news, &mut feed, &mut spool));
    let result = sifted.and_then(|_| feed.flush());
    End { learned: sieve.learned, read: sieve.read, builds: sieve.builds, spool, result }
}

async fn write_all(
    results: impl Stream<Item = Result<(u64, Resolved), PipelineError>>,
    output: &mut (dyn Write + Send),
    report: &mut Report,
) -> Result<(), ConvertError> {
    pin_mut!(results);
    while let Some(result) = results.next().await {
        let (_, mut resolved) = result?;
        report.add_resolved(&mut resolved);
        report.records += resolved.ready.len() as u64;
        for ready in &resolved.ready {
            output.write_all(b"{\"data\":")?;
            output.write_all(ready.json.get().as_bytes())?;
            output.write_all(b"}\n")?;
        }
    }
    Ok(())
}
