//! Amazon's services in one process do what stories about them need.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::time::Duration;

use buildhub_testkit::moto::{Counts, Delivery, Moto, Queue, QueueSettings};
use serde_json::Value;

/// A queue whose messages come again after a second.
async fn queue(moto: &Moto, name: &str) -> Queue {
    moto.create_queue(name, &QueueSettings { visibility: 1, ..QueueSettings::default() }).await.unwrap()
}

/// The next message of a queue, waited for.
async fn next(moto: &Moto, queue: &Queue) -> Delivery {
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    loop {
        if let Some(message) = moto.receive(queue, 1).await.unwrap().pop() {
            return message;
        }
        turn.tick().await;
    }
}

/// The bodies of all messages that are there, as JSON.
async fn bodies(moto: &Moto, queue: &Queue) -> Vec<Value> {
    let messages = moto.receive(queue, 10).await.unwrap();
    messages.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect()
}

#[tokio::test]
async fn a_buckets_notifications_reach_a_queue_after_a_test_event() {
    let moto = Moto::start().await.unwrap();
    let queue = queue(&moto, "events").await;
    moto.create_bucket("builds").await.unwrap();
    moto.notify_queue("builds", &queue).await.unwrap();
    moto.put_object("builds", "pub/Firefox Setup+1.exe", "MZ").await.unwrap();
    moto.delete_object("builds", "pub/Firefox Setup+1.exe").await.unwrap();

    let bodies = bodies(&moto, &queue).await;
    assert_eq!(bodies[0]["Event"], "s3:TestEvent");
    let record = |number: usize| &bodies[number]["Records"][0];
    assert_eq!(record(1)["eventName"], "ObjectCreated:Put");
    assert_eq!(record(1)["s3"]["object"]["key"], "pub%2FFirefox+Setup%2B1.exe");
    assert_eq!(record(1)["s3"]["object"]["size"], 2);
    assert_eq!(record(2)["eventName"], "ObjectRemoved:Delete");
    assert_eq!(bodies.len(), 3);
}

#[tokio::test]
async fn a_topic_wraps_a_notification_unless_its_subscription_is_raw() {
    let moto = Moto::start().await.unwrap();
    for (bucket, raw) in [("wrapped", false), ("raw", true)] {
        let queue = queue(&moto, bucket).await;
        moto.create_bucket(bucket).await.unwrap();
        moto.notify_topic(bucket, &queue, raw).await.unwrap();
        moto.put_object(bucket, "a.exe", "MZ").await.unwrap();
        let bodies = bodies(&moto, &queue).await;
        assert_eq!(bodies.len(), 2, "a test event, and one of the object");
        let event = match bodies[1]["Message"].as_str() {
            Some(inside) => serde_json::from_str(inside).unwrap(),
            None => bodies[1].clone(),
        };
        assert_eq!(bodies[1]["Type"] == "Notification", !raw);
        assert_eq!(event["Records"][0]["s3"]["bucket"]["name"], bucket);
    }
}

#[tokio::test]
async fn event_bridge_sends_a_buckets_events_with_their_keys_as_they_are() {
    let moto = Moto::start().await.unwrap();
    let queue = queue(&moto, "events").await;
    moto.create_bucket("builds").await.unwrap();
    moto.notify_event_bridge("builds", &queue).await.unwrap();
    moto.put_object("builds", "pub/Firefox Setup+1.exe", "MZ").await.unwrap();
    let bodies = bodies(&moto, &queue).await;
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(bodies[0]["detail-type"], "Object Created");
    assert_eq!(bodies[0]["detail"]["object"]["key"], "pub/Firefox Setup+1.exe");
}

#[tokio::test]
async fn a_message_that_is_not_deleted_comes_again_and_goes_to_the_dead_letters_in_the_end() {
    let moto = Moto::start().await.unwrap();
    let dead = queue(&moto, "dead").await;
    let settings = QueueSettings { visibility: 1, dead_letters: Some((&dead, 2)), ..QueueSettings::default() };
    let queue = moto.create_queue("events", &settings).await.unwrap();
    moto.send(&queue, "never", None).await.unwrap();

    let first = next(&moto, &queue).await;
    assert_eq!(moto.counts(&queue).await.unwrap().in_flight, 1);
    let second = next(&moto, &queue).await;
    assert_eq!(second.id, first.id);
    assert_eq!(second.attributes["ApproximateReceiveCount"], "2");
    assert!(second.attributes["SentTimestamp"].is_string());

    // It goes over when it would be received once more.
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    while moto.counts(&dead).await.unwrap().visible == 0 {
        assert_eq!(moto.receive(&queue, 1).await.unwrap(), []);
        turn.tick().await;
    }
    assert_eq!(next(&moto, &dead).await.body, "never");
    assert_eq!(moto.counts(&queue).await.unwrap(), Counts::default());
}

#[tokio::test]
async fn a_fifo_group_waits_for_its_message_in_flight_and_another_group_does_not() {
    let moto = Moto::start().await.unwrap();
    let settings = QueueSettings { visibility: 60, fifo: true, ..QueueSettings::default() };
    let queue = moto.create_queue("records.fifo", &settings).await.unwrap();
    for (body, group) in [("a1", "a"), ("a2", "a"), ("b1", "b")] {
        moto.send(&queue, body, Some(group)).await.unwrap();
    }
    let first = next(&moto, &queue).await;
    assert_eq!(first.body, "a1");
    assert_eq!(first.attributes["MessageGroupId"], "a");
    assert_eq!(next(&moto, &queue).await.body, "b1", "a is locked");
    assert_eq!(moto.receive(&queue, 1).await.unwrap(), []);
    moto.delete(&queue, &first.receipt).await.unwrap();
    assert_eq!(next(&moto, &queue).await.body, "a2");
}

#[tokio::test]
async fn what_nobody_answered_comes_again_in_the_order_of_its_group() {
    let moto = Moto::start().await.unwrap();
    let settings = QueueSettings { visibility: 1, fifo: true, ..QueueSettings::default() };
    let queue = moto.create_queue("records.fifo", &settings).await.unwrap();
    for body in ["a1", "a2", "a3"] {
        moto.send(&queue, body, Some("a")).await.unwrap();
    }
    // Whoever took the first two is never heard of again.
    assert_eq!(moto.receive(&queue, 2).await.unwrap().len(), 2);
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    while moto.counts(&queue).await.unwrap() != (Counts { visible: 3, in_flight: 0 }) {
        turn.tick().await;
    }
    for body in ["a1", "a2", "a3"] {
        let message = next(&moto, &queue).await;
        assert_eq!(message.body, body);
        moto.delete(&queue, &message.receipt).await.unwrap();
    }
}

#[tokio::test]
async fn secrets_and_parameters_are_known_by_their_arns() {
    let moto = Moto::start().await.unwrap();
    let secret = moto.create_secret("buildhub/auth", "user:pass").await.unwrap();
    assert!(secret.starts_with("arn:aws:secretsmanager:us-east-1:123456789012:secret:buildhub/auth-"), "{secret}");
    let parameter = moto.put_parameter("/buildhub/auth", "user:pass").await.unwrap();
    assert_eq!(parameter, "arn:aws:ssm:us-east-1:123456789012:parameter/buildhub/auth");
    assert!(moto.put_parameter("/buildhub/auth", "twice").await.unwrap_err().to_string().contains("already exists"));
}
