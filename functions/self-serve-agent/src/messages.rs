//! The messages of the queue: groups side by side, those of a group one after another.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use buildhub_core::Deadline;
use buildhub_core::event::{BatchResponse, Message};
use buildhub_core::queue::Queue;
use buildhub_self_serve::work::{self, Agent, Handled};
use futures::FutureExt as _;
use futures::future::join_all;
use jiff::Timestamp;

use crate::metrics::Numbers;

/// How long a message waits that comes again: at first, twice as long each time, and at most.
const SOON: Duration = Duration::from_secs(10);
const LATER: Duration = Duration::from_mins(1);
/// How long it takes at most to say so: what was done counts when the invocation ends.
const SAYING: Duration = Duration::from_secs(2);
/// With less time than this nothing more is begun.
const LEAST: Duration = Duration::from_secs(10);

/// Carries out the jobs that messages name; says which messages must come again.
pub(crate) async fn handle(
    agent: &Agent,
    queue: &dyn Queue,
    messages: Vec<Message>,
    deadline: Deadline,
) -> BatchResponse {
    let mut groups: BTreeMap<Option<String>, Vec<Message>> = BTreeMap::new();
    for message in messages {
        groups.entry(message.group.clone()).or_default().push(message);
    }
    let worked = join_all(groups.into_values().map(|group| work_on(agent, group, deadline))).await;
    let mut numbers = Numbers::default();
    let mut again = Vec::new();
    for (failed, group) in worked {
        again.extend(failed);
        numbers.merge(&group);
    }
    join_all(again.iter().map(|message| again_soon(queue, message))).await;
    numbers.emit(Timestamp::now());
    again.into_iter().map(|message| message.id).collect()
}

/// Has a message come again within seconds, and not when an invocation that died would be over: a master that is started again
/// is away for seconds.
async fn again_soon(queue: &dyn Queue, message: &Message) {
    if message.receipt.is_empty() {
        return;
    }
    let delay = SOON.saturating_mul(1 << message.receives.saturating_sub(1).min(10)).min(LATER);
    let error = match tokio::time::timeout(SAYING, queue.again_after(&message.receipt, delay)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("{} does not answer within {SAYING:?}", queue.describe()),
    };
    tracing::warn!(message = message.id, error, "a message comes again only after the queue's own time");
}

/// Works on a group until one of its messages is to come again: then those behind it are too, unhandled, for they were
/// asked for after it (AWS, "Using Lambda with Amazon SQS": FIFO queues and partial batch responses).
async fn work_on(agent: &Agent, group: Vec<Message>, deadline: Deadline) -> (Vec<Message>, Numbers) {
    let mut numbers = Numbers::default();
    let mut group = group.into_iter();
    let mut again = Vec::new();
    for message in group.by_ref() {
        if deadline.is_within(LEAST) || !work(agent, &message, deadline, &mut numbers).await {
            again.push(message);
            break;
        }
    }
    again.extend(group);
    (again, numbers)
}

/// Works on one message; whether it is done with.
async fn work(agent: &Agent, message: &Message, deadline: Deadline, numbers: &mut Numbers) -> bool {
    let order = match work::Message::parse(&message.body) {
        Ok(order) => order,
        // The same bytes will name no job the next time either.
        Err(error) => {
            tracing::error!(message = message.id, %error, "a message names no job and is dropped");
            numbers.faults += 1;
            return true;
        }
    };
    let (job, began) = (order.job, Instant::now());
    // A panic is this message's affair: it is in the log and reported by now, and the others go on.
    let handling = AssertUnwindSafe(agent.handle(order, Timestamp::now(), deadline)).catch_unwind();
    match handling.await {
        Ok(Ok(Handled::Done(done))) => {
            let (took, action, who) = (began.elapsed(), done.action.kind(), &done.who);
            let body = done.complete_data.as_ref().map(|data| &data.body);
            let (errors, said) = body.map_or((true, ""), |body| (body.errors, body.msg.as_str()));
            tracing::info!(job, ?action, who, errors, said, ?took, "carried out");
            numbers.add(&done, errors);
            true
        }
        Ok(Ok(Handled::Over)) => {
            tracing::info!(job, received = message.receives, "a job was over before its message came");
            true
        }
        Ok(Ok(Handled::Unknown)) => {
            tracing::error!(job, "a message names a job that there is not, and is dropped");
            numbers.faults += 1;
            true
        }
        Ok(Err(error)) => {
            tracing::error!(job, received = message.receives, %error, "a job is not carried out yet; its message comes again");
            numbers.retried += 1;
            false
        }
        Err(_) => {
            tracing::error!(job, "the agent broke; the message comes again");
            numbers.faults += 1;
            numbers.retried += 1;
            false
        }
    }
}
