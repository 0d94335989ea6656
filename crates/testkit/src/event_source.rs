//! Lambda's event source mapping for SQS: takes messages from a queue, calls a function with them in batches, and leaves
//! those that failed to the queue's visibility timeout and redrive policy.
//!
//! As Lambda does (AWS, "Using Lambda with Amazon SQS"): no more calls at a time than the mapping's maximum concurrency;
//! with `ReportBatchItemFailures`, an answer without failures is a success, a named message is kept, and an answer that
//! cannot be understood keeps them all, as an error of the function does. A FIFO queue gives no message of a group while
//! another of it is in flight, so that a group has one batch at a time. Where it differs: it never slows down after
//! errors, and it waits for no fuller batch.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::emulator::{Emulator, FunctionError};
use crate::moto::{Delivery, Moto, MotoError, Queue, REGION};

/// Time between two looks at a queue that had nothing.
const LOOK: Duration = Duration::from_millis(20);
/// How often in a row a queue may fail to answer: a machine that has much to do is slow for a while.
const FAULTS: u32 = 10;

/// How a queue's messages reach a function.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Where messages come from.
    pub queue: Queue,
    /// The most messages of one call, 1 to 10.
    pub batch: usize,
    /// The most calls at a time. No more run than the emulator's pool has instances.
    pub concurrency: usize,
}

/// A running event source. It takes no more messages when it is dropped; calls that run are left alone.
#[derive(Debug)]
pub struct EventSource {
    shared: Arc<Shared>,
    task: Option<JoinHandle<Result<(), MotoError>>>,
}

