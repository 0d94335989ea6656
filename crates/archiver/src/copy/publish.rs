//! An archive that is whole, shown by its key.

use std::ops::Range;
use std::time::Duration;

use buildhub_core::store::{Created, ObjectHeaders, ObjectStore as _, Part, StoreError, StoreErrorKind, Upload};
use buildhub_http::Backoff;
use futures::future;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::checking::Checking;
use super::uploads::{Held, Sent, abort};
use super::window::Piece;
use super::{Control, Copied, CopyError, Plan, RegionCopied, RegionEnd, SHA256, parts};
use crate::fetch;
use crate::regions::Region;
use crate::verify::Whole;

/// Bytes that a bucket copies in one request, and such requests at the same time. Each is about as fast as one connection
/// to the bucket (AWS, "Performance design patterns for Amazon S3"), and nothing of it is in this machine's memory. Also a
/// server that copies a megabyte a second answers before it is taken for dead.
const RANGE: u64 = 32 << 20;
const AT_ONCE: usize = 8;
/// How often it is tried where another is writing the same at the same moment.
const ROUNDS: u32 = 5;
/// The waits between them.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
/// How long a region may take to say whether it has the archive, when its time is over.
const LOOK: Duration = Duration::from_secs(5);
const LATE: &str = "it was not through in the time that there was";

/// Shows an archive that is one part.
pub(super) async fn small(plan: &Plan, piece: &Piece, control: &Control) -> Result<Copied, CopyError> {
    let check = Checking::start(plan.suffix);
    check.send(piece);
    let whole = check.finish(&plan.expected).await?;
    let (headers, bytes) = (&headers(plan, &whole), &piece.bytes());
    let ends = plan.regions.iter().map(|region| async move {
        let write = in_rounds(region, &plan.key, || region.store.create_with(&plan.key, bytes.clone(), headers));
        (region, shown(control, region, plan, headers, Box::pin(write)).await)
    });
    copied(whole, future::join_all(ends).await)
}

/// Shows an archive of many parts that went by whole. Every region by itself: one that is slow, or hangs, keeps no other's
/// from being seen.
pub(super) async fn large(plan: &Plan, sent: Sent, whole: Whole, control: &Control) -> Result<Copied, CopyError> {
    let (headers, size) = (&headers(plan, &whole), whole.size);
    let ends = sent.0.iter().map(|(region, sent)| async move {
        let end = match sent {
            Ok(held) => {
                let show = Box::pin(show_held(region, held, plan, headers, size));
                shown(control, region, plan, headers, show).await
            }
            Err(reason) => Err(reason.clone()),
        };
        (region, end)
    });
    copied(whole, future::join_all(ends).await)
}

async fn show_held(
    region: &Region,
    (upload, parts): &Held,
    plan: &Plan,
    headers: &ObjectHeaders,
    size: u64,
) -> Result<Created, StoreError> {
    put_together(region, upload, parts).await?;
    show(region, plan, headers, size).await
}

/// Shows an archive of many parts of which only the rest went by: all of it is read back from a region first.
pub(super) async fn resumed(plan: &Plan, sent: Sent, control: &Control) -> Result<Copied, CopyError> {
    let ends = sent.0.iter().map(|(region, sent)| async move {
        let end = match sent {
            Ok((upload, parts)) => in_time(control, Box::pin(put_together(region, upload, parts))).await,
            Err(reason) => Err(reason.clone()),
        };
        (region, end)
    });
    let staged = future::join_all(ends).await;
    let read_back = control.to_the_end(read_back(plan, &staged)).await;
    let whole = match read_back.unwrap_or_else(|| Err(control.out_of_time())) {
        Ok(whole) => whole,
        Err(error) => {
            let there = staged.iter().filter(|(_, end)| end.is_ok());
            future::join_all(there.map(|(region, _)| tidy(region, &plan.staging))).await;
            return Err(error);
        }
    };
    let (headers, size) = (&headers(plan, &whole), whole.size);
    let ends = staged.into_iter().map(|(region, end)| async move {
        let end = match end {
            Ok(()) => shown(control, region, plan, headers, Box::pin(show(region, plan, headers, size))).await,
            Err(reason) => Err(reason),
        };
        (region, end)
    });
    copied(whole, future::join_all(ends).await)
}

