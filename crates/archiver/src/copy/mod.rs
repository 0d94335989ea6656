//! One stream into the buckets of many regions.
//!
//! The source is read once. Each part of it, of [`PART`] bytes, goes to every region and through the check at the same
//! time, and is let go when the last of them has it; the source is read on when there is room for another. A region that
//! fails is left out, and the others go on.
//!
//! What can be seen is whole, and carries its hash. The metadata of an object in parts is fixed when it is begun, before
//! the hash is known. So the parts become an object by a hidden key first, and when all of it was found right the bucket
//! copies that to the key that was asked for, with everything it is served with, on condition that there is none. No byte
//! comes by here a second time. What fits into one part is written at once.
//!
//! ```text
//! source ─► parts ─┬─► region 1: .incoming/… ─┐            ┌─► copied within the bucket to its key, if there is none
//!                  ├─► region 2: .incoming/… ─┼─► whole? ──┤
//!                  └─► check ─────────────────┘            └─► aborted everywhere
//! ```

mod checking;
mod control;
mod end;
mod parts;
mod publish;
mod show;
mod uploads;
mod window;

use std::time::Duration;

use buildhub_core::store::{ObjectHeaders, PARTS_MAX};

pub use control::Control;
pub use end::{Checkpoint, Copied, CopyError, Ended, RegionCopied, RegionEnd, Staged};

use crate::fetch::Body;
use crate::regions::Region;
use crate::request::Suffix;
use crate::verify::Expected;
use checking::Checking;
use parts::{Next, Parts, TICK};
use uploads::{Sent, Uploads};

/// Bytes of a part.
pub const PART: usize = 8 << 20;

/// The most bytes of an archive: as many parts as an upload may have. 78 GiB.
pub const LARGEST: u64 = PART as u64 * PARTS_MAX as u64;

/// The metadata that an archive's SHA-256 is in, in hexadecimal digits.
pub const SHA256: &str = "sha256";

/// What is to be copied to where.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The key that the archive is to have.
    pub key: String,
    /// The key by which a larger one is put together: nobody else's, and below [`INCOMING`].
    pub staging: String,
    /// What kind of archive it is.
    pub suffix: Suffix,
    /// What is known of it beforehand.
    pub expected: Expected,
    /// What it is served with. Its SHA-256 is added to the metadata.
    pub headers: ObjectHeaders,
    /// Where it is to be.
    pub regions: Vec<Region>,
}

/// Where archives are put together. What lies there for long is nobody's.
pub const INCOMING: &str = ".incoming/";

/// Copies an archive from its beginning.
///
/// Whatever fails, nothing of it can be seen afterwards and no upload of it is left, in so far as the buckets can be
/// reached: the rest is the sweeper's. The same is true of one that is stopped, but not of one that is dropped.
pub async fn copy(source: Body, plan: &Plan, control: &Control) -> Result<Ended, CopyError> {
    let mut parts = Parts::new(source, 0, control);
    // Whether there is a second one decides how it is written.
    let Next::Part(first) = parts.with_room().await? else { return Err(control.out_of_time()) };
    let second = match parts.with_room().await? {
        Next::Part(second) => second,
        Next::Pause if control.may_pause() => return paused_early(plan, &first, parts.whole_bytes()).await,
        Next::Pause | Next::Full => return Err(control.out_of_time()),
        Next::End => return Box::pin(publish::small(plan, &first, control)).await.map(Ended::Copied),
    };
    let mut uploads = Uploads::begin(plan);
    let check = Checking::start(plan.suffix);
    for part in [first, second] {
        // One that is damaged, or that nobody takes, shows with the next.
        check.send(&part);
        uploads.send(&part);
    }
    stream(parts, plan, control, uploads, Some(check)).await
}

/// Goes on with a copy that was paused. `rest` begins at [`Checkpoint::bytes`], and is not read where that is all. The
/// archive is checked when it is put together, by reading it from one of the regions; where no time is left for that, the
/// copy is paused once more.
pub async fn resume(rest: Body, plan: &Plan, checkpoint: Checkpoint, control: &Control) -> Result<Ended, CopyError> {
    if checkpoint.is_all {
        return checked(plan, &checkpoint, control).await;
    }
    let parts = Parts::new(rest, checkpoint.bytes, control);
    let uploads = Uploads::resume(plan, checkpoint);
    stream(parts, plan, control, uploads, None).await
}