#[derive(Debug)]
struct Shared {
    moto: Arc<Moto>,
    function: Arc<Emulator>,
    mapping: Mapping,
    stopped: AtomicBool,
    calls: AtomicUsize,
    failures: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl EventSource {
    /// Begins to take messages.
    pub fn start(moto: &Arc<Moto>, function: &Arc<Emulator>, mapping: Mapping) -> Self {
        let shared = Arc::new(Shared {
            moto: Arc::clone(moto),
            function: Arc::clone(function),
            mapping,
            stopped: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let task = tokio::spawn(poll(Arc::clone(&shared)));
        Self { shared, task: Some(task) }
    }

    /// How many calls were made so far.
    pub fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    /// How many of them ended with an error of the function, or without an answer.
    pub fn failures(&self) -> usize {
        self.shared.failures.load(Ordering::SeqCst)
    }

    /// The most calls that ran at a time.
    pub fn most_at_a_time(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }

    /// Waits until the queue has neither a message nor one in flight: each was done, or went to the dead letters. Where no
    /// more are taken, [`EventSource::stop`] says why.
    pub async fn drained(&self) -> Result<(), MotoError> {
        let mut turn = tokio::time::interval(LOOK);
        // The server counts those in flight after those that are visible: a message whose time is over in between is
        // in neither number. It is in the next one.
        let mut empty = 0;
        while empty < 2 {
            turn.tick().await;
            if self.task.as_ref().is_some_and(JoinHandle::is_finished) {
                return Ok(());
            }
            // One that does not answer is not known to be empty; whoever receives finds out whether it is gone.
            let counts = self.shared.moto.counts(&self.shared.mapping.queue).await;
            empty = if counts.is_ok_and(|counts| counts == crate::moto::Counts::default()) { empty + 1 } else { 0 };
        }
        Ok(())
    }

    /// Takes no more messages, and waits until the calls that run are over. An error is one of the queue.
    pub async fn stop(mut self) -> Result<(), MotoError> {
        self.shared.stopped.store(true, Ordering::SeqCst);
        match self.task.take() {
            // A poller that panicked has been seen already.
            Some(task) => task.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

impl Drop for EventSource {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
    }
}

/// The only task that receives: two at a time could be given the same message.
async fn poll(shared: Arc<Shared>) -> Result<(), MotoError> {
    let places = Arc::new(Semaphore::new(shared.mapping.concurrency.max(1)));
    let mut turn = tokio::time::interval(LOOK);
    let mut calls = tokio::task::JoinSet::new();
    let mut faults = 0;
    while !shared.stopped.load(Ordering::SeqCst) {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let batch = match shared.moto.receive(&shared.mapping.queue, shared.mapping.batch).await {
            Ok(batch) => batch,
            Err(error) if faults == FAULTS => return Err(error),
            Err(_) => {
                faults += 1;
                continue;
            }
        };
        faults = 0;
        if batch.is_empty() {
            drop(place);
            turn.tick().await;
            continue;
        }
        let shared = Arc::clone(&shared);
        calls.spawn(async move {
            shared.handle(batch).await;
            drop(place);
        });
        // Only calls that are over are looked at.
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
    Ok(())
}

impl Shared {
    /// Calls the function with a batch, and deletes what is done.
    async fn handle(&self, batch: Vec<Delivery>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let answer = self.function.invoke(&event(&self.mapping.queue, &batch)).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        if answer.is_err() {
            self.failures.fetch_add(1, Ordering::SeqCst);
        }
        let kept = kept(&answer, &batch);
        for message in batch.iter().filter(|message| !kept.contains(message.id.as_str())) {
            // A call that took longer than the queue's time has lost its messages: they come again, as in Lambda.
            let _gone = self.moto.delete(&self.mapping.queue, &message.receipt).await;
        }
    }
}

/// The event that Lambda makes of a batch (AWS, "Example Amazon SQS event").
fn event(queue: &Queue, batch: &[Delivery]) -> Value {
    let record = |message: &Delivery| {
        json!({
            "messageId": message.id,
            "receiptHandle": message.receipt,
            "body": message.body,
            "attributes": message.attributes,
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": queue.arn,
            "awsRegion": REGION,
        })
    };
    json!({ "Records": batch.iter().map(record).collect::<Vec<_>>() })
}

/// The messages that are not done, by their ids (AWS, "Handling errors for an SQS event source: Success and failure
/// conditions"): no list of failures is none; an entry that names no message of the batch is a failure of all.
fn kept<'a>(answer: &Result<Value, FunctionError>, batch: &'a [Delivery]) -> HashSet<&'a str> {
    let all = || batch.iter().map(|message| message.id.as_str()).collect();
    let failures = match answer {
        Ok(Value::Null) => return HashSet::new(),
        Ok(Value::Object(answer)) => match answer.get("batchItemFailures") {
            None | Some(Value::Null) => return HashSet::new(),
            Some(Value::Array(failures)) => failures,
            Some(_) => return all(),
        },
        Err(_) | Ok(_) => return all(),
    };
    let named = |failure: &Value| {
        let id = failure.get("itemIdentifier").and_then(Value::as_str)?;
        batch.iter().map(|message| message.id.as_str()).find(|known| *known == id)
    };
    failures.iter().map(named).collect::<Option<HashSet<_>>>().unwrap_or_else(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Vec<Delivery> {
        let message = |id: &str| Delivery {
            id: id.into(),
            receipt: format!("receipt of {id}"),
            body: "{}".into(),
            attributes: serde_json::Map::new(),
        };
        vec![message("a"), message("b")]
    }

    fn keeps(answer: Value) -> Vec<String> {
        let batch = batch();
        let mut kept: Vec<_> = kept(&Ok(answer), &batch).into_iter().map(str::to_owned).collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn an_answer_without_failures_is_a_success_of_all() {
        for answer in [json!(null), json!({}), json!({ "batchItemFailures": [] }), json!({ "batchItemFailures": null })]
        {
            assert_eq!(keeps(answer), [""; 0]);
        }
    }

    #[test]
    fn the_messages_that_are_named_are_kept_alone() {
        assert_eq!(keeps(json!({ "batchItemFailures": [{ "itemIdentifier": "b" }] })), ["b"]);
    }

    #[test]
    fn an_answer_that_cannot_be_understood_keeps_all() {
        for answer in [
            json!("done"),
            json!([]),
            json!({ "batchItemFailures": "b" }),
            json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }),
            json!({ "batchItemFailures": [{ "itemIdentifier": null }] }),
            json!({ "batchItemFailures": [{ "messageId": "b" }] }),
            json!({ "batchItemFailures": [{ "itemIdentifier": "b" }, { "itemIdentifier": "nobody" }] }),
        ] {
            assert_eq!(keeps(answer.clone()), ["a", "b"], "{answer}");
        }
    }

    #[test]
    fn an_error_of_the_function_keeps_all() {
        let batch = batch();
        let answer = Err(FunctionError::Function { kind: "Store".into(), message: "no".into() });
        assert_eq!(kept(&answer, &batch).len(), 2);
    }
}
