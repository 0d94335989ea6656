//! Amazon SQS, or a server that speaks like it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use buildhub_http::Backoff;
use tokio::sync::OnceCell;

use super::calls::Calls;
use super::{DELAY_LIMIT, MESSAGE_LIMIT, Outgoing, Queue, QueueError, SharedQueue};
use crate::aws::AwsSettings;
use crate::aws::fault::{Fault, passes};

/// How often the messages of one call are offered, the first time included. A call that fails as a whole is repeated
/// by the SDK.
const ROUNDS: u32 = 5;
/// The longest that a message may stay unseen (AWS, `ChangeMessageVisibility`).
const UNSEEN_LIMIT: Duration = Duration::from_hours(12);
/// The waits between them.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(400), Duration::from_secs(10));

const NO_CREDENTIALS: &str =
    "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE)";

/// Opens queues. The client is made when the first queue is asked for.
#[derive(Debug)]
pub struct Queues {
    settings: AwsSettings,
    client: OnceCell<Client>,
}

impl Queues {
    /// Queues that are reached by `settings` (of [`Service::Sqs`](crate::aws::Service::Sqs)).
    pub fn new(settings: AwsSettings) -> Self {
        Self { settings, client: OnceCell::new() }
    }

    /// The queue with this address (`https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`). Nothing is asked of it yet.
    pub async fn open(&self, url: &str) -> SharedQueue {
        let connect = async || Client::new(&crate::aws::load(&self.settings).await);
        let client = self.client.get_or_init(connect).await.clone();
        Arc::new(SqsQueue { client, url: url.to_owned(), region: self.settings.region.clone() })
    }
}

/// One queue.
#[derive(Debug)]
struct SqsQueue {
    client: Client,
    url: String,
    region: String,
}

/// What became of the messages of one call.
#[derive(Default)]
struct Rest {
    /// Those that may be taken the next time, and why they were not.
    again: Vec<Outgoing>,
    busy: String,
    /// How many will never be taken, and why.
    refused: usize,
    reason: String,
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Result<(), QueueError> {
        if let Some(size) = messages.iter().map(|message| message.body.len()).find(|size| *size > MESSAGE_LIMIT) {
            return Err(QueueError::TooLong { queue: self.url.clone(), size });
        }
        let mut left = messages.len();
        let (mut refused, mut reason) = (0, String::new());
        for call in Calls::new(messages.into_iter()) {
            let offered = call.len();
            let rest = self.persist(call).await.map_err(|fault| self.error(&fault, refused + left))?;
            left -= offered;
            if rest.refused > 0 {
                (refused, reason) = (refused + rest.refused, rest.reason);
            }
            if !rest.again.is_empty() {
                let unsent = refused + left + rest.again.len();
                return Err(QueueError::Unavailable { queue: self.url.clone(), unsent, reason: rest.busy });
            }
        }
        match refused {
            0 => Ok(()),
            unsent => Err(QueueError::Refused { queue: self.url.clone(), unsent, reason }),
        }
    }

    async fn again_after(&self, receipt: &str, delay: Duration) -> Result<(), QueueError> {
        let seconds = i32::try_from(delay.min(UNSEEN_LIMIT).as_secs()).unwrap_or_default();
        let request = self.client.change_message_visibility().queue_url(&self.url).receipt_handle(receipt);
        let said = request.visibility_timeout(seconds).send().await;
        let unchanged = |reason| QueueError::Unchanged { queue: self.url.clone(), reason };
        said.map(drop).map_err(|error| match Fault::of(&error) {
            Fault::NoCredentials => unchanged(NO_CREDENTIALS.to_owned()),
            Fault::Unreachable(reason) | Fault::Unsendable(reason) => unchanged(reason),
            Fault::Answered { status, code, said } if crate::aws::fault::denies(status, &code) => {
                unchanged(format!("{said}; check that the policy allows sqs:ChangeMessageVisibility"))
            }
            Fault::Answered { said, .. } => unchanged(said),
        })
    }