/// What comes of a region's work, which has as long as there is. What is left of it then, the next worker clears away.
async fn in_time<T>(control: &Control, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match control.to_the_end(work).await {
        Some(end) => end.map_err(|error| error.to_string()),
        None => Err(LATE.to_owned()),
    }
}

/// The same of a region that was to show an archive. Where the time is over, the answer may be all that has not come: so it
/// is looked whether the archive is there.
async fn shown(
    control: &Control,
    region: &Region,
    plan: &Plan,
    headers: &ObjectHeaders,
    work: impl Future<Output = Result<Created, StoreError>>,
) -> Result<Created, String> {
    match control.to_the_end(work).await {
        Some(end) => end.map_err(|error| error.to_string()),
        None => match tokio::time::timeout(LOOK, Box::pin(is_ours(region, &plan.key, headers))).await {
            Ok(true) => Ok(Created::Done),
            _ => Err(LATE.to_owned()),
        },
    }
}

/// What is told of a copy, in the order of the settings' regions.
fn copied(whole: Whole, ends: Vec<(&Region, Result<Created, String>)>) -> Result<Copied, CopyError> {
    let regions: Vec<_> = ends
        .into_iter()
        .map(|(region, end)| {
            let end = match end {
                Ok(Created::Done) => RegionEnd::Done,
                Ok(Created::Exists | Created::Conflict) => RegionEnd::Exists,
                Err(reason) => RegionEnd::Failed(reason),
            };
            RegionCopied { region: region.name.clone(), end }
        })
        .collect();
    if regions.iter().any(|region| region.end.is_there()) {
        return Ok(Copied { whole, regions });
    }
    let reasons = regions.into_iter().map(|region| match region.end {
        RegionEnd::Failed(reason) => (region.region, reason),
        RegionEnd::Done | RegionEnd::Exists => (region.region, String::new()),
    });
    Err(CopyError::Regions { reasons: reasons.collect() })
}

fn headers(plan: &Plan, whole: &Whole) -> ObjectHeaders {
    let mut headers = plan.headers.clone();
    headers.metadata.insert(SHA256.to_owned(), whole.sha256.clone());
    headers
}

/// Makes an object of the parts, by the hidden key. Nobody else writes that: where there is one already, the answer to the
/// request that made it was lost.
async fn put_together(region: &Region, upload: &Upload, parts: &[Part]) -> Result<(), StoreError> {
    match in_rounds(region, &upload.key, || region.store.complete(upload, parts.to_vec())).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() && region.store.head(&upload.key).await.is_ok() => Ok(()),
        Err(error) => {
            abort(region, upload).await;
            Err(error)
        }
    }
}

/// Checks an archive that did not go by whole, by reading what was put together from the first region that gives it.
async fn read_back(plan: &Plan, staged: &[(&Region, Result<(), String>)]) -> Result<Whole, CopyError> {
    let mut reasons = Vec::new();
    for (region, end) in staged {
        if let Err(reason) = end {
            reasons.push((region.name.clone(), reason.clone()));
            continue;
        }
        match read_from(plan, region).await {
            Err(CopyError::Source(error)) => reasons.push((region.name.clone(), error.to_string())),
            end => return end,
        }
    }
    Err(CopyError::Regions { reasons })
}

async fn read_from(plan: &Plan, region: &Region) -> Result<Whole, CopyError> {
    let opened = fetch::object(&region.store, &plan.staging).await?;
    let control = Control::default();
    let mut parts = parts::Parts::new(opened.body, 0, &control);
    let check = Checking::start(plan.suffix);
    while let parts::Next::Part(part) = parts.next().await? {
        if !check.send(&part) {
            break;
        }
    }
    check.finish(&plan.expected).await
}

