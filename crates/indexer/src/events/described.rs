//! A metadata file was written: the records of all archives it is the metadata of.
//!
//! Archives come before their metadata, after it, or at the same time. One of the two events always finds both there, so
//! each makes the record of what it finds: an archive's event its own, the metadata's those of all archives it
//! describes. A candidate's describes the release of its version too, while its build is the highest.
//!
//! A `buildhub.json` is a whole record besides. That record is written first, without asking for the archive; then
//! follow those of the archives that share the file, by what the archive says of them. Should that include the same
//! archive, its own date, size and best metadata are right, and replace what the file said. An archive that comes into
//! sight later does so too, since what the file says is never dated later than an archive that cannot be seen yet.

use std::collections::BTreeMap;

use buildhub_core::event::ObjectEvent;
use buildhub_releases::{Form, Key, Metadata, MetadataKey, Place, Reach, classify, record_from_buildhub_json};
use jiff::Timestamp;

use super::outcome::{EventFault, Handled, Stored};
use super::work::{VISIBLE_WITHIN, Work, all_refused};
use super::write::write_all;
use crate::archive::{Archive as _, FileFacts, below};
use crate::metadata::Lookup;
use crate::ready::Ready;

/// What lies where archives may be that a metadata file describes.
#[derive(Debug, Default)]
struct Files {
    files: BTreeMap<String, FileFacts>,
    /// Folders all of whose files are among them.
    folders: Vec<String>,
}

impl Files {
    /// Whether a file may be there: it is, or nobody looked.
    fn may_have(&self, key: &str) -> bool {
        self.files.contains_key(key) || !self.folders.iter().any(|folder| key.starts_with(folder.as_str()))
    }
}

impl Work<'_> {
    /// A metadata file was written.
    pub(super) async fn metadata_written(
        &self,
        metadata: &MetadataKey<'_>,
        event: &ObjectEvent,
    ) -> Result<Handled, EventFault> {
        let Some(body) = self.library.read(metadata.key).await? else { return self.absent(event) };
        let of_file = self.record_of_file(metadata, &body);
        let mut stored = write_all(self.collection, &of_file, &[]).await?;
        let provisional: Vec<u64> = of_file.iter().map(|ready| ready.fact.source).collect();
        match Metadata::parse(metadata.key, &body) {
            Ok(_) => stored.add(self.described(metadata, &provisional).await?),
            Err(error) if stored.is_empty() => return Err(EventFault::Refused(error.to_string())),
            Err(_) => {}
        }
        all_refused(&stored)?;
        Ok(if stored.is_empty() { Handled::WithoutArchives } else { Handled::Stored(stored) })
    }

    /// The record that a `buildhub.json` is. Where records of removed archives are removed there is none: a late event
    /// would bring back what is gone, so the archive itself is asked, with the others.
    fn record_of_file(&self, metadata: &MetadataKey<'_>, body: &[u8]) -> Vec<Ready> {
        if metadata.form != Form::Buildhub || self.remove_deleted {
            return Vec::new();
        }
        let record = record_from_buildhub_json(metadata.key, body, self.products);
        let ready = record.map_err(|error| error.to_string()).and_then(|mut record| {
            // Every writer writes the same address, or they would overwrite one another for ever.
            let key = record.download.url.rfind("/pub/").and_then(|at| record.download.url.get(at + 1..));
            record.download.url = format!("{}{}", self.making.download_url, key.unwrap_or(&record.download.url));
            record.download.date = not_after(&record.download.date, self.now - VISIBLE_WITHIN);
            record.check().map_err(|refusal| refusal.to_string())?;
            self.making.ready(&record).map_err(|error| error.to_string())
        });
        let mut ready = ready.unwrap_or_else(|reason| {
            tracing::warn!(key = metadata.key, reason, "the file is no record of its own; it may still be metadata");
            Vec::new()
        });
        for ready in &mut ready {
            // What the archive itself and its metadata say is better: of the same object this replaces nothing.
            ready.fact.content = 0;
        }
        ready
    }

    /// The records of the archives that a file is the metadata of.
    async fn described(&self, metadata: &MetadataKey<'_>, provisional: &[u64]) -> Result<Stored, EventFault> {
        let (reach, highest) = self.reach(metadata).await?;
        let mut files = Files::default();
        for reach in &reach {
            self.look(reach, &mut files).await?;
        }
        let mut stored = Stored::default();
        let mut records = Vec::new();
        for (key, facts) in &files.files {
            let Key::Archive(build) = classify(key, self.products) else { continue };
            if !metadata.describes(&build, highest) {
                continue;
            }
            let mut keys = build.metadata_keys(highest);
            keys.retain(|key| key == metadata.key || files.may_have(key));
            let Lookup::Found(metadata) = self.library.first(&keys).await? else { continue };
            match self.making.records(&build, facts.size, facts.date, Some(&metadata)) {
                Ok(ready) => records.extend(ready),
                Err(error) => stored.refused.push(format!("{key}: {error}")),
            }
        }
        stored.add(write_all(self.collection, &records, provisional).await?);
        Ok(stored)
    }

    /// Where the archives may lie, and the highest build of their version where releases are among them.
    async fn reach<'k>(&self, metadata: &'k MetadataKey<'_>) -> Result<(Vec<Reach<'k>>, Option<u32>), EventFault> {
        let mut reach = metadata.reach();
        let release = metadata.release_reach();
        let folder = metadata.candidates_folder();
        let Some(folder) = folder.filter(|_| release.is_some() || matches!(metadata.place, Place::Release { .. }))
        else {
            return Ok((reach, None));
        };
        let highest = self.library.highest_build(&folder).await?;
        let own = metadata.candidate_of().map(|(_, _, build)| build);
        if own >= highest {
            reach.extend(release);
        }
        Ok((reach, highest.max(own)))
    }

    async fn look(&self, reach: &Reach<'_>, files: &mut Files) -> Result<(), EventFault> {
        let folders = match reach {
            Reach::Below(folder) => vec![folder.clone()],
            Reach::Platforms { parent, .. } => {
                let listing = self.archive.list(parent).await?;
                let right_there = listing.files.into_iter().map(|(name, facts)| (format!("{parent}{name}"), facts));
                files.files.extend(right_there);
                let folders = listing.folders.iter().filter(|name| reach.includes(name));
                folders.map(|name| format!("{parent}{name}/")).collect()
            }
        };
        for folder in folders {
            files.files.extend(below(&*self.archive, &folder).await?);
            files.folders.push(folder);
        }
        Ok(())
    }
}

/// A record's date, or `latest` where it is later.
fn not_after(date: &str, latest: Timestamp) -> String {
    match date.parse::<Timestamp>() {
        Ok(stated) if stated > latest => Timestamp::from_second(latest.as_second()).unwrap_or(latest).to_string(),
        _ => date.to_owned(),
    }
}