    fn describe(&self) -> String {
        self.url.clone()
    }
}

impl SqsQueue {
    /// Offers the messages of one call until none is left that could be taken.
    async fn persist(&self, call: Vec<Outgoing>) -> Result<Rest, Fault> {
        let mut rest = Rest { again: call, ..Rest::default() };
        for round in 0..ROUNDS {
            if round > 0 {
                BACKOFF.pause(round - 1).await;
            }
            let Rest { again, busy, refused, reason } = self.offer(rest.again).await?;
            rest.again = again;
            rest.busy = busy;
            if refused > 0 {
                (rest.refused, rest.reason) = (rest.refused + refused, reason);
            }
            if rest.again.is_empty() {
                break;
            }
        }
        Ok(rest)
    }

    /// Makes one call.
    async fn offer(&self, messages: Vec<Outgoing>) -> Result<Rest, Fault> {
        let entries = messages.iter().enumerate().map(|(number, message)| entry(number, message));
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|error| Fault::Unsendable(error.to_string()))?;
        let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| Fault::of(&error))?;
        let mut rest = Rest::default();
        for (number, message) in messages.into_iter().enumerate() {
            let id = number.to_string();
            if answer.successful().iter().any(|taken| taken.id() == id) {
                continue;
            }
            match answer.failed().iter().find(|failed| failed.id() == id) {
                Some(failed) if failed.sender_fault() && !passes(0, failed.code()) => {
                    rest.refused += 1;
                    rest.reason = said(failed);
                }
                Some(failed) => {
                    rest.busy = said(failed);
                    rest.again.push(message);
                }
                None => {
                    "the server's answer leaves a message out".clone_into(&mut rest.busy);
                    rest.again.push(message);
                }
            }
        }
        Ok(rest)
    }

    fn error(&self, fault: &Fault, unsent: usize) -> QueueError {
        let queue = self.url.clone();
        let refused = |reason| QueueError::Refused { queue: queue.clone(), unsent, reason };
        match fault {
            Fault::NoCredentials => refused(NO_CREDENTIALS.to_owned()),
            Fault::Unreachable(reason) => QueueError::Unavailable { queue, unsent, reason: reason.clone() },
            Fault::Unsendable(reason) => refused(reason.clone()),
            Fault::Answered { status, code, said } if passes(*status, code) => {
                QueueError::Unavailable { queue, unsent, reason: said.clone() }
            }
            Fault::Answered { code, said, .. } if is_missing(code) => {
                refused(format!("{said}; make it, or set AWS_REGION to its region ({} is asked)", self.region))
            }
            Fault::Answered { status, code, said } if crate::aws::fault::denies(*status, code) => {
                refused(format!("{said}; check the credentials, and that the policy allows sqs:SendMessage"))
            }
            Fault::Answered { said, .. } => refused(said.clone()),
        }
    }
}

/// A queue that is not there, by the names of both of the service's protocols.
fn is_missing(code: &str) -> bool {
    code.contains("QueueDoesNotExist") || code.contains("NonExistentQueue")
}

/// A message as the call has it, named by its number.
fn entry(number: usize, message: &Outgoing) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    SendMessageBatchRequestEntry::builder()
        .id(number.to_string())
        .message_body(&message.body)
        .set_message_group_id(message.group.clone())
        .set_message_deduplication_id(message.deduplication.clone())
        .set_delay_seconds(delay(message))
        .build()
}

/// Seconds, where there are any: a FIFO queue refuses even a zero.
fn delay(message: &Outgoing) -> Option<i32> {
    let seconds = message.delay.min(DELAY_LIMIT).as_secs();
    i32::try_from(seconds).ok().filter(|seconds| *seconds > 0)
}

fn said(failed: &BatchResultErrorEntry) -> String {
    match failed.message() {
        Some(message) => format!("the server answered {}: {message}", failed.code()),
        None => format!("the server answered {}", failed.code()),
    }
}
