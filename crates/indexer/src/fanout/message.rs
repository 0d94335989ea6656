//! What the queues of a fanned-out run carry.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// On the queue of parts: read this part of the inventory.
    Part(PartJob),
    /// On the queue of batches: write these records.
    Batch(Batch),
    /// On the queue of batches, behind all of a run: compare, and report.
    Finish(Finish),
}

/// A part of a run's inventories, to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartJob {
    /// The run.
    pub run: String,
    /// Which of the plan's parts.
    pub number: usize,
    /// How many invocations worked on it before this one.
    pub hop: u32,
}

/// Records that are ready to be written.
#[derive(Debug, Serialize, Deserialize)]
pub struct Batch {
    /// The run.
    pub run: String,
    /// The batch's name within the run: a function of what is in it.
    pub id: String,
    /// The records, as JSON.
    pub records: Vec<Box<RawValue>>,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finish {
    /// The run.
    pub run: String,
}

impl Job {
    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// The body.
    pub fn to_body(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back_as_it_was_written() {
        let part = PartJob { run: "r".into(), number: 7, hop: 2 };
        let body = Job::Part(part.clone()).to_body().unwrap();
        assert_eq!(body, r#"{"part":{"run":"r","number":7,"hop":2}}"#);
        assert!(matches!(Job::parse(&body).unwrap(), Job::Part(read) if read == part));
        let records = vec![RawValue::from_string(r#"{"id": "a",  "b": 1.0}"#.into()).unwrap()];
        let body = Job::Batch(Batch { run: "r".into(), id: "b".into(), records }).to_body().unwrap();
        let Job::Batch(batch) = Job::parse(&body).unwrap() else { panic!("a batch") };
        assert_eq!(batch.records[0].get(), r#"{"id": "a",  "b": 1.0}"#);
        assert!(Job::parse(r#"{"other": 1}"#).is_err());
    }
}
