//! Queues and their messages.

use serde_json::{Map, Value, json};

use super::{ACCOUNT, Moto, MotoError, REGION, text};

/// How a queue is to be.
#[derive(Debug, Clone, Default)]
pub struct QueueSettings<'a> {
    /// How long a message that was received stays unseen, in seconds; 0 is taken as 1.
    pub visibility: u32,
    /// Whether it is a FIFO queue; its name ends in `.fifo` then.
    pub fifo: bool,
    /// Where messages go that were received this often without being deleted.
    pub dead_letters: Option<(&'a Queue, u32)>,
}

/// A queue of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its address, as programs name it.
    pub url: String,
    /// Its name to other services.
    pub arn: String,
}

/// How many messages a queue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Those that can be received.
    pub visible: u64,
    /// Those that were received, and neither deleted nor given back.
    pub in_flight: u64,
}

/// A message as it was received.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its id, the same each time it is received.
    pub id: String,
    /// What it is deleted by; another each time.
    pub receipt: String,
    /// What it says.
    pub body: String,
    /// Its system attributes (`ApproximateReceiveCount`, `SentTimestamp`, `MessageGroupId`, …), all text.
    pub attributes: Map<String, Value>,
}

impl Moto {
    /// Makes a queue.
    pub async fn create_queue(&self, name: &str, settings: &QueueSettings<'_>) -> Result<Queue, MotoError> {
        let mut attributes = Map::new();
        attributes.insert("VisibilityTimeout".into(), settings.visibility.max(1).to_string().into());
        if settings.fifo {
            attributes.insert("FifoQueue".into(), "true".into());
        }
        if let Some((queue, receives)) = settings.dead_letters {
            let policy = json!({ "deadLetterTargetArn": queue.arn, "maxReceiveCount": receives });
            attributes.insert("RedrivePolicy".into(), policy.to_string().into());
        }
        let answer = self.sqs("CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await?;
        let url = text("CreateQueue", &answer, "QueueUrl")?;
        Ok(Queue { url, arn: format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}") })
    }

    /// How many messages a queue has now.
    pub async fn counts(&self, queue: &Queue) -> Result<Counts, MotoError> {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let request = json!({ "QueueUrl": queue.url, "AttributeNames": names });
        let answer = self.sqs("GetQueueAttributes", request).await?;
        let count = |name| {
            let value = answer.pointer(&format!("/Attributes/{name}")).and_then(Value::as_str);
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        let [visible, in_flight] = names.map(count);
        Ok(Counts { visible, in_flight })
    }

    /// Sends a message; `group` is its FIFO group, in which the same body twice is two messages.
    pub async fn send(&self, queue: &Queue, body: &str, group: Option<&str>) -> Result<(), MotoError> {
        // What is null counts as not given.
        let number = group.map(|_| self.number().to_string());
        let request = json!({
            "QueueUrl": queue.url,
            "MessageBody": body,
            "MessageGroupId": group,
            "MessageDeduplicationId": number,
        });
        self.sqs("SendMessage", request).await.map(drop)
    }

    /// Receives at most `most` messages (1 to 10) that are there now. They stay unseen for the queue's time.
    pub async fn receive(&self, queue: &Queue, most: usize) -> Result<Vec<Delivery>, MotoError> {
        let request = json!({
            "QueueUrl": queue.url,
            "MaxNumberOfMessages": most.clamp(1, 10),
            "WaitTimeSeconds": 0,
            "AttributeNames": ["All"],
        });
        let answer = self.sqs("ReceiveMessage", request).await?;
        let messages = answer.get("Messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        messages.iter().map(delivery).collect()
    }

    /// Removes a message that was received.
    pub async fn delete(&self, queue: &Queue, receipt: &str) -> Result<(), MotoError> {
        let request = json!({ "QueueUrl": queue.url, "ReceiptHandle": receipt });
        self.sqs("DeleteMessage", request).await.map(drop)
    }

    async fn sqs(&self, action: &str, request: Value) -> Result<Value, MotoError> {
        self.call("sqs", &format!("AmazonSQS.{action}"), request).await
    }
}

fn delivery(message: &Value) -> Result<Delivery, MotoError> {
    let field = |name| text("ReceiveMessage", message, name);
    let attributes = message.get("Attributes").and_then(Value::as_object).cloned().unwrap_or_default();
    Ok(Delivery { id: field("MessageId")?, receipt: field("ReceiptHandle")?, body: field("Body")?, attributes })
}
