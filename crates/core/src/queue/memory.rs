//! A queue inside one process: what Amazon SQS is to many.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{MESSAGE_LIMIT, Outgoing, Queue, QueueError};

/// A bounded queue in memory. As in SQS, a message that was received is unseen for some time, and comes again unless it is
/// [removed](Self::remove) meanwhile. Messages of one group are received one after another, in the order in which they were
/// sent: while the first one is there, received or not, those behind it stay unseen. Deduplication it does not know. What is
/// in it ends with the process.
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
    /// Of each group that has a message above, what is behind that.
    behind: HashMap<String, VecDeque<(u64, Waiting)>>,
    /// How many there are, above and behind.
    count: usize,
    next: u64,
}

#[derive(Debug, Clone)]
struct Waiting {
    body: String,
    group: Option<String>,
    receives: u32,
}

impl Messages {
    /// Adds a message that can be seen from a moment on, unless one of its group is there: then it is behind that.
    fn add(&mut self, message: Waiting, from: Instant) {
        let number = self.next;
        self.next += 1;
        self.count += 1;
        if let Some(behind) = message.group.as_ref().and_then(|group| self.behind.get_mut(group)) {
            behind.push_back((number, message));
            return;
        }
        self.behind.extend(message.group.clone().map(|group| (group, VecDeque::new())));
        self.waiting.insert((from, number), message);
    }

    /// Removes a message; the next one of its group can be seen now.
    fn remove(&mut self, place: (Instant, u64)) {
        let Some(removed) = self.waiting.remove(&place) else { return };
        self.count -= 1;
        let Some(group) = removed.group else { return };
        if let Some((number, next)) = self.behind.get_mut(&group).and_then(VecDeque::pop_front) {
            self.waiting.insert((Instant::now(), number), next);
        } else {
            self.behind.remove(&group);
        }
    }
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
        self.lock().remove(delivery.place);
        // What was behind it can be seen.
        self.changed.notify_one();
    }

    /// How many messages there are, those included that were received and not removed.
    pub fn len(&self) -> usize {
        self.lock().count
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
            if queue.count >= self.capacity {
                drop(queue);
                self.changed.notify_one();
                let reason = format!("it is full: it takes {} messages", self.capacity);
                return Err(QueueError::Unavailable { queue: self.describe(), unsent, reason });
            }
            queue.add(Waiting { body: message.body, group: message.group, receives: 0 }, now + message.delay);
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
    async fn what_is_behind_a_message_of_its_group_waits_for_it_also_where_it_comes_again() {
        let of = |group: &str, body: &str| Outgoing { group: Some(group.to_owned()), ..message(body) };
        let queue = MemoryQueue::new(10, Duration::from_mins(1));
        queue.send(vec![of("x", "x1"), of("x", "x2"), of("y", "y1"), message("alone"), of("x", "x3")]).await.unwrap();
        assert_eq!(queue.len(), 5);
        let first = queue.receive().await;
        assert_eq!(first.body, "x1");
        let other = queue.receive().await;
        assert_eq!((other.body.as_str(), queue.receive().await.body.as_str()), ("y1", "alone"), "nobody else waits");
        queue.remove(&other);
        queue.send(vec![of("y", "y2")]).await.unwrap();
        let last = queue.receive().await;
        assert_eq!(last.body, "y2");
        queue.remove(&last);

        // It fails: it is the next one all the same, and comes once more before what is behind it.
        let again = queue.receive().await;
        assert_eq!((again.body.as_str(), again.receives), ("x1", 2));
        queue.remove(&first);
        let alone = queue.receive().await;
        assert_eq!((alone.body.as_str(), alone.receives), ("alone", 2), "who had it before removes nothing");
        queue.remove(&alone);
        queue.remove(&again);
        for expected in ["x2", "x3"] {
            let next = queue.receive().await;
            assert_eq!(next.body, expected);
            queue.remove(&next);
        }
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
