//! The messages of the queue, one after another.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use buildhub_archiver::task;
use buildhub_archiver::work::Worker;
use buildhub_core::Deadline;
use buildhub_core::event::{BatchResponse, Message};
use futures::FutureExt as _;
use jiff::Timestamp;

use crate::metrics::Numbers;

/// With less time than this nothing more is begun.
const LEAST: Duration = Duration::from_secs(10);

/// Works on messages; says which must come again.
pub(crate) async fn handle(worker: &Worker, messages: Vec<Message>, deadline: Deadline) -> BatchResponse {
    let mut again = Vec::new();
    let mut numbers = Numbers::default();
    for message in messages {
        if deadline.is_within(LEAST) || !work(worker, &message, deadline, &mut numbers).await {
            again.push(message.id);
        }
    }
    numbers.emit(Timestamp::now());
    again.into_iter().collect()
}

/// Works on one message; whether it is done with.
async fn work(worker: &Worker, message: &Message, deadline: Deadline, numbers: &mut Numbers) -> bool {
    let order = match task::Message::parse(&message.body) {
        Ok(order) => order,
        // The same bytes will be no order the next time either.
        Err(error) => {
            tracing::error!(message = message.id, %error, "a message names no task and is dropped");
            numbers.faults += 1;
            return true;
        }
    };
    let (task, generation, began) = (order.task.as_str(), order.generation, Instant::now());
    // A panic is this message's affair: it is in the log and reported by now, and the others go on.
    let handling = AssertUnwindSafe(worker.handle(&order, Timestamp::now(), deadline)).catch_unwind();
    match handling.await {
        Ok(Ok(outcome)) => {
            let took = began.elapsed();
            tracing::info!(task, generation, outcome = outcome.name(), ?outcome, ?took, "handled");
            numbers.add(&outcome, took);
            true
        }
        Ok(Err(error)) if error.is_lasting() => {
            tracing::error!(task, generation, %error, "a message's task cannot be worked on, and the message is dropped");
            numbers.faults += 1;
            true
        }
        Ok(Err(error)) => {
            tracing::error!(task, generation, received = message.receives, %error, "a message comes again");
            numbers.faults += 1;
            false
        }
        Err(_) => {
            tracing::error!(task, generation, "the worker broke; the message comes again");
            numbers.faults += 1;
            false
        }
    }
}
