//! An archive brought from its source.

use std::time::Duration;

use buildhub_http::Url;
use jiff::Timestamp;
use tokio::time::Instant;

use super::end::missing;
use super::{Job, Looks, Outcome, WorkError};
use crate::copy::{self, Checkpoint, Control, Copied, CopyError, Ended, Plan, RegionEnd};
use crate::fetch::{Fault, FetchError, Fetcher, Opened, Rest};
use crate::request::Suffix;
use crate::task::{FailureCode, Pause, Place, Task};
use crate::verify::Expected;

/// Time kept back from reading: to put together what was read, to write the result, and to send a message. A quarter of
/// the time, where that is less.
const MARGIN: Duration = Duration::from_secs(90);
/// Time kept back of that, to write the result: a quarter of it, where that is less.
const RESERVE: Duration = Duration::from_secs(15);
/// How long a copy that was told to stop may take to clear up.
const STOPPING: Duration = Duration::from_secs(20);
/// The metadata that an archive's address at its source is in, where that is not too long: 2 KB are all that an object has
/// for metadata (AWS, "Working with object metadata"), and its hash is among it.
const SOURCE: &str = "source";
const SOURCE_MAX: usize = 1900;

impl Job<'_> {
    /// Reads the archive from its source, from the beginning or where the last worker left off, into every region that
    /// answers.
    pub(super) async fn bring(&mut self, looks: Looks) -> Result<Outcome, WorkError> {
        let subject = self.task().subject.clone();
        let Some(fetcher) = self.worker.sources.get(&subject.source) else {
            return self.unusable(format!("no source is called {}", subject.source)).await;
        };
        let (url, suffix) = match (Url::parse(&subject.url), subject.suffix.parse::<Suffix>()) {
            (Ok(url), Ok(suffix)) => (url, suffix),
            (Err(error), _) => return self.unusable(format!("{}: {error}", subject.url)).await,
            (_, Err(error)) => return self.unusable(error.to_string()).await,
        };
        let pause = self.task().pause.clone();
        let nothing = Control::default();
        let margin = self.margin();
        let deadline = self.deadline;
        let opening = async { deadline.allow(margin, open(fetcher, &url, suffix, pause.as_ref())).await };
        let opened = match self.beating(opening, &nothing).await {
            None => return Ok(Outcome::Lost),
            Some(None) => {
                let reason = format!("{url} gave no answer in the time that there was");
                return self.postpone(FailureCode::SourceUnavailable, reason, None).await;
            }
            Some(Some(Err(error))) => return self.unopened(error).await,
            Some(Some(Ok(opened))) => opened,
        };
        self.copy(looks, opened, &url, suffix, pause).await
    }

    async fn copy(
        &mut self,
        looks: Looks,
        opened: Opened,
        url: &Url,
        suffix: Suffix,
        pause: Option<Pause>,
    ) -> Result<Outcome, WorkError> {
        let mut headers = opened.headers;
        if url.as_str().len() <= SOURCE_MAX {
            headers.metadata.insert(SOURCE.to_owned(), url.to_string());
        }
        let staging = pause.as_ref().map_or_else(|| self.staging(), |pause| pause.staging.clone());
        let plan = Plan {
            key: self.task().subject.key.clone(),
            staging,
            suffix,
            expected: Expected { size: opened.size, sha256: None },
            headers,
            regions: looks.missing.clone(),
        };
        let control = self.control(opened.validator.is_some());
        let copying = Box::pin(async {
            match pause {
                Some(pause) => copy::resume(opened.body, &plan, pause.copied, &control).await,
                None => copy::copy(opened.body, &plan, &control).await,
            }
        });
        let Some(ended) = self.beating(copying, &control).await else { return Ok(Outcome::Lost) };
        match ended {
            Ok(Ended::Copied(copied)) => {
                let mut all = looks.places();
                all.extend(places(&copied));
                let (bytes, missing) = (copied.whole.size, missing(&all));
                let known = (bytes, Some(copied.whole.sha256));
                self.succeed(known, all, Outcome::Copied { bytes, missing }).await
            }
            Ok(Ended::Paused(checkpoint)) => {
                let bytes = checkpoint.bytes;
                let pause = paused(checkpoint, opened.validator, plan.staging);
                let ended = self.end(pause, Outcome::Paused { bytes }).await?;
                if ended != Outcome::Lost {
                    self.send(Duration::ZERO).await;
                }
                Ok(ended)
            }
            Ok(Ended::BrokenOff(checkpoint, error)) => {
                let pause = paused(checkpoint, opened.validator, plan.staging);
                let (code, reason) = (FailureCode::SourceDamaged, error.to_string());
                let (wait, memory) = (self.wait(None), self.worker.memory);
                let next = |task: &Task, now| pause(task, now).postponed(code, &reason, wait, memory, now);
                self.again(next, code, &reason, wait).await
            }
            Err(error) => self.uncopied(error).await,
        }
    }

    /// What comes of an archive that was begun.
    async fn uncopied(&mut self, error: CopyError) -> Result<Outcome, WorkError> {
        match error {
            CopyError::Source(error) => self.unread(error, self.task().pause.is_some()).await,
            CopyError::Damaged(_) => self.retry(FailureCode::SourceDamaged, error.to_string(), None).await,
            CopyError::Regions { reasons } => self.untaken("no region took it", &reasons).await,
            CopyError::Stopped => Ok(Outcome::Lost),
            // Its reading had not the time that a worker has: the source took long to answer at all.
            CopyError::OutOfTime { bytes, took } if self.had.is_some_and(|had| took < had / 2) => {
                self.retry(FailureCode::SourceUnavailable, late(bytes, took), None).await
            }
            CopyError::OutOfTime { bytes, took } => self.fail(FailureCode::SourceTooSlow, too_slow(bytes, took)).await,
            CopyError::Broken(_) => self.retry(FailureCode::WorkersLost, error.to_string(), None).await,
        }
    }

    /// What comes of an archive whose source does not begin to answer. What the regions have of it is as good as before.
    async fn unopened(&mut self, error: FetchError) -> Result<Outcome, WorkError> {
        match error.fault {
            Fault::Transient { retry_after, .. } => {
                self.postpone(FailureCode::SourceUnavailable, error.to_string(), retry_after).await
            }
            _ => self.unread(error, self.task().pause.is_some()).await,
        }
    }

    /// What comes of an archive that cannot be read.
    async fn unread(&mut self, error: FetchError, was_paused: bool) -> Result<Outcome, WorkError> {
        let said = error.to_string();
        match error.fault {
            Fault::Transient { retry_after, .. } => self.retry(FailureCode::SourceUnavailable, said, retry_after).await,
            // What the regions have of it is of no use any more; what was left is the sweeper's.
            Fault::Truncated { .. } | Fault::Changed => self.retry(FailureCode::SourceDamaged, said, None).await,
            Fault::NotFound { .. } if was_paused => self.retry(FailureCode::SourceDamaged, said, None).await,
            Fault::NotFound { .. } => self.fail(FailureCode::SourceNotFound, said).await,
            Fault::TooLarge { .. } => self.fail(FailureCode::SourceTooLarge, said).await,
            Fault::TooSlow { .. } => self.fail(FailureCode::SourceTooSlow, said).await,
            Fault::Permanent { .. } | Fault::WrongType { .. } | Fault::Refused { .. } => {
                self.fail(FailureCode::SourceError, said).await
            }
        }
    }

    /// The reins of a copy that reads no longer than there is time.
    pub(super) fn control(&self, may_pause: bool) -> Control {
        let (margin, now) = (self.margin(), Instant::now());
        match self.deadline.remaining() {
            Some(left) => {
                let reserve = RESERVE.min(margin / 4);
                Control::until(now + left.saturating_sub(margin), now + left.saturating_sub(reserve), may_pause)
            }
            None => Control::unhurried(may_pause),
        }
    }

    fn margin(&self) -> Duration {
        self.deadline.remaining().map_or(MARGIN, |left| MARGIN.min(left / 4))
    }

    /// Does something while the lease is renewed. `None` when the lease was lost: then it was stopped.
    pub(super) async fn beating<T>(&mut self, work: impl Future<Output = T>, control: &Control) -> Option<T> {
        let (every, clock) = (self.worker.beat, self.clock);
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = self.hold.keep(every, clock, || control.bytes()) => {}
        }
        tracing::warn!(task = self.task().id, "the lease is another's: this worker stops");
        control.stop();
        // It clears up; what it does not come to is the other's.
        let _cleared = tokio::time::timeout(STOPPING, work).await;
        None
    }
}