/// Copies what was put together to its key, within the bucket, unless there is an object by that key; and removes it then.
async fn show(region: &Region, plan: &Plan, headers: &ObjectHeaders, size: u64) -> Result<Created, StoreError> {
    let end = copy_to_key(region, plan, headers, size).await;
    tidy(region, &plan.staging).await;
    end
}

async fn copy_to_key(region: &Region, plan: &Plan, headers: &ObjectHeaders, size: u64) -> Result<Created, StoreError> {
    if region.store.head(&plan.key).await.is_ok() {
        return Ok(Created::Exists);
    }
    in_rounds(region, &plan.key, || async {
        let upload = region.store.begin(&plan.key, headers).await?;
        let end = async {
            let parts = copy_ranges(region, &upload, &plan.staging, size).await?;
            region.store.complete(&upload, parts).await
        };
        match end.await {
            Ok(Created::Done) => Ok(Created::Done),
            // Completed by a request whose answer was lost.
            Err(error) if error.is_not_found() && is_ours(region, &plan.key, headers).await => Ok(Created::Done),
            other => {
                abort(region, &upload).await;
                other
            }
        }
    })
    .await
}

async fn copy_ranges(region: &Region, upload: &Upload, from: &str, size: u64) -> Result<Vec<Part>, StoreError> {
    let copies = ranges(size).map(|(number, range)| region.store.copy_part(upload, number, from, range));
    stream::iter(copies).buffer_unordered(AT_ONCE).try_collect().await
}

/// The ranges of so many bytes, with the numbers of the parts that they become.
fn ranges(size: u64) -> impl Iterator<Item = (u32, Range<u64>)> {
    let starts = (0..size.div_ceil(RANGE)).map(|at| at * RANGE);
    (1..).zip(starts).map(move |(number, start)| (number, start..size.min(start + RANGE)))
}

async fn is_ours(region: &Region, key: &str, headers: &ObjectHeaders) -> bool {
    region
        .store
        .details(key)
        .await
        .is_ok_and(|found| found.headers.metadata.get(SHA256) == headers.metadata.get(SHA256))
}

/// Writes on condition that there is none, again where another was doing so at the same moment.
async fn in_rounds<F>(region: &Region, key: &str, write: impl Fn() -> F) -> Result<Created, StoreError>
where
    F: Future<Output = Result<Created, StoreError>>,
{
    for round in 0..ROUNDS {
        match write().await? {
            Created::Conflict => BACKOFF.pause(round).await,
            end => return Ok(end),
        }
    }
    let object = format!("{}{key}", region.store.describe());
    let reason = format!("another was writing it at the same moment, {ROUNDS} times");
    Err(StoreError::new(StoreErrorKind::Transient, "write", object, reason))
}

/// Removes what was put together. What cannot be removed now is the sweeper's.
async fn tidy(region: &Region, key: &str) {
    if let Err(error) = region.store.delete(key).await {
        tracing::warn!(region = region.name, key, %error, "what an archive was put together from is swept later");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_all_of_an_archive_in_order_and_none_is_too_large(size in 1..=super::super::LARGEST) {
            let mut end = 0;
            for (at, (number, range)) in ranges(size).enumerate() {
                prop_assert_eq!((number as usize, range.start), (at + 1, end));
                prop_assert!(range.end > range.start && range.end - range.start <= RANGE);
                // But the last, each is large enough for a part.
                prop_assert!(range.end == size || range.end - range.start >= buildhub_core::store::PART_MIN as u64);
                end = range.end;
            }
            prop_assert_eq!(end, size);
            prop_assert!(ranges(size).count() <= buildhub_core::store::PARTS_MAX as usize);
        }
    }
}
