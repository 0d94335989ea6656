//! Events about one object, as S3 and `EventBridge` write them.

use serde::Deserialize;
use serde_json::Value;

use super::{Change, EventError, ObjectEvent, field};
use crate::ObjectKey;

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
    sequencer: Option<String>,
}

/// One record of an S3 notification. Its key is form-encoded.
pub(super) fn notification(record: &Value) -> Result<ObjectEvent, EventError> {
    let Notification { event_name, s3 } =
        Notification::deserialize(record).map_err(|error| EventError::malformed("S3", &error))?;
    // Lambda and queues get `ObjectCreated:Put`; the names in a bucket's configuration begin with `s3:`.
    let change = match event_name.trim_start_matches("s3:").split(':').next() {
        Some("ObjectCreated") => Change::Created,
        // Removed by a lifecycle rule is removed all the same.
        Some("ObjectRemoved" | "LifecycleExpiration") => Change::Removed,
        _ => Change::Other(event_name),
    };
    let key = ObjectKey::form_encoded(&s3.object.key)?.into_owned();
    // A time that cannot be read is only missed where an event's age is asked for: the event is good without it.
    let time = field(record, "eventTime").parse().ok();
    Ok(ObjectEvent { change, bucket: s3.bucket.name, key, time, sequencer: s3.object.sequencer })
}

/// An S3 event through `EventBridge`. Its key is written as it is.
pub(super) fn through_eventbridge(payload: &Value, kind: &str) -> Result<ObjectEvent, EventError> {
    let place = Place::deserialize(payload.get("detail").unwrap_or(&Value::Null))
        .map_err(|error| EventError::malformed("EventBridge", &error))?;
    let change = match kind {
        "Object Created" => Change::Created,
        "Object Deleted" => Change::Removed,
        other => Change::Other(other.to_owned()),
    };
    let time = field(payload, "time").parse().ok();
    let Place { bucket, object } = place;
    Ok(ObjectEvent {
        change,
        bucket: bucket.name,
        key: ObjectKey::plain(object.key),
        time,
        sequencer: object.sequencer,
    })
}
