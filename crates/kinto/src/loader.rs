//! Many writes, in batches, by the loss rule.

use std::time::{Duration, SystemTime};

use buildhub_http::{Answer, Cause, Method, Repeat, schedule};

use crate::batch::{self, Answers, Outcome, Write};
use crate::collection::check_id;
use crate::{Collection, Fault, KintoError, ServerInfo};

/// Limits of a [`Loader`].
#[derive(Debug, Clone)]
pub struct LoaderSettings {
    /// Most writes in a batch; not more than the server allows (`batch_max_requests`), or it refuses the batch.
    pub batch_max: usize,
    /// Most bytes in a batch's body, unless one record alone is larger. Servers and the proxies before them limit
    /// bodies; 1 MiB is nginx's default (`client_max_body_size`).
    pub batch_bytes: usize,
    /// Most records in a row on which the server may break before the whole work is given up.
    pub broken_max: usize,
}

impl Default for LoaderSettings {
    /// Kinto's own default of 25 writes, 1 MiB, 10 records.
    fn default() -> Self {
        Self { batch_max: 25, batch_bytes: 1 << 20, broken_max: 10 }
    }
}

impl LoaderSettings {
    /// The defaults with batches as large as the server allows, or smaller when `wanted` says so.
    pub fn for_server(info: &ServerInfo, wanted: Option<usize>) -> Self {
        let allowed = info.settings.batch_max_requests.unwrap_or(Self::default().batch_max);
        Self { batch_max: wanted.unwrap_or(allowed).clamp(1, allowed.max(1)), ..Self::default() }
    }
}

/// Writes records to one collection, one batch in flight: more at a time are slower, and collide (measured on
/// PostgreSQL: two writers reach 53 records a second where one reaches 137).
#[derive(Debug)]
pub struct Loader {
    collection: Collection,
    settings: LoaderSettings,
    path: String,
    broken_in_a_row: usize,
}

/// A load that had to stop.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct LoadError {
    /// What became of the writes before, from the first on. Of the others some may be stored; none was acknowledged,
    /// and all can be sent again.
    pub outcomes: Vec<Outcome>,
    /// Why it stopped.
    pub source: KintoError,
}

/// What became of a batch.
enum Sent {
    /// Each write has its outcome.
    Settled(Vec<Outcome>),
    /// The server breaks on it: nothing is stored.
    Broken(Fault),
    /// The server does not take it as it is: nothing is stored.
    Refused(Fault),
}

impl Loader {
    /// A loader for a collection. Nothing is sent yet.
    pub fn new(collection: Collection, settings: LoaderSettings) -> Self {
        let path = batch::records_path(&collection);
        Self { collection, settings, path, broken_in_a_row: 0 }
    }

