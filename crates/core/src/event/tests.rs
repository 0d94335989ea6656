//! The envelopes, from payloads as AWS sends them.

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
    let key = ObjectKey::plain(key.to_owned());
    ObjectEvent { change, bucket: "archive".into(), key, time: None, sequencer: None }
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

/// The same event in every envelope it may come in, by name. Messages of queues are as their bodies.
fn envelopes(key: &str) -> Vec<(&'static str, Value)> {
    let form: String =
        percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%20", "+");
    let notification = json!({ "Records": [record("ObjectCreated:Put", &form)] });
    let detail = json!({ "bucket": { "name": "archive" }, "object": { "key": key } });
    let bridged = json!({ "source": "aws.s3", "detail-type": "Object Created", "detail": detail });
    let sns = |inner: &Value| json!({ "Type": "Notification", "Message": inner.to_string() });
    let called = |inner: &Value| json!({ "Records": [{ "EventSource": "aws:sns", "Sns": sns(inner) }] });
    vec![
        ("a notification in SNS", called(&notification)),
        ("an EventBridge event in SNS", called(&bridged)),
        ("a notification in SNS in SQS", sns(&notification)),
        ("an EventBridge event in SNS in SQS", sns(&bridged)),
        ("a notification", notification),
        ("an EventBridge event", bridged),
    ]
}

fn batch(bodies: &[&str]) -> Value {
    let records = bodies.iter().enumerate().map(|(at, body)| {
        json!({ "messageId": format!("m{at}"), "receiptHandle": "r", "body": body, "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:builds", "awsRegion": "us-east-1",
                "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1" } })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

fn messages(payload: &Value) -> Vec<Message> {
    match Envelope::read(payload) {
        Ok(Envelope::Messages(messages)) => messages,
        other => panic!("no batch: {other:?}"),
    }
}

#[test]
fn an_event_says_when_it_happened_and_its_place_among_those_of_its_key() {
    let object = json!({ "key": "k", "sequencer": "0055AED6DCD90281E5" });
    let place = json!({ "bucket": { "name": "archive" }, "object": object });
    let notification = json!({ "Records": [
        { "eventName": "ObjectCreated:Put", "eventTime": "2018-06-01T05:12:44.190Z", "s3": place }
    ] });
    let bridged = json!({ "source": "aws.s3", "detail-type": "Object Created", "time": "2018-06-01T05:12:44.190Z",
                          "detail": place });
    for payload in [notification, bridged] {
        let event = objects(&payload).remove(0).unwrap();
        assert_eq!(event.time, Some("2018-06-01T05:12:44.19Z".parse().unwrap()));
        assert_eq!(event.sequencer.as_deref(), Some("0055AED6DCD90281E5"));
    }
    let odd = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "eventTime": "soon", "s3": place }] });
    assert_eq!(objects(&odd).remove(0).unwrap().time, None);
}

#[test]
fn a_queues_messages_are_read_one_by_one_and_a_bad_one_takes_no_other_with_it() {
    let good = json!({ "Records": [record("ObjectCreated:Put", "good")] }).to_string();
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent" }).to_string();
    let messages = messages(&batch(&["{", &good, &test, "7", &batch(&[&good]).to_string()]));
    let first = Message {
        id: "m0".into(),
        receipt: "r".into(),
        queue: "arn:aws:sqs:us-east-1:123456789012:builds".into(),
        receives: 3,
        group: None,
        body: "{".into(),
    };
    assert_eq!(messages[0], first);
    let read: Vec<_> = messages.iter().map(Message::read).collect();
    assert!(matches!(read[0], Err(EventError::Malformed { envelope: "SQS", .. })));
    assert_eq!(read[1], Ok(Envelope::Objects(vec![Ok(event(Change::Created, "good"))])));
    assert_eq!(read[2], Ok(Envelope::Test));
    assert!(matches!(read[3], Err(EventError::Unknown { .. })));
    assert!(matches!(read[4], Err(EventError::Malformed { envelope: "SQS", .. })));
}

