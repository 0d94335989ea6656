//! An archive, into a file or to standard output.

use std::fmt;
use std::io::{Seek as _, SeekFrom, Stdout, Write as _};
use std::path::{Path, PathBuf};

use buildhub_archiver::request::Suffix;
use buildhub_archiver::verify::{Check, Expected, Whole};
use buildhub_http::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, RANGE};
use buildhub_http::{Repeat, Request, StatusCode, Streamed, Url};
use indicatif::ProgressBar;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::ArchiveError;
use super::ask::{Answer, Archiver, Wanted};

/// How often a download that breaks off is gone on with.
const ATTEMPTS: u32 = 5;

/// The header in which an object has its hash.
const HASH: &str = "x-amz-meta-sha256";

/// Where an archive goes.
pub(super) enum Target {
    Output,
    File(PathBuf),
}

/// What was downloaded.
#[derive(Debug, Serialize)]
pub(super) struct Downloaded {
    file: String,
    size: u64,
    sha256: String,
    /// Whether the store knew the hash, and it is this one. That the archive is whole was seen in any case.
    verified: bool,
}

impl fmt::Display for Downloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, size, sha256, verified } = self;
        let checked =
            if *verified { "as the store has it" } else { "the store does not know it; the archive is whole" };
        write!(f, "{file}: {size} bytes, sha256 {sha256} ({checked})")
    }
}

impl Target {
    pub(super) fn named(name: &str) -> Self {
        if name == "-" { Self::Output } else { Self::File(name.into()) }
    }

    pub(super) fn is_output(&self) -> bool {
        matches!(self, Self::Output)
    }
}

/// Bytes on their way: into a file that is shown only when it is whole, or straight on.
enum Sink {
    Output(Stdout),
    File(NamedTempFile),
}

struct Progress {
    sink: Sink,
    size: u64,
    check: Check,
    suffix: Suffix,
}

/// A file that whoever may read others may read, in the folder where it is to be shown.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".buildhub-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

impl Progress {
    fn new(target: &Target, suffix: Suffix) -> std::io::Result<Self> {
        let sink = match target {
            Target::Output => Sink::Output(std::io::stdout()),
            Target::File(path) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                Sink::File(temporary(folder)?)
            }
        };
        Ok(Self { sink, size: 0, check: Check::new(suffix), suffix })
    }

    /// What is damaged is not written.
    fn write(&mut self, bytes: &[u8], path: &str) -> Result<(), ArchiveError> {
        self.check.push(bytes)?;
        let written = match &mut self.sink {
            Sink::Output(output) => output.write_all(bytes),
            Sink::File(file) => file.write_all(bytes),
        };
        self.size += bytes.len() as u64;
        written.map_err(|source| ArchiveError::File { path: path.to_owned(), source })
    }

    /// Begins anew, where that can be done.
    fn restart(&mut self) -> Result<(), ArchiveError> {
        match &mut self.sink {
            _ if self.size == 0 => {}
            Sink::Output(_) => return Err(ArchiveError::Broken),
            Sink::File(file) => {
                let again = file.as_file().set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
                again.map_err(|source| ArchiveError::File { path: file.path().display().to_string(), source })?;
            }
        }
        (self.size, self.check) = (0, Check::new(self.suffix));
        Ok(())
    }
}

/// Downloads the archive at `url`. When it breaks off, the archiver is asked for another address, for the first is good
/// for some minutes only, and the object is read from there on if it is still the same.
pub(super) async fn download(
    archiver: &Archiver,
    wanted: &Wanted,
    mut url: Url,
    target: &Target,
    bar: &ProgressBar,
) -> Result<Downloaded, ArchiveError> {
    let path = match target {
        Target::Output => "-".to_owned(),
        Target::File(path) => path.display().to_string(),
    };
    let file_error = |source| ArchiveError::File { path: path.clone(), source };
    let mut progress = Progress::new(target, wanted.suffix()).map_err(file_error)?;
    let mut etag = None;
    let mut attempt = 1;
    let headers = loop {
        let mut answer = open(archiver, &url, progress.size, etag.as_ref()).await?;
        if answer.status() != StatusCode::PARTIAL_CONTENT {
            progress.restart()?;
        }
        etag = answer.headers().get(ETAG).cloned();
        let fault = loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => progress.write(&bytes, &path)?,
                Ok(None) => break None,
                Err(error) if error.is_transient() && attempt < ATTEMPTS => break Some(error),
                Err(error) => return Err(error.into()),
            }
            bar.set_position(progress.size);
        };
        let Some(fault) = fault else { break answer.headers().clone() };
        tracing::warn!(%fault, bytes = progress.size, "the download broke off and is gone on with");
        archiver.http.back_off(attempt - 1).await;
        attempt += 1;
        if let Answer::There(next) = archiver.ask(wanted).await? {
            url = next;
        }
    };
    finish(progress, &headers, target, path)
}

/// Opens the object, from `offset` on where it is still the one it was.
async fn open(
    archiver: &Archiver,
    url: &Url,
    offset: u64,
    etag: Option<&HeaderValue>,
) -> Result<Streamed, ArchiveError> {
    let whole = Request::get(url.clone());
    let part = match (offset, etag) {
        (1.., Some(etag)) => HeaderValue::from_str(&format!("bytes={offset}-"))
            .ok()
            .map(|range| whole.clone().header(RANGE, range).header(IF_MATCH, etag.clone())),
        _ => None,
    };
    if let Some(part) = part {
        let answer = archiver.http.stream(&part, Repeat::Safe).await?;
        if matches!(answer.status(), StatusCode::PARTIAL_CONTENT | StatusCode::OK) {
            return Ok(answer);
        }
    }
    let answer = archiver.http.stream(&whole, Repeat::Safe).await?;
    match answer.status() {
        StatusCode::OK => Ok(answer),
        StatusCode::PARTIAL_CONTENT => Err(strange(url, "it sends a part, unasked")),
        _ => match answer.whole(LIMIT).await?.ok() {
            Err(error) => Err(error.into()),
            Ok(answer) => Err(strange(url, &format!("it says {}", answer.status))),
        },
    }
}

/// Without the query, which is as good as a password for some minutes.
fn strange(url: &Url, reason: &str) -> ArchiveError {
    let mut url = url.clone();
    url.set_query(None);
    ArchiveError::Strange { url: url.into(), reason: reason.to_owned() }
}

/// The most bytes of a fault.
const LIMIT: usize = 1 << 20;

/// Shows the file, if it is what the store has.
fn finish(progress: Progress, headers: &HeaderMap, target: &Target, path: String) -> Result<Downloaded, ArchiveError> {
    let Progress { sink, check, .. } = progress;
    let known = headers.get(HASH).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_known = known.is_some();
    let Whole { size, sha256 } = check.finish(&Expected { size: None, sha256: known })?;
    match (sink, target) {
        (Sink::File(file), Target::File(target)) => {
            file.persist(target).map_err(|error| ArchiveError::File { path: path.clone(), source: error.error })?;
        }
        (Sink::Output(mut output), _) => {
            output.flush().map_err(|source| ArchiveError::File { path: path.clone(), source })?;
        }
        (Sink::File(_), Target::Output) => {}
    }
    Ok(Downloaded { file: path, size, sha256, verified: is_known })
}
