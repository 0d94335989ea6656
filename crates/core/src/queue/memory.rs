//! A queue inside one process: what Amazon SQS is to many.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{MESSAGE_LIMIT, Outgoing, Queue, QueueError};

/// A bounded queue in memory. As in SQS, a message that was received is unseen for some time, and comes again unless it is
/// [removed](Self::remove) meanwhile. Groups and deduplication it does not know. What is in it ends with the process.
#[derive(Debug)]
pub struct MemoryQueue {
    messages: Mutex<Messages>,
    changed: Notify,
    capacity: usize,
    visibility: Duration,
}

/// Messages by the time from which they can be seen, and the order in which they came.
#[derive(Debug, Default)]
struct Messages {
    waiting: BTreeMap<(Instant, u64), Waiting>,
    next: u64,
}

#[derive(Debug, Clone)]
struct Waiting {
    body: String,
    receives: u32,
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What was sent.
    pub body: String,
    /// How often it was received, this time included.
    pub receives: u32,
    /// Where it is, as long as nobody receives it again.
    place: (Instant, u64),
}

impl MemoryQueue {
    /// A queue of at most `capacity` messages, in which one that was received is unseen for `visibility`.
    pub fn new(capacity: usize, visibility: Duration) -> Self {
        Self { messages: Mutex::default(), changed: Notify::new(), capacity, visibility }
    }

    /// Waits for a message. Dropping this loses none.
    pub async fn receive(&self) -> Delivery {
        loop {
            // Asked for before looking, so that nothing that happens meanwhile is missed.
            let changed = self.changed.notified();
            let next = match self.take(Instant::now()) {
                Ok(delivery) => return delivery,
                Err(next) => next,
            };
            match next {
                Some(at) => {
                    let _is_time = tokio::time::timeout_at(at, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// Removes a message that was received; nothing happens when somebody has received it since.
    pub fn remove(&self, delivery: &Delivery) {
        self.lock().waiting.remove(&delivery.place);
    }

    /// How many messages there are, those included that were received and not removed.
    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first message that can be seen, or when there will be one.
    fn take(&self, now: Instant) -> Result<Delivery, Option<Instant>> {
        let mut messages = self.lock();
        let Some(first) = messages.waiting.first_entry() else { return Err(None) };
        if first.key().0 > now {
            return Err(Some(first.key().0));
        }
        let ((_, number), mut message) = first.remove_entry();
        message.receives = message.receives.saturating_add(1);
        let place = (now + self.visibility, number);
        messages.waiting.insert(place, message.clone());
        // Another who waits may find one too.
        self.changed.notify_one();
        Ok(Delivery { body: message.body, receives: message.receives, place })
    }

    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Result<(), QueueError> {
        if let Some(size) = messages.iter().map(|message| message.body.len()).find(|size| *size > MESSAGE_LIMIT) {
            return Err(QueueError::TooLong { queue: self.describe(), size });
        }
        let now = Instant::now();
        let mut queue = self.lock();
        let mut unsent = messages.len();
        for message in messages {
            if queue.waiting.len() >= self.capacity {
                drop(queue);
                self.changed.notify_one();
                let reason = format!("it is full: it takes {} messages", self.capacity);
                return Err(QueueError::Unavailable { queue: self.describe(), unsent, reason });
            }
            let number = queue.next;
            queue.next += 1;
            queue.waiting.insert((now + message.delay, number), Waiting { body: message.body, receives: 0 });
            unsent -= 1;
        }
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    fn describe(&self) -> String {
        "this process's queue".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Outgoing {
        Outgoing { body: body.to_owned(), ..Outgoing::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn messages_come_in_order_and_again_until_they_are_removed() {
        let queue = MemoryQueue::new(10, Duration::from_mins(1));
        queue.send(vec![message("a"), message("b")]).await.unwrap();
        let (a, b) = (queue.receive().await, queue.receive().await);
        assert_eq!((a.body.as_str(), a.receives, b.body.as_str()), ("a", 1, "b"));
        queue.remove(&b);
        let again = queue.receive().await;
        assert_eq!((again.body.as_str(), again.receives), ("a", 2));
        queue.remove(&a);
        assert_eq!(queue.len(), 1, "what was received again is the other's");
        queue.remove(&again);
        assert!(queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_is_kept_back_comes_when_it_is_time() {
        let queue = MemoryQueue::new(10, Duration::from_mins(1));
        let late = Outgoing { delay: Duration::from_secs(30), ..message("late") };
        queue.send(vec![late, message("now")]).await.unwrap();
        let began = Instant::now();
        assert_eq!(queue.receive().await.body, "now");
        assert_eq!(queue.receive().await.body, "late");
        assert_eq!(began.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_are_told_and_what_is_dropped_loses_nothing() {
        let queue = std::sync::Arc::new(MemoryQueue::new(10, Duration::from_mins(1)));
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let queue = std::sync::Arc::clone(&queue);
                tokio::spawn(async move { queue.receive().await.body })
            })
            .collect();
        assert!(tokio::time::timeout(Duration::from_secs(1), queue.receive()).await.is_err());
        queue.send(vec![message("a"), message("b"), message("c")]).await.unwrap();
        let mut bodies = Vec::new();
        for waiting in waiting {
            bodies.push(waiting.await.unwrap());
        }
        bodies.sort_unstable();
        assert_eq!(bodies, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_full_queue_says_how_many_it_did_not_take() {
        let queue = MemoryQueue::new(2, Duration::from_mins(1));
        let error = queue.send(vec![message("a"), message("b"), message("c")]).await.unwrap_err();
        assert!(matches!(error, QueueError::Unavailable { unsent: 1, .. }), "{error}");
        assert!(error.is_transient());
    }
}