#[test]
fn a_message_without_an_id_cannot_come_again_alone_so_its_batch_is_refused() {
    let mut payload = batch(&["{}", "{}"]);
    payload["Records"][1].as_object_mut().unwrap().remove("messageId");
    assert!(matches!(Envelope::read(&payload), Err(EventError::Malformed { envelope: "SQS", .. })));
}

#[test]
fn the_answer_to_a_queue_names_what_comes_again() {
    let answer: BatchResponse = ["m1", "m2"].into_iter().collect();
    let expected = json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }, { "itemIdentifier": "m2" }] });
    assert_eq!(serde_json::to_value(&answer).unwrap(), expected);
    assert_eq!(serde_json::to_value(BatchResponse::default()).unwrap(), json!({ "batchItemFailures": [] }));
    assert_eq!(answer.failed().collect::<Vec<_>>(), ["m1", "m2"]);
}

#[test]
fn a_topic_passes_on_the_test_message_and_each_bad_record_is_bad_alone() {
    let called = |messages: &[Value]| {
        let record =
            |message| json!({ "EventSource": "aws:sns", "Sns": { "Type": "Notification", "Message": message } });
        Envelope::read(&json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() }))
    };
    let test = json!(json!({ "Event": "s3:TestEvent" }).to_string());
    let good = json!(json!({ "Records": [record("ObjectCreated:Put", "good")] }).to_string());
    let schedule = json!(json!({ "detail-type": "Scheduled Event" }).to_string());
    assert_eq!(called(std::slice::from_ref(&test)), Ok(Envelope::Test));
    let Ok(Envelope::Objects(events)) = called(&[test, json!(7), json!("{"), schedule, good]) else { panic!() };
    assert!(events[..3].iter().all(|event| matches!(event, Err(EventError::Malformed { envelope: "SNS", .. }))));
    assert_eq!(events[3..], [Ok(event(Change::Created, "good"))]);
}

#[test]
fn envelopes_in_one_another_have_an_end() {
    let mut payload = json!({ "Event": "s3:TestEvent" });
    for depth in 0..8 {
        let expected = if depth <= 4 { Ok(Envelope::Test) } else { Err("more than 4 envelopes".to_owned()) };
        let read = Envelope::read(&payload).map_err(|error| error.to_string());
        match (read, expected) {
            (Err(error), Err(part)) => assert!(error.contains(&part), "{error}"),
            (read, expected) => assert_eq!(read, expected, "{depth}"),
        }
        payload = json!({ "Type": "Notification", "Message": payload.to_string() });
    }
}

proptest::proptest! {
    #[test]
    fn every_key_comes_out_the_same_of_every_envelope(key in ".*") {
        let expected = [Ok(event(Change::Created, &key))];
        for (name, payload) in envelopes(&key) {
            proptest::prop_assert_eq!(&objects(&payload)[..], &expected, "{}", name);
            let queued = messages(&batch(&[&payload.to_string()]));
            proptest::prop_assert_eq!(queued[0].read(), Ok(Envelope::Objects(expected.to_vec())), "{} in SQS", name);
        }
    }

    #[test]
    fn no_payload_makes_the_reader_panic(text in r#"[\[\]{}":,a-z0-9 .%+]{0,60}"#, key in ".*", name in ".*") {
        if let Ok(payload) = serde_json::from_str::<Value>(&text) {
            let _ = Envelope::read(&payload);
            let _ = Envelope::read(&json!({ "Records": payload }));
            let _ = Envelope::read(&json!({ "source": "aws.s3", "detail-type": name, "detail": payload }));
            let _ = Envelope::read(&json!({ "Type": "Notification", "Message": payload }));
            let _ = Envelope::read(&json!({ "Records": [{ "EventSource": "aws:sns", "Sns": payload }] }));
        }
        for message in messages(&batch(&[&text, &key])) {
            let _ = message.read();
        }
        let _ = Envelope::read(&json!({ "Records": [record(&name, &key)] }));
    }
}