async fn open(fetcher: &Fetcher, url: &Url, suffix: Suffix, pause: Option<&Pause>) -> Result<Opened, FetchError> {
    match pause {
        Some(pause) => {
            // Of an archive that was read to its end the last byte is asked for: whether it is the same, and what it is
            // served with.
            let from = pause.copied.bytes.saturating_sub(u64::from(pause.copied.is_all));
            let rest = Rest { from, validator: pause.validator.clone() };
            fetcher.resume(url, suffix, &rest).await
        }
        None => fetcher.open(url, suffix).await,
    }
}

/// A task that another goes on with.
fn paused(copied: Checkpoint, validator: Option<String>, staging: String) -> impl Fn(&Task, Timestamp) -> Task {
    let validator = validator.unwrap_or_default();
    move |task, now| task.paused(copied.clone(), validator.clone(), staging.clone(), now)
}

/// What a copy says of each region.
pub(super) fn places(copied: &Copied) -> impl Iterator<Item = (String, Place)> {
    copied.regions.iter().map(|copied| {
        let place = match &copied.end {
            RegionEnd::Done | RegionEnd::Exists => Place::Done,
            RegionEnd::Failed(reason) => Place::Missing(reason.clone()),
        };
        (copied.region.clone(), place)
    })
}

/// What was reached in the time that was left.
fn late(bytes: u64, took: Duration) -> String {
    let seconds = took.as_secs();
    format!("the source was so late to answer that {seconds} s were left to read it in, and {bytes} bytes came")
}

/// What was reached, and what would have been.
fn too_slow(bytes: u64, took: Duration) -> String {
    let seconds = took.as_secs().max(1);
    let speed = bytes / seconds;
    format!(
        "the source is too slow for a worker's time: {bytes} bytes came in {seconds} s ({speed} bytes a second), and \
         another cannot go on from there. At that speed an archive of up to {bytes} bytes fits; `buildhub serve` has no \
         such limit"
    )
}
