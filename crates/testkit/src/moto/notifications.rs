//! Who is told of what happens in a bucket.

use reqwest::Method;
use serde_json::json;

use super::{ACCOUNT, Moto, MotoError, Queue, REGION};

const EVENTS: &str = "<Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event>";

impl Moto {
    /// Tells a queue of what happens in a bucket. S3 sends it an `s3:TestEvent` at once.
    pub async fn notify_queue(&self, bucket: &str, queue: &Queue) -> Result<(), MotoError> {
        let target = format!("<Queue>{}</Queue>{EVENTS}", queue.arn);
        self.notify(bucket, &format!("<QueueConfiguration>{target}</QueueConfiguration>")).await
    }

    /// Tells a queue by way of an SNS topic: each message is wrapped in SNS's envelope, or, where the subscription is
    /// `raw`, is as S3 made it.
    pub async fn notify_topic(&self, bucket: &str, queue: &Queue, raw: bool) -> Result<(), MotoError> {
        let topic = format!("arn:aws:sns:{REGION}:{ACCOUNT}:{bucket}");
        self.sns(&[("Action", "CreateTopic"), ("Name", bucket)]).await?;
        self.sns(&[
            ("Action", "Subscribe"),
            ("TopicArn", &topic),
            ("Protocol", "sqs"),
            ("Endpoint", &queue.arn),
            ("Attributes.entry.1.key", "RawMessageDelivery"),
            ("Attributes.entry.1.value", if raw { "true" } else { "false" }),
        ])
        .await?;
        let target = format!("<Topic>{topic}</Topic>{EVENTS}");
        self.notify(bucket, &format!("<TopicConfiguration>{target}</TopicConfiguration>")).await
    }

    /// Tells a queue by way of EventBridge, in a server that has no other such route. There is no `s3:TestEvent` here.
    pub async fn notify_event_bridge(&self, bucket: &str, queue: &Queue) -> Result<(), MotoError> {
        let pattern = json!({
            "source": ["aws.s3"],
            "detail-type": ["Object Created", "Object Deleted"],
            "detail": { "bucket": { "name": [bucket] } },
        });
        let rule = json!({ "Name": bucket, "EventPattern": pattern.to_string(), "State": "ENABLED" });
        self.call("events", "AWSEvents.PutRule", rule).await?;
        let targets = json!({ "Rule": bucket, "Targets": [{ "Id": "queue", "Arn": queue.arn }] });
        self.call("events", "AWSEvents.PutTargets", targets).await?;
        self.notify(bucket, "<EventBridgeConfiguration/>").await
    }

    async fn notify(&self, bucket: &str, configuration: &str) -> Result<(), MotoError> {
        let body = format!("<NotificationConfiguration>{configuration}</NotificationConfiguration>");
        let request = self.request(Method::PUT, "s3", &format!("/{bucket}?notification")).body(body);
        self.ask("PutBucketNotificationConfiguration", request).await.map(drop)
    }

    async fn sns(&self, parameters: &[(&str, &str)]) -> Result<(), MotoError> {
        let encode = |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        let pairs = parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let request = self.request(Method::POST, "sns", "/").body(body);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        self.ask("SNS", request).await.map(drop)
    }
}