    /// The collection it writes to.
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// Writes records, in their order, and says of each what became of it, in the same order.
    ///
    /// A record the server refuses or breaks on is an [`Outcome::Refused`] and the others are stored. What would fail
    /// every record alike (no server, wrong credentials, no collection, read-only) ends the load.
    pub async fn store(&mut self, writes: Vec<Write>) -> Result<Vec<Outcome>, LoadError> {
        let mut outcomes = Vec::with_capacity(writes.len());
        let mut rest = writes.as_slice();
        while let Some(first) = rest.first() {
            if let Err(error) = check_id("record", &first.id) {
                outcomes.push(Outcome::Refused(Fault::unsent(&error)));
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let (batch, after) = rest.split_at(self.fitting(rest));
            match self.settle(batch).await {
                Ok(settled) => outcomes.extend(settled),
                Err(source) => return Err(LoadError { outcomes, source }),
            }
            rest = after;
        }
        Ok(outcomes)
    }

    /// How many of the writes go into the next batch: at least the first.
    fn fitting(&self, writes: &[Write]) -> usize {
        let mut bytes = 0usize;
        let fits = |write: &&Write| {
            bytes = bytes.saturating_add(write.size(&self.path));
            bytes <= self.settings.batch_bytes && check_id("record", &write.id).is_ok()
        };
        writes.iter().take(self.settings.batch_max).take_while(fits).count().max(1)
    }

    /// Sends a batch until each of its writes has its outcome, halving it where it keeps failing.
    async fn settle(&mut self, batch: &[Write]) -> Result<Vec<Outcome>, KintoError> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            // The whole batch and a single record get all attempts: a transient fault passes, and no innocent record
            // is blamed. The parts between get one, for a part that fails by chance only costs another halving.
            let whole = part.len() == batch.len();
            let sent = self.send(part, whole || part.len() == 1, !whole).await?;
            match (sent, part) {
                (Sent::Settled(settled), _) => {
                    self.broken_in_a_row = 0;
                    outcomes.extend(settled);
                }
                (Sent::Refused(fault), [_]) => outcomes.push(Outcome::Refused(fault)),
                (Sent::Broken(fault), [write]) => {
                    self.blame(write, &fault).await?;
                    outcomes.push(Outcome::Refused(fault));
                }
                (sent, _) => {
                    if let Sent::Broken(fault) = &sent {
                        self.check_health(fault).await?;
                    }
                    let (left, right) = part.split_at(part.len() / 2);
                    tracing::warn!(writes = part.len(), "a batch keeps failing: looking for the record that breaks it");
                    parts.extend([right, left]);
                }
            }
        }
        Ok(outcomes)
    }

    /// Sends one batch, again where the loss rule says so. `resent` says that its writes were sent before.
    async fn send(&self, writes: &[Write], persist: bool, resent: bool) -> Result<Sent, KintoError> {
        let what = self.collection.what("write a batch to", "");
        let client = &self.collection.client;
        let body = batch::body(&self.path, writes);
        let request = client.request(Method::POST, &["batch"]).json(body);
        let repeat = if persist { Repeat::SafeAnd(&batch::must_be_resent) } else { Repeat::Never };
        let answer = match client.fetch(&request, repeat).await {
            Ok(answer) => answer,
            Err(KintoError::Http(error)) if matches!(error.cause, Cause::Broken(_) | Cause::Timeout { .. }) => {
                return Ok(Sent::Broken(Fault::unsent(&error)));
            }
            Err(error) => return Err(error),
        };
        let sent = read(&what, &answer, writes, resent || answer.attempts > 1)?;
        if let Sent::Broken(_) = &sent {
            let wait = schedule::retry_after(&answer.headers, SystemTime::now());
            client.pause(wait.unwrap_or(Duration::ZERO));
        }
        Ok(sent)
    }

    /// Leaves a record out, unless it is the server that is ill.
    async fn blame(&mut self, write: &Write, fault: &Fault) -> Result<(), KintoError> {
        self.check_health(fault).await?;
        tracing::warn!(id = write.id, %fault, "the server breaks on this record: left out");
        self.broken_in_a_row += 1;
        if self.broken_in_a_row > self.settings.broken_max {
            let (what, count) = (self.collection.what("write to", ""), self.broken_in_a_row);
            return Err(KintoError::EverythingFails { what, count, fault: fault.clone() });
        }
        Ok(())
    }

    /// An error unless the server is well: then something about the writes must be wrong.
    async fn check_health(&self, fault: &Fault) -> Result<(), KintoError> {
        if self.collection.client.heartbeat().await?.is_healthy() {
            return Ok(());
        }
        Err(KintoError::Unavailable { what: self.collection.what("write a batch to", ""), fault: fault.clone() })
    }
}

/// What the answer to a batch means.
fn read(what: &str, answer: &Answer, writes: &[Write], resent: bool) -> Result<Sent, KintoError> {
    match answer.status.as_u16() {
        200 => {}
        400 | 413 => return Ok(Sent::Refused(Fault::of(answer))),
        409 | 500.. => return Ok(Sent::Broken(Fault::of(answer))),
        _ => return Err(KintoError::from_fault(what.to_owned(), Fault::of(answer))),
    }
    let answers = Answers::read(what, answer, writes)?;
    if let Some(item) = answers.rolled_back() {
        return Ok(Sent::Broken(Fault::from_body(item.status, item.body.get().as_bytes())));
    }
    let outcome = |(item, write): (&batch::Item<'_>, &Write)| {
        let what = format!("{what}{}", write.id);
        batch::outcome(&what, item.status, item.body.get().as_bytes(), &write.data, resent)
    };
    answers.responses.iter().zip(writes).map(outcome).collect::<Result<_, _>>().map(Sent::Settled)
}
