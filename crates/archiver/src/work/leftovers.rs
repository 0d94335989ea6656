//! What a worker that died left in the regions: uploads that nobody completes, and objects by hidden keys.

use std::time::Duration;

use buildhub_core::store::{ObjectStore as _, StoreError};
use futures::future;

use crate::copy::INCOMING;
use crate::regions::{Region, Regions};
use crate::task::Task;

/// How long a region may take. A worker's lease is longer, and a region that hangs must not keep it from the others.
const LONGEST: Duration = Duration::from_secs(10);
/// The most uploads of one task that are looked at in one go.
const MOST: usize = 100;

/// Removes what workers of a task left. Only who holds its lease does: another's work would be undone.
pub(crate) async fn clear(regions: &Regions, task: &Task) {
    let cleared = regions.iter().map(|region| async move {
        let cleared = tokio::time::timeout(LONGEST, clear_region(region, task)).await;
        let reason = match cleared {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {LONGEST:?}"),
        };
        tracing::warn!(task = task.id, region = region.name, error = reason, "what a worker left is swept later");
    });
    future::join_all(cleared).await;
}

async fn clear_region(region: &Region, task: &Task) -> Result<(), StoreError> {
    let hidden = format!("{INCOMING}{}/", task.id);
    let mut uploads = region.store.uploads(&hidden, MOST).await?;
    let key = &task.subject.key;
    // Archives of its sub-folders have keys that begin with it.
    uploads.extend(region.store.uploads(key, MOST).await?.into_iter().filter(|found| found.upload.key == *key));
    for found in uploads {
        region.store.abort(&found.upload).await?;
    }
    for entry in region.store.list(&hidden).await?.objects {
        region.store.delete(&entry.key).await?;
    }
    Ok(())
}
