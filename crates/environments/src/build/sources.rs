//! Source packages: which of them are at hand, and their files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use buildhub_core::Deadline;
use futures::stream::{StreamExt as _, TryStreamExt as _};

use super::cut::compute;
use super::hashes::Known;
use super::needs::for_metadata;
use super::packages::{WINDOW, located};
use super::{BuildError, Builder, Order, Workspace};
use crate::keys::Keys;
use crate::lock::{Lock, SourcePackage};
use crate::progress::Progress;
use crate::publish::SourceFile;
use crate::repo::{self, Budget, Repository};
use crate::rpm;

/// The most bytes of a source package.
const SOURCE: u64 = 4 << 30;

impl Builder {
    /// Looks for source packages in the repositories of sources that the definition names; those that are there, by their
    /// files' names. The lock is told where they are, and whose signatures they must have.
    pub(super) async fn find_sources(
        &self,
        order: &Order,
        lock: &mut Lock,
        wanted: &BTreeSet<String>,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<BTreeMap<String, SourcePackage>, BuildError> {
        let mut known: BTreeMap<String, (Known, Vec<String>)> = BTreeMap::new();
        for repo in &order.definition.repos {
            let Some(sources) = &repo.sources else { continue };
            progress.at("looking for source packages", 0, None);
            let source = crate::definition::Repo { url: sources.clone(), ..repo.clone() };
            let keys = repo::keys(repo, &self.places, &order.beside).await.map_err(Box::new)?;
            let limits = for_metadata(&self.means);
            // One after another.
            let mut budget = Budget::new(limits.memory);
            let (places, beside) = (&self.places, &order.beside);
            let opened = Repository::open(&source, places, beside, &keys, work.path(), limits, &mut budget).await;
            let opened = opened.map_err(Box::new)?;
            let signers = self.keep_keys(repo, order, lock).await?;
            for package in &opened.packages {
                let file = package.location.rsplit('/').next().unwrap_or_default();
                if wanted.contains(file) {
                    let (address, checksum) = (opened.address.join(&package.location), package.checksum.clone());
                    let here = Known { address, checksum, size: package.size };
                    // Of two repositories that have it the first one counts, and its keys.
                    known.entry(file.to_owned()).or_insert_with(|| (here, signers.clone()));
                }
            }
        }
        let sum = |sizes: &mut dyn Iterator<Item = u64>| sizes.reduce(u64::saturating_add);
        lock.provenance.sources = sum(&mut known.values().map(|(known, _)| known.size));
        let unhashed = known.values().map(|(known, _)| known).filter(|known| known.checksum.as_sha256().is_none());
        if let Some(kept) = sum(&mut unhashed.map(|known| known.size)) {
            // Fetching is work already.
            let needs = self.needs(lock, work).await?;
            needs.keeping(kept).check(&self.means, work.deadline)?;
        }
        let (files, known): (Vec<String>, Vec<(Known, Vec<String>)>) = known.into_iter().unzip();
        let (known, signers): (Vec<Known>, Vec<Vec<String>>) = known.into_iter().unzip();
        let addresses: Vec<String> = known.iter().map(|known| known.address.to_string()).collect();
        let hashes = self.hashes(known, work, progress).await?;
        lock.provenance.addresses.extend(hashes.iter().cloned().zip(addresses));
        let found = files.into_iter().zip(hashes).zip(signers);
        Ok(found
            .map(|((file, sha256), signed_by)| (file.clone(), SourcePackage { file, sha256: Some(sha256), signed_by }))
            .collect())
    }

    /// Fetches the source packages that are offered beside the environment, each verified by its hash, by what it says of itself,
    /// and by its signature where keys are given.
    pub(super) async fn fetch_sources(
        &self,
        lock: &Lock,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<Vec<SourceFile>, BuildError> {
        const STEP: &str = "fetching source packages";
        let at_hand = lock.identity.source_packages().filter_map(|source| Some((source.sha256.clone()?, source)));
        let at_hand: BTreeMap<String, &SourcePackage> = at_hand.collect();
        let total = Some(at_hand.len() as u64).filter(|total| *total > 0);
        // Some were fetched for their SHA-256.
        let missing = at_hand.keys().filter(|sha256| work.has(sha256).is_none()).cloned().collect::<Vec<_>>();
        let mut done = (at_hand.len() - missing.len()) as u64;
        let wanted = missing.into_iter().map(|sha256| Ok((located(lock, &sha256)?, sha256, work.fresh("source.rpm"))));
        let wanted = wanted.collect::<Result<Vec<_>, BuildError>>()?;
        let fetching = futures::stream::iter(wanted).map(|(address, sha256, path)| async move {
            self.fetch_exactly(&address, &sha256, &path, SOURCE).await?;
            Ok::<_, BuildError>((sha256, path))
        });
        let mut fetching = fetching.buffer_unordered(WINDOW);
        while let Some((sha256, path)) = fetching.try_next().await? {
            done += 1;
            progress.at(STEP, done, total);
            work.keep(sha256, path);
        }
        let file = |(sha256, source): (&String, &&SourcePackage)| {
            let path = work.has(sha256).ok_or_else(|| BuildError::Nowhere { sha256: sha256.clone() })?;
            Ok(SourceFile { sha256: sha256.clone(), name: source.file.clone(), path: path.to_owned() })
        };
        let files = at_hand.iter().map(file).collect::<Result<Vec<_>, BuildError>>()?;
        let keys = lock.signers()?;
        let asked: BTreeSet<_> = lock
            .identity
            .source_packages()
            .filter_map(|source| Some((source.sha256.as_ref()?, &source.file, &source.signed_by)))
            .collect();
        let asked = asked.into_iter().filter_map(|(sha256, file, by)| {
            Some((work.has(sha256)?.to_owned(), file.clone(), keys.get(by).map(Arc::clone)))
        });
        Self::verify_sources(asked.collect(), work.deadline, progress).await?;
        Ok(files)
    }

    /// Whether each is what its name says, and is signed by one of its keys where it has any.
    async fn verify_sources(
        asked: Vec<(PathBuf, String, Option<Arc<Keys>>)>,
        deadline: Deadline,
        progress: &dyn Progress,
    ) -> Result<(), BuildError> {
        if asked.is_empty() {
            return Ok(());
        }
        let verifying = compute(deadline, progress, move |watch| {
            let mut pulse = watch.step("verifying source packages", None);
            let mut read = 0;
            for (path, file, keys) in asked {
                let package = rpm::Package::open_source(&path)?;
                let stem = file.strip_suffix(".rpm").and_then(|stem| stem.rsplit_once('.')).map(|(stem, _)| stem);
                if stem != Some(package.nvr().as_str()) {
                    let (what, header) = ("name", package.nvr());
                    return Err(BuildError::Unlike { package: file.clone(), what, header, lock: file });
                }
                if let Some(keys) = keys {
                    package.verify(&keys)?;
                    package.check_payload(&mut |bytes| pulse(read + bytes))?;
                }
                read += package.size();
            }
            Ok(())
        });
        verifying.await
    }
}
