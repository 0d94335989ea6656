//! Jobs in a Kinto.

use buildhub_kinto::{
    Client, Collection, Condition, Decision, Entry, Fault, KintoError, Outcome, Page, Query, Stored, Upserted,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Completion, CompletionBody, Job, Sent};
use crate::action::{Action, Kind};
use crate::backend::StoreId;

/// The record that has the number given last.
const COUNTER: &str = "jobs";
/// How many rounds of writing a number is worth: everyone who asks writes this one record, and a round is lost when others
/// are always faster. Only one of those who meet goes on at a time, so that many at once need many rounds.
const ROUNDS: u32 = 20;

/// The jobs of one bucket.
#[derive(Debug, Clone)]
pub struct Jobs {
    records: Collection,
    counters: Collection,
    keys: Collection,
}

/// What becomes of what somebody asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// A new job.
    New(Job),
    /// The job that it was before: the same key, the same words.
    Known(Job),
    /// The key was used for something else.
    Otherwise,
}

/// Some jobs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listed {
    /// Those that can be read.
    pub jobs: Vec<Job>,
    /// How many records beside them cannot, each with its reason in the log: of another version perhaps.
    pub unreadable: u64,
    /// The number of the last record of them, also of one that cannot be read.
    pub last: Option<u64>,
}

/// Why jobs cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// The store does not answer, or not as it should.
    #[error(transparent)]
    Kinto(#[from] KintoError),
    /// The store does not take a record.
    #[error("the store refuses {what}: {fault}; does its collection have another schema?")]
    Refused {
        /// Which record.
        what: String,
        /// What it says.
        fault: Box<Fault>,
    },
    /// A number was given to two.
    #[error(
        "job {number} is somebody else's though its number was given to this one: the store's conditions do not hold; is \
         it a Kinto on PostgreSQL with the plugin one_writer_at_a_time?"
    )]
    Taken {
        /// The number.
        number: u64,
    },
    /// There is no such job.
    #[error("there is no job {number}")]
    Unknown {
        /// Its number.
        number: u64,
    },
}

impl JobsError {
    /// Whether the same may work later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Kinto(error) if error.is_transient())
    }
}

/// A number that was given, and by which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    /// The number.
    number: u64,
    /// None in a key of before stores had names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store: Option<StoreId>,
}

/// What a key stands for.
#[derive(Debug, Serialize, Deserialize)]
struct Key {
    /// The job's number.
    #[serde(flatten)]
    given: Given,
    /// A hash of what was asked for.
    asked: String,
}

impl Jobs {
    /// The jobs in a bucket of a Kinto.
    pub fn new(client: &Client, bucket: &str) -> Result<Self, KintoError> {
        let collection = |name| client.collection(bucket, name);
        Ok(Self { records: collection("jobs")?, counters: collection("counters")?, keys: collection("keys")? })
    }

    /// What a key stands for that somebody asked with before: the job that it was, or [`Asked::Otherwise`]; nothing where it
    /// is new, or where the job was not written.
    pub async fn known(&self, action: &Action, who: &str, key: &str) -> Result<Option<Asked>, JobsError> {
        match self.keys.get::<Key>(&hash(&[who, key])).await? {
            Some(known) if known.data.asked != of(action) => Ok(Some(Asked::Otherwise)),
            Some(known) => Ok(self.find(known.data.given.number).await?.map(Asked::Known)),
            None => Ok(None),
        }
    }

    /// Keeps what somebody asks for at a moment (seconds since 1970). With a key, asking again is the same job: also where
    /// the first answer was lost, or the first writing broke off.
    pub async fn ask(&self, action: Action, who: &str, when: i64, key: Option<&str>) -> Result<Asked, JobsError> {
        let Some(key) = key else {
            let given = self.number().await?;
            return self.write(given, action, who, when).await.map(Asked::New);
        };
        let id = hash(&[who, key]);
        let asked = of(&action);
        let (given, is_new) = match self.keys.get::<Key>(&id).await? {
            Some(known) if known.data.asked != asked => return Ok(Asked::Otherwise),
            Some(known) => (known.data.given, false),
            None => {
                let wanted = Key { given: self.number().await?, asked: asked.clone() };
                match self.keys.put(&id, &wanted, Condition::IfNoneMatch).await? {
                    Outcome::Stored { .. } => (wanted.given, true),
                    Outcome::Conflict { existing } => match existing.map(serde_json::from_value::<Key>) {
                        Some(Ok(first)) if first.asked == asked => (first.given, false),
                        _ => return Ok(Asked::Otherwise),
                    },
                    Outcome::Refused(fault) => return Err(refused(format!("the key {id}"), fault)),
                }
            }
        };
        if let Some(job) = self.find(given.number).await? {
            return Ok(Asked::Known(job));
        }
        // Whoever took the key has not written the job, or not yet: both writing it is one job.
        let job = self.write(given, action, who, when).await?;
        Ok(if is_new { Asked::New(job) } else { Asked::Known(job) })
    }

    /// The next number; nobody else gets it. Who gets the first one names the store.
    async fn number(&self) -> Result<Given, JobsError> {
        let fresh = StoreId::new();
        let mut given = Given { number: 0, store: None };
        let mut next = |stored: Option<&Stored<Value>>| {
            let known = |name: &str| stored.and_then(|stored| stored.data.get(name));
            let last = known("last").and_then(Value::as_u64).unwrap_or(0);
            let store = known("store").and_then(|store| StoreId::deserialize(store).ok()).unwrap_or(fresh);
            given = Given { number: last + 1, store: Some(store) };
            Decision::Write(json!({ "last": given.number, "store": store }))
        };
        let mut round = 1;
        let written = loop {
            match self.counters.upsert(COUNTER, &mut next).await {
                Err(KintoError::Contended { .. }) if round < ROUNDS => round += 1,
                written => break written?,
            }
        };
        match written {
            Upserted::Refused(fault) => Err(refused(format!("the counter {COUNTER}"), fault)),
            Upserted::Written { .. } | Upserted::Kept => Ok(given),
        }
    }