/// Keeps the one part that came in time.
async fn paused_early(plan: &Plan, first: &window::Piece, bytes: u64) -> Result<Ended, CopyError> {
    let mut uploads = Uploads::begin(plan);
    uploads.send(first);
    let sent = uploads.finish().await;
    if sent.is_anywhere() {
        return Ok(Ended::Paused(sent.into_checkpoint(bytes)));
    }
    Err(CopyError::Regions { reasons: sent.reasons() })
}

/// Reads to the end, and shows what was read if it is whole.
async fn stream(
    mut parts: Parts<'_>,
    plan: &Plan,
    control: &Control,
    mut uploads: Uploads,
    check: Option<Checking>,
) -> Result<Ended, CopyError> {
    let was_resumed = check.is_none();
    let end = feed(&mut parts, &mut uploads, check.as_ref(), control.patience()).await;
    // The last bytes are checked while the last parts are sent.
    let checked = async {
        match (check, &end) {
            (Some(check), Ok(Fed::All)) => check.finish(&plan.expected).await.map(Some),
            _ => Ok(None),
        }
    };
    let (sent, checked) = tokio::join!(uploads.finish(), checked);
    let bytes = parts.whole_bytes();
    // Its room is wanted for what comes.
    drop(parts);
    let failed = match (end, checked) {
        (Ok(Fed::All), Ok(Some(whole))) => {
            return Box::pin(publish::large(plan, sent, whole, control)).await.map(Ended::Copied);
        }
        (Ok(Fed::All), Ok(None)) => return put_together(plan, sent, bytes, control).await,
        (Ok(Fed::Pause), Ok(_)) if control.may_pause() && sent.is_anywhere() => {
            return Ok(Ended::Paused(sent.into_checkpoint(bytes)));
        }
        // What came before it broke off is as good as before a pause.
        (Err(CopyError::Source(error)), Ok(_))
            if error.is_broken_off() && control.may_pause() && sent.is_anywhere() =>
        {
            return Ok(Ended::BrokenOff(sent.into_checkpoint(bytes), error));
        }
        (Ok(Fed::Pause), Ok(_)) => control.out_of_time(),
        (Ok(Fed::ToNobody), Ok(_)) => CopyError::Regions { reasons: sent.reasons() },
        // Another goes on where this one did: what the regions have is that one's.
        (Err(CopyError::Stopped), _) if was_resumed => return Err(CopyError::Stopped),
        (Err(error), _) | (_, Err(error)) => error,
    };
    sent.abort().await;
    Err(failed)
}

/// Shows what several workers read, if it is whole.
async fn put_together(plan: &Plan, sent: Sent, bytes: u64, control: &Control) -> Result<Ended, CopyError> {
    let staged = publish::together(&sent, control).await;
    let there: Vec<_> = staged.iter().filter(|(_, end)| end.is_ok()).map(|(region, _)| region.name.clone()).collect();
    if let Some(copied) = Box::pin(publish::read_back_and_show(plan, staged, control)).await? {
        return Ok(Ended::Copied(copied));
    }
    let mut checkpoint = Checkpoint { is_all: true, ..sent.into_checkpoint(bytes) };
    checkpoint.regions.retain(|staged| there.contains(&staged.region));
    Ok(Ended::Paused(checkpoint))
}

/// Shows what another had no time to check. Where this one has none either, nobody has.
async fn checked(plan: &Plan, checkpoint: &Checkpoint, control: &Control) -> Result<Ended, CopyError> {
    control.read(checkpoint.bytes);
    let is_there = |region: &&Region| checkpoint.regions.iter().any(|staged| staged.region == region.name);
    let staged = plan.regions.iter().filter(is_there).map(|region| (region, Ok(()))).collect();
    if let Some(copied) = Box::pin(publish::read_back_and_show(plan, staged, control)).await? {
        return Ok(Ended::Copied(copied));
    }
    publish::forget(plan).await;
    Err(control.out_of_time())
}

/// Why nothing more is read.
enum Fed {
    /// It is all there.
    All,
    /// The time is over.
    Pause,
    /// Every region has failed.
    ToNobody,
}

async fn feed(
    parts: &mut Parts<'_>,
    uploads: &mut Uploads,
    check: Option<&Checking>,
    patience: Duration,
) -> Result<Fed, CopyError> {
    loop {
        let part = match parts.next().await? {
            Next::Part(part) => part,
            Next::End => return Ok(Fed::All),
            Next::Pause => return Ok(Fed::Pause),
            Next::Full => {
                uploads.waited(TICK, patience);
                continue;
            }
        };
        if !uploads.send(&part) {
            return Ok(Fed::ToNobody);
        }
        // What is damaged is read no further; the check's end says how it is.
        if check.is_some_and(|check| !check.send(&part)) {
            return Ok(Fed::All);
        }
    }
}
