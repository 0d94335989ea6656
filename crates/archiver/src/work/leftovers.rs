//! What a worker that died left in the regions: uploads that nobody completes, and objects by hidden keys.

use std::time::Duration;

use buildhub_core::store::{ObjectStore as _, StoreError};
use futures::future;
use jiff::Timestamp;

use crate::copy::INCOMING;
use crate::regions::{Region, Regions};
use crate::task::Task;

/// How long a region may take. A worker's lease is longer, and a region that hangs must not keep it from the others.
const LONGEST: Duration = Duration::from_secs(10);
/// The most uploads of one task that are looked at in one go.
const MOST: usize = 100;

/// Removes what workers of a task left, in so far as it was begun before then. Who holds the task's lease means
/// all of it; anybody else names a time before which no worker of today had begun, whose work would be undone.
pub(crate) async fn clear(regions: &Regions, task: &Task, before: Timestamp) {
    let cleared = regions.iter().map(|region| async move {
        let cleared = tokio::time::timeout(LONGEST, clear_region(region, task, before)).await;
        let reason = match cleared {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {LONGEST:?}"),
        };
        tracing::warn!(task = task.id, region = region.name, error = reason, "what a worker left is swept later");
    });
    future::join_all(cleared).await;
}

async fn clear_region(region: &Region, task: &Task, before: Timestamp) -> Result<(), StoreError> {
    let hidden = format!("{INCOMING}{}/", task.id);
    let mut uploads = region.store.uploads(&hidden, MOST).await?;
    let key = &task.subject.key;
    // Archives of its sub-folders have keys that begin with it.
    uploads.extend(region.store.uploads(key, MOST).await?.into_iter().filter(|found| found.upload.key == *key));
    for found in uploads.into_iter().filter(|found| found.begun < before) {
        region.store.abort(&found.upload).await?;
    }
    let objects = region.store.list(&hidden).await?.objects;
    for entry in objects.into_iter().filter(|entry| entry.attributes.last_modified < before) {
        region.store.delete(&entry.key).await?;
    }
    Ok(())
}
