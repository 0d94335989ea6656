//! What the queue carries: that there is work, and which.

use buildhub_core::queue::Outgoing;
use serde::{Deserialize, Serialize};

/// One message. What is to be done stands in the task; so a message that comes twice, late or never does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The task's id.
    pub task: String,
    /// Which generation of it.
    pub generation: u64,
}

impl Message {
    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// The message as it is sent.
    pub fn outgoing(&self) -> Outgoing {
        // Two fields that JSON has: this cannot fail.
        Outgoing { body: serde_json::to_string(self).unwrap_or_default(), ..Outgoing::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_a_task_and_its_generation() {
        let message = Message { task: "projects_ash-42bf8560b395.tar.gz".into(), generation: 3 };
        let body = message.outgoing().body;
        assert_eq!(body, r#"{"task":"projects_ash-42bf8560b395.tar.gz","generation":3}"#);
        assert_eq!(Message::parse(&body).unwrap(), message);
        assert!(Message::parse("{}").is_err());
    }
}
