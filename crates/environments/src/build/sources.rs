//! Source packages: which of them are at hand, and their files.

use std::collections::{BTreeMap, BTreeSet};

use super::hashes::Known;
use super::needs::for_metadata;
use super::packages::located;
use super::{BuildError, Builder, Order, Workspace};
use crate::lock::Lock;
use crate::progress::Progress;
use crate::publish::SourceFile;
use crate::repo::{self, Budget, Repository};

/// The most bytes of a source package.
const SOURCE: u64 = 4 << 30;

impl Builder {
    /// Where source packages are at hand, by the file names that packages say.
    pub(super) async fn find_sources(
        &self,
        order: &Order,
        lock: &mut Lock,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<(), BuildError> {
        let packages = lock.identity.packages.iter();
        let wanted: BTreeSet<&str> = packages.filter_map(|package| Some(&*package.source.as_ref()?.file)).collect();
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        for repo in &order.definition.repos {
            let Some(sources) = &repo.sources else { continue };
            let source = crate::definition::Repo { url: sources.clone(), ..repo.clone() };
            let keys = repo::keys(repo, &self.places, &order.beside).await.map_err(Box::new)?;
            let limits = for_metadata(&self.means);
            // One after another.
            let mut budget = Budget::new(limits.memory);
            let (places, beside) = (&self.places, &order.beside);
            let opened = Repository::open(&source, places, beside, &keys, work.path(), limits, &mut budget).await;
            let opened = opened.map_err(Box::new)?;
            for package in &opened.packages {
                let file = package.location.rsplit('/').next().unwrap_or_default();
                if wanted.contains(file) {
                    let (address, checksum) = (opened.address.join(&package.location), package.checksum.clone());
                    known.insert(file.to_owned(), Known { address, checksum, size: package.size });
                }
            }
        }
        lock.provenance.sources = known.values().map(|known| known.size).reduce(u64::saturating_add);
        if known.values().any(|known| known.checksum.as_sha256().is_none()) {
            // Fetching is work already.
            self.needs(lock, work).await?.check(&self.means, work.deadline)?;
        }
        let (files, known): (Vec<String>, Vec<Known>) = known.into_iter().unzip();
        let addresses: Vec<String> = known.iter().map(|known| known.address.to_string()).collect();
        let hashes = self.hashes(known, work, progress).await?;
        lock.provenance.addresses.extend(hashes.iter().cloned().zip(addresses));
        let found: BTreeMap<String, String> = files.into_iter().zip(hashes).collect();
        for source in lock.identity.packages.iter_mut().filter_map(|package| package.source.as_mut()) {
            source.sha256 = found.get(&source.file).cloned();
        }
        Ok(())
    }

    /// Fetches the source packages that are offered beside the environment.
    pub(super) async fn fetch_sources(
        &self,
        lock: &Lock,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<Vec<SourceFile>, BuildError> {
        let mut found: BTreeMap<String, SourceFile> = BTreeMap::new();
        let sources = lock.identity.packages.iter().filter_map(|package| package.source.as_ref());
        for source in sources {
            let Some(sha256) = &source.sha256 else { continue };
            if found.contains_key(sha256) {
                continue;
            }
            progress.at("fetching source packages", found.len() as u64, None);
            // Some were fetched for their SHA-256.
            let path = if let Some(path) = work.has(sha256) {
                path.to_owned()
            } else {
                let (address, path) = (located(lock, sha256)?, work.fresh("source.rpm"));
                self.fetch_exactly(&address, sha256, &path, SOURCE).await?;
                path
            };
            let file = SourceFile { sha256: sha256.clone(), name: source.file.clone(), path };
            found.insert(sha256.clone(), file);
        }
        Ok(found.into_values().collect())
    }
}
