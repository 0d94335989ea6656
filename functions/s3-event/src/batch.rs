//! A payload taken apart into objects, so that each is handled once.

use std::collections::HashMap;

use buildhub_core::event::{Envelope, EventError, Message, ObjectEvent};

use crate::item::{Failure, Item};

/// The events of one object, each with the message it came in.
pub(crate) type Group = Vec<(Option<String>, ObjectEvent)>;

/// What a payload holds.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The objects, in the order in which they were first named.
    pub(crate) groups: Vec<Group>,
    /// What is done with already: test messages, and what cannot be read.
    pub(crate) done: Vec<Item>,
    /// Whether a queue wants to know which of its messages come again.
    pub(crate) is_of_queue: bool,
    places: HashMap<(String, String), usize>,
}

impl Batch {
    /// Takes a payload apart.
    pub(crate) fn of(envelope: Result<Envelope, EventError>) -> Self {
        let mut batch = Self::default();
        match envelope {
            Ok(Envelope::Messages(messages)) => {
                batch.is_of_queue = true;
                for message in &messages {
                    batch.message(message);
                }
            }
            other => batch.add(None, other),
        }
        batch
    }

    fn message(&mut self, message: &Message) {
        self.add(Some(&message.id), message.read());
    }

    fn add(&mut self, message: Option<&str>, envelope: Result<Envelope, EventError>) {
        match envelope {
            Ok(Envelope::Objects(events)) => {
                for event in events {
                    match event {
                        Ok(event) => self.event(message, event),
                        Err(error) => self.done.push(Item::unreadable(message, &error)),
                    }
                }
            }
            Ok(Envelope::Test) => self.done.push(Item::without_object(message, Failure::Test)),
            Ok(Envelope::Schedule | Envelope::Messages(_)) => {
                let reason = "it is about no object; is it meant for another function?".to_owned();
                self.done.push(Item::without_object(message, Failure::Refused { reason }));
            }
            Err(error) => self.done.push(Item::unreadable(message, &error)),
        }
    }

    fn event(&mut self, message: Option<&str>, event: ObjectEvent) {
        let object = (event.bucket.clone(), event.key.to_string());
        let place = *self.places.entry(object).or_insert(self.groups.len());
        let named = (message.map(str::to_owned), event);
        match self.groups.get_mut(place) {
            Some(group) => group.push(named),
            None => self.groups.push(vec![named]),
        }
    }
}
