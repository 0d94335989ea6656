//! What starts a catch-up run.

use serde_json::Value;

use crate::event::{Change, Envelope, EventError, Message};

/// The object S3 writes last into an inventory's folder: once it is there, the inventory is whole (AWS, "Locating your
/// inventory list").
const LAST_OBJECT: &str = "manifest.checksum";

/// Why a catch-up run was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A schedule's turn: the newest inventories, wherever the settings say they are.
    Schedule,
    /// An inventory landed: this one.
    Inventory {
        /// The bucket it landed in.
        bucket: String,
        /// The key of its folder, ending in `/`.
        folder: String,
    },
    /// Messages of the run's own queues: parts of an inventory, or batches of records.
    Messages(Vec<Message>),
    /// S3 trying out a notification that was just configured: there is nothing to do.
    Test,
}

/// A payload that starts no catch-up run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// It cannot be read.
    #[error(transparent)]
    Event(#[from] EventError),
    /// It is about an object that completes no inventory, or about another change of it.
    #[error(
        "s3://{bucket}/{key} starts no run: only the creation of an inventory's {LAST_OBJECT} does; \
         give the notification that suffix"
    )]
    NotAnInventory {
        /// The object's bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// It is about several objects, or none: S3 sends one in a notification.
    #[error("the notification is about {0} objects; send them one by one")]
    NotOne(usize),
}

impl Trigger {
    /// Reads a function's payload.
    pub fn read(payload: &Value) -> Result<Self, TriggerError> {
        let mut events = match Envelope::read(payload)? {
            Envelope::Schedule => return Ok(Self::Schedule),
            Envelope::Test => return Ok(Self::Test),
            Envelope::Messages(messages) => return Ok(Self::Messages(messages)),
            Envelope::Objects(events) => events,
        };
        let count = events.len();
        let (Some(event), 1) = (events.pop(), count) else { return Err(TriggerError::NotOne(count)) };
        let event = event?;
        match event.key.as_str().strip_suffix(LAST_OBJECT) {
            Some(folder) if event.change == Change::Created && folder.ends_with('/') => {
                Ok(Self::Inventory { folder: folder.to_owned(), bucket: event.bucket })
            }
            _ => Err(TriggerError::NotAnInventory { bucket: event.bucket, key: event.key.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notification(names_and_keys: &[(&str, &str)]) -> Value {
        let record = |(name, key): &(&str, &str)| json!({ "eventName": name, "s3": { "bucket": { "name": "inventories" }, "object": { "key": key } } });
        json!({ "Records": names_and_keys.iter().map(record).collect::<Vec<_>>() })
    }

    #[test]
    fn both_kinds_of_schedule_start_a_run_over_the_newest_inventories() {
        for source in ["aws.events", "aws.scheduler"] {
            let payload = json!({ "detail-type": "Scheduled Event", "source": source, "detail": {} });
            assert_eq!(Trigger::read(&payload), Ok(Trigger::Schedule));
        }
    }

    #[test]
    fn a_manifests_checksum_starts_a_run_over_its_folder() {
        let key = "public/delivery-firefox/2018-06-01T04-00Z/manifest.checksum";
        let expected = Trigger::Inventory {
            bucket: "inventories".into(),
            folder: "public/delivery-firefox/2018-06-01T04-00Z/".into(),
        };
        assert_eq!(Trigger::read(&notification(&[("ObjectCreated:Put", key)])), Ok(expected));
    }

    #[test]
    fn other_objects_and_other_changes_start_nothing_and_are_named() {
        let refused = [
            ("ObjectCreated:Put", "public/2018-06-01T04-00Z/manifest.json"),
            ("ObjectRemoved:Delete", "public/2018-06-01T04-00Z/manifest.checksum"),
            ("ObjectCreated:Put", "public/not-a-manifest.checksum"),
            ("ObjectCreated:Put", "manifest.checksum"),
        ];
        for (name, key) in refused {
            let error = Trigger::read(&notification(&[(name, key)])).unwrap_err().to_string();
            assert!(error.starts_with(&format!("s3://inventories/{key} starts no run")), "{error}");
        }
    }

    #[test]
    fn a_notification_is_about_one_object() {
        let key = "f/manifest.checksum";
        let two = notification(&[("ObjectCreated:Put", key), ("ObjectCreated:Put", key)]);
        assert_eq!(Trigger::read(&two), Err(TriggerError::NotOne(2)));
        assert_eq!(Trigger::read(&json!({ "Records": [] })), Err(TriggerError::NotOne(0)));
    }

    #[test]
    fn an_event_that_cannot_be_read_says_why() {
        let error = Trigger::read(&notification(&[("ObjectCreated:Put", "%FF")])).unwrap_err();
        assert!(matches!(error, TriggerError::Event(EventError::Key(_))), "{error}");
    }
}
