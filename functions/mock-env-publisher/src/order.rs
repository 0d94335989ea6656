//! One environment: what is asked for, and what came of it.

use std::time::{Duration, Instant};

use buildhub_core::Deadline;
use buildhub_environments::build::{BuildError, Order, Outcome};
use buildhub_environments::progress::Nobody;
use buildhub_environments::publish::Build;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Context, Error, metrics};

/// What is left for an answer, when time is over.
const MARGIN: Duration = Duration::from_secs(3);

/// An environment that is asked for: a message of the queue, or the payload of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Ask {
    /// A definition of those that the function plans.
    Key {
        /// Its key: `linux64.toml`.
        key: String,
    },
    /// A definition that is given, for once.
    Given {
        /// Its name: labels belong to it.
        name: String,
        /// The definition, in TOML.
        definition: String,
    },
}

impl Ask {
    /// What a call asks for; `None` where the payload is an event.
    pub(crate) fn of_payload(payload: &Value) -> Result<Option<Self>, Error> {
        if payload.get("key").is_none() && payload.get("definition").is_none() {
            return Ok(None);
        }
        let reason = |error: serde_json::Error| Error::Ask { reason: error.to_string() };
        Self::deserialize(payload).map(Some).map_err(reason)
    }

    /// What a message asks for.
    pub(crate) fn of_message(body: &str) -> Result<Self, Error> {
        serde_json::from_str(body).map_err(|error| Error::Ask { reason: error.to_string() })
    }

    /// What it is called in logs.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Key { key } => key,
            Self::Given { name, .. } => name,
        }
    }

    async fn order(&self, context: &Context) -> Result<Order, Error> {
        Ok(match self {
            Self::Key { key } => {
                Order::of_object(context.definitions().await.as_ref(), &context.definitions, key).await?
            }
            Self::Given { name, definition } => Order::of_text(definition, name, context.definitions.clone())?,
        })
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The definition's name.
    pub definition: String,
    /// Whether it was built; else it had been before.
    pub built: bool,
    /// Whether the list of environments changed.
    pub changed: bool,
    /// What is published.
    #[serde(flatten)]
    pub build: Build,
}

/// Publishes one environment.
pub(crate) async fn publish(ask: &Ask, context: &Context, deadline: Deadline) -> Result<Published, Error> {
    let (began, now) = (Instant::now(), Timestamp::now());
    let order = ask.order(context).await?;
    let publisher = context.publisher().await;
    let publishing = context.builder.publish(&order, &publisher, now, deadline, &Nobody);
    let done = Box::pin(deadline.allow(MARGIN, publishing)).await.unwrap_or(Err(BuildError::Late));
    let Outcome { build, built, changed, pointers } = done?;
    let (definition, took) = (order.name, began.elapsed());
    tracing::info!(definition, name = build.name, lock = build.lock, built, changed, pointers, ?took, "published");
    metrics::of_one(built, changed, build.size, took);
    Ok(Published { definition, built, changed, build })
}
