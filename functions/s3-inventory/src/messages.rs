//! The messages of a run that is spread over many invocations.

use std::time::Duration;

use buildhub_core::Deadline;
use buildhub_core::event::{BatchResponse, Message};
use buildhub_indexer::fanout::message::Job;
use buildhub_indexer::fanout::{Drained, FanOut, FanOutError, PartOutcome};
use jiff::Timestamp;

use crate::metrics::Steps;
use crate::run;

/// With less time than this nothing more is begun.
const LEAST: Duration = Duration::from_secs(2);

/// Works on messages, one after another; says which must come again.
///
/// In a FIFO queue nothing may overtake: what follows a message that fails comes again with it (AWS, "Handling errors
/// for an SQS event source in Lambda").
pub(crate) async fn handle(fan_out: &FanOut, messages: Vec<Message>, deadline: Deadline) -> BatchResponse {
    let mut again = Vec::new();
    let mut steps = Steps::default();
    let mut is_stopped = false;
    for message in messages {
        if is_stopped || deadline.is_within(LEAST) {
            again.push(message.id);
            continue;
        }
        if let Err(error) = work(fan_out, &message, deadline, &mut steps).await {
            tracing::error!(message = message.id, received = message.receives, %error, "a step of a run failed and comes again");
            steps.failed += 1;
            is_stopped = message.queue.strip_suffix(".fifo").is_some();
            again.push(message.id);
        }
    }
    steps.emit();
    again.into_iter().collect()
}

async fn work(fan_out: &FanOut, message: &Message, deadline: Deadline, steps: &mut Steps) -> Result<(), FanOutError> {
    let now = Timestamp::now();
    match Job::parse(&message.body) {
        Ok(Job::Part(job)) => {
            let outcome = fan_out.part(&job, deadline).await?;
            tracing::info!(run = job.run, part = job.number, hop = job.hop, ?outcome, "part");
            match outcome {
                PartOutcome::Done => steps.parts_done += 1,
                PartOutcome::Failed => steps.parts_failed += 1,
                PartOutcome::TooManyHops => {
                    steps.parts_failed += 1;
                    steps.hops_exceeded += 1;
                }
                PartOutcome::Continued | PartOutcome::Nothing => {}
            }
        }
        Ok(Job::Batch(batch)) => match fan_out.drain(&batch, message.receives, deadline).await? {
            Drained::Written(report) => {
                steps.batches_done += 1;
                tracing::info!(run = batch.run, batch = batch.id, store = ?report.store, "batch");
            }
            Drained::Nothing => {}
        },
        Ok(Job::Finish(finish)) => {
            if let Some(report) = fan_out.finish(&finish.run, now, deadline).await? {
                run::ended(&report);
            }
        }
        // The same bytes will be no job the next time either.
        Err(error) => {
            steps.dropped += 1;
            tracing::error!(message = message.id, queue = message.queue, %error, "a message is no step of a run and is dropped");
        }
    }
    Ok(())
}
