//! Asking until it is so.

use std::time::Duration;

use buildhub_http::Backoff;
use futures::future::BoxFuture;

use super::{Agent, WorkError};
use crate::backend::BackendError;

/// Waits between looks, after each asking. A build that runs needs a second or two to be stopped.
const LOOKS: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// How often it is asked for.
const ROUNDS: u32 = 5;
/// How often what is refused, or failed at, is asked for before that is believed, and the waits in between. A master that is
/// about to stop, or has just begun, refuses what it does a moment later. What it still fails at then is the message's to
/// bring again.
const TRIES: u32 = 3;
const PAUSE: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(2));

/// What a build system will have answered.
pub(super) type Answer<'a, T> = BoxFuture<'a, Result<T, BackendError>>;

impl Agent {
    /// Asks for something, which may be done twice, and looks until it is so. What was acknowledged may be lost all the
    /// same: then it is asked for again. `what` says what is not so: `request 7 is not over`.
    pub(super) async fn until<'a, T>(
        &self,
        what: impl Into<String>,
        ask: impl Fn() -> Answer<'a, ()>,
        look: impl Fn() -> Answer<'a, Option<T>>,
    ) -> Result<T, WorkError> {
        for _ in 0..ROUNDS {
            if let Err(error) = self.insist(&ask).await {
                // What cannot be done any more may be so already.
                return look().await?.ok_or_else(|| error.into());
            }
            for wait in LOOKS {
                if let Some(found) = look().await? {
                    return Ok(found);
                }
                tokio::time::sleep(wait).await;
            }
        }
        Err(WorkError::NotYet { what: what.into(), waited: LOOKS.iter().sum::<Duration>() * ROUNDS })
    }

    /// Asks for something, again where that is refused or fails, for as long as that may be of the moment. Where the build
    /// system lacks what it needs for this, that is the error.
    pub(super) async fn insist<'a, T>(&self, ask: impl Fn() -> Answer<'a, T>) -> Result<T, BackendError> {
        let mut tries = 1;
        loop {
            match ask().await {
                Err(BackendError::Refused { reason, .. } | BackendError::Failed { reason, .. }) if tries < TRIES => {
                    tracing::warn!(reason, tries, "the build system refuses; it is asked again");
                    self.backend.check().await?;
                    PAUSE.pause(tries - 1).await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }
}
