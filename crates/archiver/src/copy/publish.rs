//! An archive that is whole, shown by its key.

use std::time::Duration;

use buildhub_core::store::{Created, ObjectHeaders, StoreError};
use futures::future;

use super::checking::Checking;
use super::show::{in_rounds, is_ours, put_together, show, tidy};
use super::uploads::{Held, Sent};
use super::window::Piece;
use super::{Control, Copied, CopyError, Plan, RegionCopied, RegionEnd, SHA256, parts};
use crate::fetch;
use crate::regions::Region;
use crate::verify::Whole;

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

/// Regions by what has come of an archive in each.
pub(super) type Ends<'a, T> = Vec<(&'a Region, Result<T, String>)>;

/// Puts an archive together in every region that has it.
pub(super) async fn together<'a>(sent: &'a Sent, control: &Control) -> Ends<'a, ()> {
    let ends = sent.0.iter().map(|(region, sent)| async move {
        let end = match sent {
            Ok((upload, parts)) => in_time(control, Box::pin(put_together(region, upload, parts))).await,
            Err(reason) => Err(reason.clone()),
        };
        (region, end)
    });
    future::join_all(ends).await
}

/// Shows an archive of which only the rest went by, and which was put together: all of it is read back from a region first.
/// `None` where there is no time for that: what was put together is left then.
pub(super) async fn read_back_and_show(
    plan: &Plan,
    staged: Ends<'_, ()>,
    control: &Control,
) -> Result<Option<Copied>, CopyError> {
    let Some(read_back) = control.to_the_end(read_back(plan, &staged)).await else { return Ok(None) };
    let whole = match read_back {
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
    copied(whole, future::join_all(ends).await).map(Some)
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
fn copied(whole: Whole, ends: Ends<'_, Created>) -> Result<Copied, CopyError> {
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
    while let parts::Next::Part(part) = parts.with_room().await? {
        if !check.send(&part) {
            break;
        }
    }
    check.finish(&plan.expected).await
}

/// Removes what was put together of an archive that nobody goes on with.
pub(super) async fn forget(plan: &Plan) {
    future::join_all(plan.regions.iter().map(|region| tidy(region, &plan.staging))).await;
}
