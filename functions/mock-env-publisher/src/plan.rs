//! A schedule's turn: each definition is looked at, and becomes a message.

use std::collections::BTreeMap;

use buildhub_core::queue::Outgoing;
use buildhub_environments::build::Order;
use serde::Serialize;

use crate::order::Ask;
use crate::{Context, Error, metrics};

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Planned {
    /// Definitions that became a message.
    pub planned: Vec<String>,
    /// Definitions that cannot be used, each with its reason.
    pub refused: BTreeMap<String, String>,
}

/// Sends a message for each definition that can be used. One that cannot leaves the others alone.
pub(crate) async fn plan(context: &Context) -> Result<Planned, Error> {
    let store = context.definitions().await;
    let mut planned = Planned::default();
    let mut labels = BTreeMap::new();
    let listing = store.list("").await?;
    for key in listing.objects.into_iter().map(|entry| entry.key).filter(|key| key.strip_suffix(".toml").is_some()) {
        match Order::of_object(store.as_ref(), &context.definitions, &key).await {
            Ok(order) => match claimed(&order, &key, &mut labels) {
                None => planned.planned.push(key),
                Some(reason) => drop(planned.refused.insert(key, reason)),
            },
            // Who gets the message reads it again, and tries for longer.
            Err(error) if error.is_transient() => {
                tracing::warn!(definition = key, %error, "a definition cannot be read now; its message is sent all the same");
                planned.planned.push(key);
            }
            Err(error) => drop(planned.refused.insert(key, error.to_string())),
        }
    }
    for (key, reason) in &planned.refused {
        tracing::error!(definition = key, reason, "a definition cannot be used; the others go on");
    }
    let messages = planned.planned.iter().map(|key| message(key)).collect();
    context.queue().await.send(messages).await?;
    tracing::info!(planned = planned.planned.len(), refused = planned.refused.len(), "planned");
    metrics::of_plan(planned.planned.len(), planned.refused.len());
    Ok(planned)
}

/// Notes the labels of a definition; why it cannot be used, where another has one of them already: it would be taken to
/// and fro, every day.
fn claimed(order: &Order, key: &str, labels: &mut BTreeMap<String, String>) -> Option<String> {
    let names: Vec<String> = order.definition.labels.iter().map(ToString::to_string).collect();
    let taken = names.iter().find_map(|name| Some((name, labels.get(name)?)));
    if let Some((name, other)) = taken {
        return Some(format!("{other} has the label {name} already; a label belongs to one definition"));
    }
    labels.extend(names.into_iter().map(|name| (name, key.to_owned())));
    None
}

fn message(key: &str) -> Outgoing {
    let body = serde_json::to_string(&Ask::Key { key: key.to_owned() }).unwrap_or_default();
    Outgoing { body, ..Outgoing::default() }
}
