//! What the queue carries: that there is a job, and which.

use buildhub_core::queue::Outgoing;
use serde::{Deserialize, Serialize};

use crate::jobs::Job;

/// One message. What is to be done stands in the job; so a message that comes twice, late or never does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The job's number.
    pub job: u64,
}

impl Message {
    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// The message of a job as it is sent, after jobs that could disturb it. A queue takes it once in five minutes; `again`
    /// is what makes it another one, for when the first may be lost.
    pub fn outgoing(job: &Job, again: u64) -> Outgoing {
        let (number, message) = (job.number, Self { job: job.number });
        Outgoing {
            // One field, a number: this cannot fail.
            body: serde_json::to_string(&message).unwrap_or_default(),
            group: Some(group(&job.action.group())),
            deduplication: Some(format!("{number}-{again}")),
            ..Outgoing::default()
        }
    }
}

/// A group's name as SQS takes it: at most 128 letters, digits and punctuation (AWS, `SendMessage`, `MessageGroupId`).
/// Branches are named by an operator; what does not fit is cut, so that two groups may become one: then some jobs wait for
/// others that they need not wait for.
fn group(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;

    #[test]
    fn a_message_names_a_job_and_waits_for_those_of_its_group() {
        let action = Action::CancelRequest { brid: 7 };
        let job = Job::new(5, action, "alice", 9);
        let first = Message::outgoing(&job, 0);
        assert_eq!((first.body.as_str(), first.group.as_deref()), (r#"{"job":5}"#, Some("br#7")));
        assert_eq!(Message::parse(&first.body).unwrap(), Message { job: 5 });
        assert_ne!(Message::outgoing(&job, 1).deduplication, first.deduplication);
        assert!(Message::parse("{}").is_err());
        assert_eq!(group(&format!("rev#é {}", "x".repeat(200))).len(), 128);
    }
}
