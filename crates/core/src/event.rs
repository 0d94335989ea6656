//! Events about objects, in the envelopes they come in.
//!
//! Each envelope has its own rule for writing keys; here they are decoded by it, and nobody decodes after.

use serde::Deserialize;
use serde_json::Value;

use crate::ObjectKey;
use crate::key::KeyError;

/// Something happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEvent {
    /// What happened.
    pub change: Change,
    /// The object's bucket.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: ObjectKey<'static>,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was written: put, copied, or completed from parts.
    Created,
    /// It was deleted, or hidden by a delete marker.
    Removed,
    /// Anything else, by its name: restored, tagged, …
    Other(String),
}

/// What a payload turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    /// A schedule's turn, by an EventBridge rule or EventBridge Scheduler.
    Schedule,
    /// Events about objects, each by itself: one that cannot be read takes no other with it.
    Objects(Vec<Result<ObjectEvent, EventError>>),
    /// The message S3 sends once, when notifications are configured.
    Test,
}

/// A payload, or an event in it, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is none of the envelopes.
    #[error("the payload is no event known here ({found}); expected a schedule's event or an S3 object event")]
    Unknown {
        /// What it looked like: its `detail-type`, or its fields.
        found: String,
    },
    /// It is one of them, with something missing or of the wrong type.
    #[error("a {envelope} event has an unexpected shape: {reason}")]
    Malformed {
        /// Which envelope it is.
        envelope: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The object's key is no text.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Envelope {
    /// Reads a payload: an S3 notification (AWS, "Event message structure"), an S3 event through `EventBridge` (AWS,
    /// "EventBridge event message structure"), or a schedule's event.
    pub fn read(payload: &Value) -> Result<Self, EventError> {
        if let Some(records) = payload.get("Records").and_then(Value::as_array) {
            return Ok(Self::Objects(records.iter().map(notification).collect()));
        }
        if payload.get("Event").is_some_and(|event| event == "s3:TestEvent") {
            return Ok(Self::Test);
        }
        match (field(payload, "source"), field(payload, "detail-type")) {
            (_, "Scheduled Event") => Ok(Self::Schedule),
            ("aws.s3", kind) => Ok(Self::Objects(vec![through_eventbridge(payload, kind)])),
            _ => Err(EventError::Unknown { found: describe(payload) }),
        }
    }
}

fn field<'a>(payload: &'a Value, name: &str) -> &'a str {
    payload.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Enough of a payload to recognise it, and nothing of what may be secret in it: the names of its fields.