    async fn write(&self, given: Given, action: Action, who: &str, when: i64) -> Result<Job, JobsError> {
        let Given { number, store } = given;
        let job = Job { store, ..Job::new(number, action, who, when) };
        match self.records.put(&number.to_string(), &job, Condition::IfNoneMatch).await? {
            Outcome::Stored { .. } => Ok(job),
            Outcome::Conflict { .. } => match self.find(number).await? {
                // This one, whose first writing was not acknowledged, or who else has its key.
                Some(there) if there.action == job.action && there.who == job.who => Ok(there),
                Some(_) => Err(JobsError::Taken { number }),
                None => Err(JobsError::Unknown { number }),
            },
            Outcome::Refused(fault) => Err(refused(format!("job {number}"), fault)),
        }
    }

    /// A job by its number.
    pub async fn find(&self, number: u64) -> Result<Option<Job>, JobsError> {
        Ok(self.records.get::<Job>(&number.to_string()).await?.map(|stored| stored.data))
    }

    /// The newest jobs with a lower number than `before`, the newest first.
    pub async fn newest(&self, limit: usize, before: Option<u64>) -> Result<Listed, JobsError> {
        if limit == 0 {
            // For Kinto that would be no limit.
            return Ok(Listed::default());
        }
        let mut query = Query::new().sort(["-number"]).limit(limit);
        if let Some(before) = before {
            query = query.lt("number", before);
        }
        Ok(readable(self.records.first_page(query).await?))
    }

    /// Remembers what was done of a job so far. Nothing happens to one that is over.
    pub async fn step(&self, number: u64, name: &str, done: Value) -> Result<Job, JobsError> {
        self.change(number, |job| {
            job.steps.insert(name.to_owned(), done.clone());
        })
        .await
    }

    /// The open jobs, the oldest first.
    pub async fn open(&self, limit: usize) -> Result<Listed, JobsError> {
        let query = Query::new().eq("completed_at", Value::Null).sort(["number"]).limit(limit);
        Ok(readable(self.records.first_page(query).await?))
    }

    /// Whether a job that is later than this one has given a request its priority.
    pub async fn is_moved_later(&self, number: u64, brid: u64) -> Result<bool, JobsError> {
        let kind = json!(Kind::Reprioritize);
        let query =
            Query::new().eq("action", kind).eq("what.brid", brid).gt("number", number).sort(["-number"]).limit(10);
        let later = readable(self.records.first_page(query).await?);
        Ok(later.jobs.iter().any(|job| job.complete_data.as_ref().is_some_and(|data| !data.body.errors)))
    }

    /// Remembers that a job's message is sent again at a moment (seconds since 1970).
    pub async fn sent_again(&self, number: u64, now: i64) -> Result<Job, JobsError> {
        self.change(number, |job| {
            let times = job.sent.map_or(0, |sent| sent.times);
            job.sent = Some(Sent { times: times.saturating_add(1), last: now });
        })
        .await
    }

    /// Remembers why a job could not be carried out this time, and since when it is for something that is lacking, if it is.
    pub async fn trouble(&self, number: u64, why: &str, lacking_since: Option<i64>) -> Result<Job, JobsError> {
        self.change(number, |job| {
            job.trouble = Some(why.to_owned());
            job.lacking_since = lacking_since;
        })
        .await
    }

    /// Says how a job ended. The first who says so is heard; what it is then.
    pub async fn complete(&self, number: u64, errors: bool, message: &str, now: i64) -> Result<Job, JobsError> {
        self.change(number, |job| {
            job.completed_at = Some(now);
            job.trouble = None;
            let body = CompletionBody { errors, msg: message.to_owned() };
            job.complete_data = Some(Completion { request_id: number, body });
        })
        .await
    }

    /// Changes a job that is open.
    async fn change(&self, number: u64, mut change: impl FnMut(&mut Job)) -> Result<Job, JobsError> {
        let id = number.to_string();
        let mut last = None;
        let decide = |stored: Option<&Stored<Value>>| {
            let found = stored.and_then(|stored| Job::deserialize(&stored.data).ok());
            let open = found.clone().filter(Job::is_open).map(|mut job| {
                change(&mut job);
                job
            });
            last = open.clone().or(found);
            open.map_or(Decision::Keep, Decision::Write)
        };
        match self.records.upsert(&id, decide).await? {
            Upserted::Refused(fault) => Err(refused(format!("job {number}"), fault)),
            Upserted::Written { .. } | Upserted::Kept => last.ok_or(JobsError::Unknown { number }),
        }
    }
}

/// The jobs of a page: one that cannot be read takes no other with it.
fn readable(page: Page<Value>) -> Listed {
    let mut listed = Listed::default();
    for stored in page.entries.into_iter().filter_map(Entry::record) {
        listed.last = stored.data.get("number").and_then(Value::as_u64).or(listed.last);
        match Job::deserialize(&stored.data) {
            Ok(job) => listed.jobs.push(job),
            Err(error) => {
                tracing::error!(record = stored.id, %error, "a record of a job cannot be read, and is passed over");
                listed.unreadable += 1;
            }
        }
    }
    listed
}

fn refused(what: String, fault: Fault) -> JobsError {
    JobsError::Refused { what, fault: Box::new(fault) }
}

/// What a key remembers of what was asked for.
fn of(action: &Action) -> String {
    hash(&[&json!(action).to_string()])
}

/// A hash of some texts, as the id of a record.
fn hash(texts: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
