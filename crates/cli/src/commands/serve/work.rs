//! Workers of one process, and its sweeps: until they are stopped.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use buildhub_core::queue::{Delivery, MemoryQueue};
use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Time between two sweeps.
const SWEEP: Duration = Duration::from_mins(1);

/// How long what was begun may take when the process stops. What is left is broken off, as if the process had died, and a
/// sweep of the next one finds it.
const STOPPING: Duration = Duration::from_secs(10);

/// How often in a row a message is tried. Then what is behind it in its group is next, and a sweep sends it again, as where
/// Amazon SQS would have laid it to the dead letters.
const TRIES: u32 = 60;

/// Workers and sweeps, until they are stopped.
pub(super) struct Workers {
    running: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// What a worker made of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// It is done with, or will never be.
    Done,
    /// It comes again.
    Again,
}

impl Workers {
    pub(super) fn new() -> Self {
        Self { running: JoinSet::new(), stop: watch::channel(false).0 }
    }

    /// A worker: one message after the other. Whoever handles one that breaks it has a log of it, and the message comes again,
    /// [some times](TRIES).
    pub(super) fn work<F>(&mut self, queue: Arc<MemoryQueue>, handle: impl Fn(Delivery) -> F + Send + 'static)
    where
        F: Future<Output = Made> + Send,
    {
        let mut stopped = self.stop.subscribe();
        self.running.spawn(async move {
            loop {
                let delivery = tokio::select! {
                    biased;
                    _ = stopped.wait_for(|is| *is) => return,
                    delivery = queue.receive() => delivery,
                };
                let made = AssertUnwindSafe(handle(delivery.clone())).catch_unwind().await.unwrap_or_else(|_| {
                    // It is in the log and reported by now, and is tried again as after a crash.
                    tracing::error!(body = delivery.body, "a worker broke; its message comes again");
                    Made::Again
                });
                if made == Made::Done || delivery.receives >= TRIES {
                    queue.remove(&delivery);
                }
            }
        });
    }

    /// A sweep, now and every minute.
    pub(super) fn sweep<F, E>(&mut self, name: &'static str, sweep: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), E>> + Send,
        E: Display,
    {
        let mut stopped = self.stop.subscribe();
        self.running.spawn(async move {
            let mut times = tokio::time::interval(SWEEP);
            times.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    _ = stopped.wait_for(|is| *is) => return,
                    _ = times.tick() => {}
                }
                match AssertUnwindSafe(sweep()).catch_unwind().await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(name, %error, "cannot sweep; it is tried again in a minute"),
                    Err(_) => tracing::error!(name, "the sweep broke; it is tried again in a minute"),
                }
            }
        });
    }

    /// Takes nothing more, and waits for what was taken; whether all of it came to its end.
    pub(super) async fn stop(mut self) -> bool {
        let _ = self.stop.send(true);
        let all = async { while self.running.join_next().await.is_some() {} };
        tokio::time::timeout(STOPPING, all).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use buildhub_core::queue::{Outgoing, Queue as _};
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_message_that_fails_again_and_again_keeps_what_is_behind_it_only_for_some_times() {
        let queue = Arc::new(MemoryQueue::new(10, Duration::from_secs(30)));
        let (said, mut heard) = mpsc::unbounded_channel();
        let mut workers = Workers::new();
        workers.work(Arc::clone(&queue), move |delivery| {
            let said = said.clone();
            async move {
                said.send(delivery.body.clone()).unwrap();
                match delivery.body.as_str() {
                    "fails" => Made::Again,
                    "breaks" => panic!("it breaks"),
                    _ => Made::Done,
                }
            }
        });
        let of = |body: &str| Outgoing { body: body.to_owned(), group: Some("x".to_owned()), ..Outgoing::default() };
        queue.send(vec![of("fails"), of("breaks"), of("works")]).await.unwrap();
        let mut all = Vec::new();
        for _ in 0..121 {
            all.push(heard.recv().await.unwrap());
        }
        assert_eq!(all, [["fails"; 60].as_slice(), &["breaks"; 60], &["works"]].concat());
        assert!(workers.stop().await);
        assert!(queue.is_empty());
    }
}
