//! What one bucket does: puts parts together by a hidden key, and copies that to the key that can be seen.

use std::ops::Range;
use std::time::Duration;

use buildhub_core::store::{
    Created, ObjectHeaders, ObjectStore as _, Part, StoreError, StoreErrorKind, Upload, all_or_none,
};
use buildhub_http::Backoff;

use super::uploads::abort;
use super::{Plan, SHA256};
use crate::regions::Region;

/// Bytes that a bucket copies in one request, and such requests at the same time. Each is about as fast as one connection
/// to the bucket (AWS, "Performance design patterns for Amazon S3"), and nothing of it is in this machine's memory. Also a
/// server that copies a megabyte a second answers before it is taken for dead.
const RANGE: u64 = 32 << 20;
const AT_ONCE: usize = 8;
/// How often it is tried where another is writing the same at the same moment.
const ROUNDS: u32 = 5;
/// The waits between them.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// Makes an object of the parts, by the hidden key. Nobody else writes that: where there is one already, the answer to the
/// request that made it was lost.
pub(super) async fn put_together(region: &Region, upload: &Upload, parts: &[Part]) -> Result<(), StoreError> {
    match in_rounds(region, &upload.key, || region.store.complete(upload, parts.to_vec())).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() && region.store.head(&upload.key).await.is_ok() => Ok(()),
        Err(error) => {
            abort(region, upload).await;
            Err(error)
        }
    }
}

/// Copies what was put together to its key, within the bucket, unless there is an object by that key; and removes it then.
pub(super) async fn show(
    region: &Region,
    plan: &Plan,
    headers: &ObjectHeaders,
    size: u64,
) -> Result<Created, StoreError> {
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
    all_or_none(copies, AT_ONCE).await
}

/// The ranges of so many bytes, with the numbers of the parts that they become.
fn ranges(size: u64) -> impl Iterator<Item = (u32, Range<u64>)> {
    let starts = (0..size.div_ceil(RANGE)).map(|at| at * RANGE);
    (1..).zip(starts).map(move |(number, start)| (number, start..size.min(start + RANGE)))
}

pub(super) async fn is_ours(region: &Region, key: &str, headers: &ObjectHeaders) -> bool {
    region
        .store
        .details(key)
        .await
        .is_ok_and(|found| found.headers.metadata.get(SHA256) == headers.metadata.get(SHA256))
}

/// Writes on condition that there is none, again where another was doing so at the same moment.
pub(super) async fn in_rounds<F>(region: &Region, key: &str, write: impl Fn() -> F) -> Result<Created, StoreError>
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
pub(super) async fn tidy(region: &Region, key: &str) {
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