fn describe(payload: &Value) -> String {
    const MOST: usize = 8;
    match payload {
        Value::Object(fields) if fields.contains_key("detail-type") => {
            format!("detail-type {:?} from {:?}", field(payload, "detail-type"), field(payload, "source"))
        }
        Value::Object(fields) if fields.is_empty() => "an empty object".to_owned(),
        Value::Object(fields) => {
            format!("an object with {}", fields.keys().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        Value::Array(_) => "a list".to_owned(),
        _ => "neither an object nor a list".to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    event_name: String,
    s3: Place,
}

#[derive(Deserialize)]
struct Place {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

/// One record of an S3 notification. Its key is form-encoded.
fn notification(record: &Value) -> Result<ObjectEvent, EventError> {
    let malformed = |error: serde_json::Error| EventError::Malformed { envelope: "S3", reason: error.to_string() };
    let Notification { event_name, s3 } = Notification::deserialize(record).map_err(malformed)?;
    // Lambda and queues get `ObjectCreated:Put`; the names in a bucket's configuration begin with `s3:`.
    let change = match event_name.trim_start_matches("s3:").split(':').next() {
        Some("ObjectCreated") => Change::Created,
        // Removed by a lifecycle rule is removed all the same.
        Some("ObjectRemoved" | "LifecycleExpiration") => Change::Removed,
        _ => Change::Other(event_name),
    };
    let key = ObjectKey::form_encoded(&s3.object.key)?.into_owned();
    Ok(ObjectEvent { change, bucket: s3.bucket.name, key })
}

/// An S3 event through `EventBridge`. Its key is written as it is.
fn through_eventbridge(payload: &Value, kind: &str) -> Result<ObjectEvent, EventError> {
    let malformed =
        |error: serde_json::Error| EventError::Malformed { envelope: "EventBridge", reason: error.to_string() };
    let place = Place::deserialize(payload.get("detail").unwrap_or(&Value::Null)).map_err(malformed)?;
    let change = match kind {
        "Object Created" => Change::Created,
        "Object Deleted" => Change::Removed,
        other => Change::Other(other.to_owned()),
    };
    Ok(ObjectEvent { change, bucket: place.bucket.name, key: ObjectKey::plain(place.object.key) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, key: &str) -> Value {
        json!({ "eventName": name, "s3": { "bucket": { "name": "archive" }, "object": { "key": key } } })
    }

    fn objects(payload: &Value) -> Vec<Result<ObjectEvent, EventError>> {
        match Envelope::read(payload) {
            Ok(Envelope::Objects(events)) => events,
            other => panic!("not about objects: {other:?}"),
        }
    }

    fn event(change: Change, key: &str) -> ObjectEvent {
        ObjectEvent { change, bucket: "archive".into(), key: ObjectKey::plain(key.to_owned()) }
    }

    #[test]
    fn keys_of_notifications_are_form_encoded() {
        let events = objects(&json!({ "Records": [record("ObjectCreated:Put", "a+b%2Bc/Firefox+Setup+60.0.exe")] }));
        assert_eq!(events, [Ok(event(Change::Created, "a b+c/Firefox Setup 60.0.exe"))]);
    }

    #[test]
    fn keys_through_eventbridge_stand_as_they_are() {
        let detail = json!({ "bucket": { "name": "archive" }, "object": { "key": "a+b%2Bc/Firefox Setup.exe" } });
        let payload = json!({ "source": "aws.s3", "detail-type": "Object Created", "detail": detail });
        assert_eq!(objects(&payload), [Ok(event(Change::Created, "a+b%2Bc/Firefox Setup.exe"))]);
    }

    #[test]
    fn a_removal_is_told_from_a_creation_in_every_envelope() {
        let removed = objects(&json!({ "Records": [
            record("ObjectRemoved:DeleteMarkerCreated", "k"),
            record("s3:ObjectRemoved:Delete", "k"),
            record("LifecycleExpiration:Delete", "k"),
            record("ObjectRestore:Post", "k"),
        ] }));
        let other = event(Change::Other("ObjectRestore:Post".into()), "k");
        let gone = event(Change::Removed, "k");
        assert_eq!(removed, [Ok(gone.clone()), Ok(gone.clone()), Ok(gone.clone()), Ok(other)]);
        let detail = json!({ "bucket": { "name": "archive" }, "object": { "key": "k" } });
        let payload = json!({ "source": "aws.s3", "detail-type": "Object Deleted", "detail": detail });
        assert_eq!(objects(&payload), [Ok(gone)]);
    }

    #[test]
    fn one_bad_record_takes_no_other_with_it() {
        let events = objects(&json!({ "Records": [
            record("ObjectCreated:Put", "%FF"), { "eventName": "x" }, 7, record("ObjectCreated:Copy", "good")
        ] }));
        assert!(matches!(events[0], Err(EventError::Key(_))));
        assert!(matches!(events[1], Err(EventError::Malformed { envelope: "S3", .. })));
        assert!(matches!(events[2], Err(EventError::Malformed { .. })));
        assert_eq!(events[3], Ok(event(Change::Created, "good")));
    }

    #[test]
    fn the_test_message_of_s3_is_known() {
        let payload = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "archive" });
        assert_eq!(Envelope::read(&payload), Ok(Envelope::Test));
    }

    #[test]
    fn anything_else_is_refused_by_what_it_looks_like_without_its_values() {
        let said = |payload: Value| Envelope::read(&payload).unwrap_err().to_string();
        assert!(said(json!({ "password": "hush" })).contains("(an object with password)"));
        assert!(!said(json!({ "password": "hush" })).contains("hush"));
        assert!(said(json!({ "source": "aws.ec2", "detail-type": "Instance" })).contains(r#"detail-type "Instance""#));
        assert!(said(json!([])).contains("a list"));
        assert!(said(json!(null)).contains("neither"));
        assert!(said(json!({})).contains("an empty object"));
    }

    proptest::proptest! {
        #[test]
        fn every_key_comes_out_the_same_of_every_envelope(key in ".*") {
            let form: String = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
                .replace("%20", "+");
            let notified = objects(&json!({ "Records": [record("ObjectCreated:Put", &form)] }));
            let detail = json!({ "bucket": { "name": "archive" }, "object": { "key": key } });
            let bridged = objects(&json!({ "source": "aws.s3", "detail-type": "Object Created", "detail": detail }));
            let expected = [Ok(event(Change::Created, &key))];
            proptest::prop_assert_eq!(&notified[..], &expected);
            proptest::prop_assert_eq!(&bridged[..], &expected);
        }

        #[test]
        fn no_payload_makes_the_reader_panic(text in r#"[\[\]{}":,a-z0-9 .%+]{0,60}"#, key in ".*", name in ".*") {
            if let Ok(payload) = serde_json::from_str::<Value>(&text) {
                let _ = Envelope::read(&payload);
                let _ = Envelope::read(&json!({ "Records": payload }));
                let _ = Envelope::read(&json!({ "source": "aws.s3", "detail-type": name, "detail": payload }));
            }
            let _ = Envelope::read(&json!({ "Records": [record(&name, &key)] }));
        }
    }
}
