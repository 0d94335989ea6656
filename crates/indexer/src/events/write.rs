//! One record into the store, under conditions, so that no race is lost.

use buildhub_kinto::{Collection, Decision, Upserted};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::outcome::{EventFault, Stored};
use crate::fact::{Verdict, judge};
use crate::ready::{Ready, entry_of};

/// Records of one event that are written at the same time. The store takes one write at a time; more than a few would
/// only wait there.
const PARALLEL: usize = 4;

/// Writes records, each by itself.
pub(super) async fn write_all(collection: &Collection, records: Vec<Ready>) -> Result<Stored, EventFault> {
    let writes = stream::iter(records).map(|ready| async move { write(collection, &ready).await });
    let written = writes.buffer_unordered(PARALLEL);
    written
        .try_fold(Stored::default(), |mut sum, one| async move {
            sum.add(one);
            Ok(sum)
        })
        .await
}

/// Writes a record, unless the store has it, or a better one, by the same judgement as every other writer's.
async fn write(collection: &Collection, ready: &Ready) -> Result<Stored, EventFault> {
    let mut verdict = Verdict::New;
    let upserted = collection
        .upsert(&ready.id, |existing| {
            let stored = existing.map(|it| entry_of(&it.id, it.last_modified, &it.data.to_string()).fact);
            verdict = judge(stored.as_ref(), &ready.fact);
            match verdict {
                Verdict::New | Verdict::Changed => Decision::Write(&ready.json),
                Verdict::Same | Verdict::Older | Verdict::Outranked => Decision::Keep,
            }
        })
        .await?;
    let mut stored = Stored::default();
    match (upserted, verdict) {
        (Upserted::Refused(fault), _) => {
            stored.refused.push(format!("the store refuses the record {}: {fault}", ready.id));
        }
        (Upserted::Written { .. }, Verdict::New) => stored.created = 1,
        (Upserted::Written { .. }, _) => stored.updated = 1,
        (Upserted::Kept, Verdict::Same) => stored.unchanged = 1,
        (Upserted::Kept, _) => stored.kept = 1,
    }
    Ok(stored)
}
