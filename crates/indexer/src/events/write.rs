//! One record into the store, under conditions, so that no race is lost.

use buildhub_kinto::{Collection, Decision, Upserted};

use super::outcome::{EventFault, Stored};
use crate::fact::{Verdict, judge};
use crate::ready::{Ready, entry_of};

/// Writes records, one after the other: the store takes one write at a time, and further ones would only meet there.
///
/// What the store has of one of these `provisional` sources ([`Fact::source`](crate::fact::Fact)) is replaced even where
/// its date is later: it was only said of the object, and now the object itself was asked.
pub(super) async fn write_all(
    collection: &Collection,
    records: &[Ready],
    provisional: &[u64],
) -> Result<Stored, EventFault> {
    let mut stored = Stored::default();
    for ready in records {
        stored.add(write(collection, ready, provisional).await?);
    }
    Ok(stored)
}

/// Writes a record, unless the store has it, or a better one, by the same judgement as every other writer's.
async fn write(collection: &Collection, ready: &Ready, provisional: &[u64]) -> Result<Stored, EventFault> {
    let mut verdict = Verdict::New;
    let upserted = collection
        .upsert(&ready.id, |existing| {
            let stored = existing.map(|it| entry_of(&it.id, it.last_modified, &it.data.to_string()).fact);
            verdict = match judge(stored.as_ref(), &ready.fact) {
                Verdict::Older if stored.is_some_and(|fact| provisional.contains(&fact.source)) => Verdict::Changed,
                verdict => verdict,
            };
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
