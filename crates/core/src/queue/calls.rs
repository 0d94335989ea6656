//! Which messages go together in one call.

use super::{MESSAGE_LIMIT, Outgoing};

/// The most messages of one call (AWS, `SendMessageBatch`).
const CALL: usize = 10;

/// Groups of messages, in order, each small enough for one call.
pub(super) struct Calls<I: Iterator<Item = Outgoing>>(std::iter::Peekable<I>);

impl<I: Iterator<Item = Outgoing>> Calls<I> {
    pub(super) fn new(messages: I) -> Self {
        Self(messages.peekable())
    }
}

impl<I: Iterator<Item = Outgoing>> Iterator for Calls<I> {
    type Item = Vec<Outgoing>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.0.next()?;
        let mut bytes = first.body.len();
        let mut call = vec![first];
        while call.len() < CALL {
            let Some(next) = self.0.next_if(|next| bytes + next.body.len() <= MESSAGE_LIMIT) else { break };
            bytes += next.body.len();
            call.push(next);
        }
        Some(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: usize) -> Outgoing {
        Outgoing { body: "x".repeat(body), ..Outgoing::default() }
    }

    fn sizes(bodies: &[usize]) -> Vec<usize> {
        Calls::new(bodies.iter().map(|body| message(*body))).map(|call| call.len()).collect()
    }

    #[test]
    fn ten_messages_go_in_a_call_or_fewer_when_they_are_long() {
        assert_eq!(sizes(&[]), [0usize; 0]);
        assert_eq!(sizes(&[5; 25]), [10, 10, 5]);
        assert_eq!(sizes(&[MESSAGE_LIMIT / 2; 5]), [2, 2, 1]);
        assert_eq!(sizes(&[MESSAGE_LIMIT, 1, MESSAGE_LIMIT - 1, 1]), [1, 2, 1]);
    }

    proptest::proptest! {
        #[test]
        fn no_message_is_lost_or_overtakes_another_and_no_call_is_too_large(
            bodies in proptest::collection::vec(0usize..100_000, 0..60),
        ) {
            let messages: Vec<_> = bodies.iter().map(|body| message(*body)).collect();
            let calls: Vec<_> = Calls::new(messages.clone().into_iter()).collect();
            for call in &calls {
                proptest::prop_assert!((1..=CALL).contains(&call.len()));
                proptest::prop_assert!(call.iter().map(|message| message.body.len()).sum::<usize>() <= MESSAGE_LIMIT);
            }
            proptest::prop_assert_eq!(calls.concat(), messages);
        }
    }
}
