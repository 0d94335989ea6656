//! The list: one object that several publishers change, and its history.

use buildhub_core::store::Version;
use jiff::Timestamp;

use super::index::{Build, Claim, Index, VERSION};
use super::{BACKOFF, INDEX_LIMIT, PublishError, Publisher, ROUNDS, json, layout};

impl Publisher {
    /// The list, and the version it has; an empty one where nothing was published yet.
    pub(super) async fn read_index(&self) -> Result<(Index, Option<Version>), PublishError> {
        match self.store.read(layout::INDEX, INDEX_LIMIT).await {
            Ok(found) => {
                let index: Index = self.parse(layout::INDEX, &found.bytes)?;
                if index.version != VERSION {
                    let reason = format!("its version is {}, and this program knows {VERSION}", index.version);
                    return Err(self.damaged(layout::INDEX, &reason));
                }
                Ok((index, Some(found.version)))
            }
            Err(error) if error.is_not_found() => Ok((Index::empty(), None)),
            Err(error) => Err(error.into()),
        }
    }

    /// All published environments.
    pub async fn index(&self) -> Result<Index, PublishError> {
        Ok(self.read_index().await?.0)
    }

    /// Brings a build and its labels into the list; whether that changed it.
    pub(super) async fn bring_in(
        &self,
        build: &Build,
        claim: Option<&Claim<'_>>,
        now: Timestamp,
    ) -> Result<bool, PublishError> {
        for round in 0..ROUNDS {
            if round > 0 {
                BACKOFF.pause(round - 1).await;
            }
            let (index, version) = self.read_index().await?;
            // Whoever made it what it is may have died before its history was written.
            if version.is_some() {
                self.remember(&index).await?;
            }
            let Some(next) = index.with(build, claim, now) else { return Ok(false) };
            let bytes = json(layout::INDEX, &next)?;
            let is_written = match &version {
                None => self.store.create(layout::INDEX, bytes).await?,
                Some(version) => self.store.replace(layout::INDEX, bytes, version).await?.is_some(),
            };
            if is_written {
                self.remember(&next).await?;
                return Ok(true);
            }
            tracing::debug!(lock = build.lock, round, "another publisher was first at the list");
        }
        Err(self.contended(layout::INDEX))
    }

    /// Keeps what the list said. Nothing is written where that was kept already.
    async fn remember(&self, index: &Index) -> Result<(), PublishError> {
        let key = layout::history(index.updated);
        match self.store.head(&key).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => {
                self.store.create(&key, json(&key, &index.in_use())?).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}
