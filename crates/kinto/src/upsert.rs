//! A single write that looks first and loses no race.

use serde::Serialize;
use serde_json::Value;

use crate::{Collection, Condition, Fault, KintoError, Outcome, Stored};

/// How often a write looks again when others were faster.
const ATTEMPTS: u32 = 10;

/// What to do about a record, seen what the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<T> {
    /// Write this.
    Write(T),
    /// Leave it as it is.
    Keep,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Upserted {
    /// It is stored.
    Written {
        /// The record's new date, in milliseconds.
        last_modified: u64,
    },
    /// What the store has was left as it is.
    Kept,
    /// The server does not take the record.
    Refused(Fault),
}

impl Collection {
    /// Looks at a record (or its absence), lets `decide` say what to write, and writes it only if the record is still
    /// what it was; otherwise looks and decides again. So neither this write nor the other one is lost.
    ///
    /// That holds as far as the server's conditions do. Kinto 26.5 checks them in one statement and writes in a later
    /// one: on PostgreSQL two conditional writes of one record within the same moment can both be acknowledged, and one
    /// is lost. The distribution's plugin `one_writer_at_a_time` closes the gap; without it, a later reconciliation
    /// has to.
    pub async fn upsert<T: Serialize>(
        &self,
        id: &str,
        mut decide: impl FnMut(Option<&Stored<Value>>) -> Decision<T>,
    ) -> Result<Upserted, KintoError> {
        let what = self.what("update", id);
        let mut existing = self.get::<Value>(id).await?;
        for attempt in 0..ATTEMPTS {
            let Decision::Write(data) = decide(existing.as_ref()) else { return Ok(Upserted::Kept) };
            let condition = existing.as_ref().map_or(Condition::IfNoneMatch, |it| Condition::IfMatch(it.last_modified));
            existing = match self.put(id, &data, condition).await? {
                Outcome::Stored { last_modified } => return Ok(Upserted::Written { last_modified }),
                Outcome::Refused(fault) => return Ok(Upserted::Refused(fault)),
                Outcome::Conflict { .. } => {
                    // Longer each time, so that writers who keep meeting drift apart.
                    self.client.back_off(attempt).await;
                    self.get::<Value>(id).await?
                }
            };
        }
        Err(KintoError::Contended { what, attempts: ATTEMPTS })
    }
}
