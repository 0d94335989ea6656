//! The source `rpm-repo`: packages of repositories.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use buildhub_core::Deadline;
use buildhub_core::store::Location;
use futures::stream::{StreamExt as _, TryStreamExt as _};

use super::archive::Tree;
use super::cut::compute;
use super::hashes::Known;
use super::needs::{for_metadata, for_packages};
use super::{BuildError, Builder, Order, Workspace};
use crate::definition::Repo;
use crate::keys::Keys;
use crate::lock::{Lock, Package};
use crate::places::{Address, FetchError};
use crate::progress::Progress;
use crate::repo;
use crate::rpm;
use crate::solve::{self, Chosen, Resolved};
use crate::tree::{MergeError, Spool, merge};

/// Packages that are fetched at the same time.
pub(super) const WINDOW: usize = 6;
/// Bytes of memory for a file of a package: what its header says, who claims its path, and its place in the tree.
const FILE: u64 = 1024;
/// The most bytes of files where nobody says how much disk there is.
const FILES: u64 = 64 << 30;

impl Builder {
    /// Which packages they are, from where, and signed by whom.
    pub(super) async fn find_packages(
        &self,
        order: &Order,
        lock: &mut Lock,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<(), BuildError> {
        progress.at("resolving", 0, None);
        let definition = Arc::new(order.definition.clone());
        let folder = work.path().to_owned();
        let mut resolved =
            Box::pin(solve::resolve(definition, &order.beside, &self.places, &folder, for_metadata(&self.means)))
                .await?;
        lock.provenance.repomd = std::mem::take(&mut resolved.repomd);
        let newest = resolved.packages.iter().map(|chosen| chosen.built).max();
        lock.identity.clamp_time = lock.identity.clamp_time.or(newest);
        let installed = resolved.packages.iter().map(|chosen| chosen.installed);
        lock.provenance.installed =
            installed.into_iter().reduce(|sum, bytes| Some(sum?.saturating_add(bytes?))).flatten();
        lock.identity.packages = resolved.packages.iter().map(|chosen| chosen.package.clone()).collect();
        self.learn_hashes(&mut resolved, lock, work, progress).await?;
        self.trust(order, &resolved, lock).await?;
        for (chosen, package) in resolved.packages.iter().zip(&mut lock.identity.packages) {
            package.sha256.clone_from(&chosen.package.sha256);
            lock.provenance.addresses.insert(package.sha256.clone(), chosen.address.to_string());
        }
        let wanted = lock.identity.source_packages().map(|source| source.file.clone()).collect();
        let found = Box::pin(self.find_sources(order, lock, &wanted, work, progress)).await?;
        for source in lock.identity.packages.iter_mut().filter_map(|package| package.source.as_mut()) {
            if let Some(at_hand) = found.get(&source.file) {
                source.clone_from(at_hand);
            }
        }
        Ok(())
    }

    /// The SHA-256 of packages whose repository knows them by another checksum.
    async fn learn_hashes(
        &self,
        resolved: &mut Resolved,
        lock: &Lock,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<(), BuildError> {
        if resolved.packages.iter().any(|chosen| chosen.checksum.as_sha256().is_none()) {
            // Fetching is work already.
            self.needs(lock, work).await?.check(&self.means, work.deadline)?;
        }
        let known = |chosen: &Chosen| Known {
            address: chosen.address.clone(),
            checksum: chosen.checksum.clone(),
            size: chosen.package.size,
        };
        let hashes = self.hashes(resolved.packages.iter().map(known).collect(), work, progress).await?;
        for (chosen, sha256) in resolved.packages.iter_mut().zip(hashes) {
            chosen.package.sha256 = sha256;
        }
        Ok(())
    }

    /// Writes into the lock whose signature each package must have: it is asked for whenever the lock is built, by whomever.
    async fn trust(&self, order: &Order, resolved: &Resolved, lock: &mut Lock) -> Result<(), BuildError> {
        let mut signers = BTreeMap::new();
        for repo in order.definition.repos.iter().filter(|repo| !repo.gpg_keys.is_empty()) {
            signers.insert(repo.id.as_str(), self.keep_keys(repo, order, lock).await?);
        }
        for (chosen, package) in resolved.packages.iter().zip(&mut lock.identity.packages) {
            package.signed_by = signers.get(chosen.repository.as_str()).cloned().unwrap_or_default();
        }
        Ok(())
    }

    /// Puts the files of a repository's keys into the lock; their names.
    pub(super) async fn keep_keys(
        &self,
        repo: &Repo,
        order: &Order,
        lock: &mut Lock,
    ) -> Result<Vec<String>, BuildError> {
        let files = repo::key_files(repo, &self.places, &order.beside).await.map_err(Box::new)?;
        let names = files.keys().cloned().collect();
        lock.provenance.keys.extend(files.into_iter().map(|(sha256, file)| (sha256, BASE64_STANDARD.encode(file))));
        Ok(names)
    }

    /// The packages as a tree.
    pub(super) async fn packages(
        &self,
        lock: &Lock,
        work: &mut Workspace,
        threads: NonZeroU32,
        deadline: Deadline,
        progress: &dyn Progress,
    ) -> Result<Tree, BuildError> {
        let files = self.fetch_packages(lock, work, progress).await?;
        let (identity, folder) = (lock.identity.clone(), work.path().to_owned());
        let most = self.means.disk.unwrap_or(FILES);
        let memory = for_packages(&identity.encoder, threads, &self.means);
        let total = lock.identity.packages.iter().map(|package| package.size).fold(0, u64::saturating_add);
        let tree = compute(deadline, progress, move |watch| {
            let mut pulse = watch.step("merging packages", Some(total));
            let mut packages = Vec::with_capacity(files.len());
            let mut taken = 0_u64;
            for (locked, (path, keys)) in identity.packages.iter().zip(files) {
                pulse(0).map_err(MergeError::Stopped)?;
                let package = rpm::Package::open(&path)?;
                is_as_locked(&package, locked)?;
                taken = taken.saturating_add(in_memory(&package)?);
                if taken > memory {
                    return Err(BuildError::Headers { package: package.nevra(), taken, there: memory });
                }
                if let Some(keys) = keys {
                    package.verify(&keys)?;
                }
                packages.push(package);
            }
            let mut spool = Spool::create(&folder)?.at_most(most);
            let merged = merge(&packages, &identity, &mut spool, &mut pulse)?;
            tracing::info!(files = merged.entries.len(), scriptlets = merged.scriptlets.len(), "packages are merged");
            Ok(Tree { entries: merged.entries, spool })
        });
        let tree = tree.await?;
        lock.identity.packages.iter().for_each(|package| work.drop_file(&package.sha256));
        Ok(tree)
    }

    /// Fetches packages, each verified by its hash; where they are, and who must have signed them.
    async fn fetch_packages(
        &self,
        lock: &Lock,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<Vec<(PathBuf, Option<Arc<Keys>>)>, BuildError> {
        const STEP: &str = "fetching packages";
        let packages = &lock.identity.packages;
        let total = packages.iter().map(|package| package.size).fold(0, u64::saturating_add);
        progress.at(STEP, 0, Some(total));
        // Some were fetched for their SHA-256.
        let missing: Vec<_> = packages.iter().filter(|package| work.has(&package.sha256).is_none()).collect();
        let mut done = packages.iter().map(|package| package.size).fold(0, u64::saturating_add);
        let wanted = missing.into_iter().map(|package| {
            done -= package.size;
            let address = located(lock, &package.sha256)?;
            Ok((package, address, work.fresh("package.rpm")))
        });
        let wanted = wanted.collect::<Result<Vec<_>, BuildError>>()?;
        let fetching = futures::stream::iter(wanted).map(|(package, address, path)| async move {
            self.fetch_exactly(&address, &package.sha256, &path, package.size).await?;
            Ok::<_, BuildError>((package.sha256.clone(), package.size, path))
        });
        let mut fetching = fetching.buffer_unordered(WINDOW);
        while let Some((sha256, size, path)) = fetching.try_next().await? {
            done += size;
            progress.at(STEP, done, Some(total));
            work.keep(sha256, path);
        }
        let keys = lock.signers()?;
        let file = |package: &Package| {
            let path =
                work.has(&package.sha256).ok_or_else(|| BuildError::Nowhere { sha256: package.sha256.clone() })?;
            Ok((path.to_owned(), keys.get(&package.signed_by).cloned()))
        };
        packages.iter().map(file).collect()
    }

    pub(super) async fn fetch_exactly(
        &self,
        address: &Address,
        sha256: &str,
        path: &std::path::Path,
        limit: u64,
    ) -> Result<(), BuildError> {
        let fetched = self.places.fetch(address, path, limit, &|_, _| {}).await;
        let fetched = fetched.map_err(|error: FetchError| BuildError::from(error))?;
        if fetched.sha256 == sha256 {
            return Ok(());
        }
        let (address, expected) = (address.to_string(), sha256.to_owned());
        Err(BuildError::Changed { address, found: fetched.sha256, expected })
    }
}

/// What the documents say of a package is taken from the lock, which took it from a repository, or is anybody's: its own
/// header has to say the same.
fn is_as_locked(package: &rpm::Package, locked: &Package) -> Result<(), BuildError> {
    let source = |source: Option<&str>| source.unwrap_or("no source package").to_owned();
    let found = package.source()?;
    for (what, header, lock) in [
        ("name", package.nevra(), locked.nevra()),
        ("licence", package.licence()?, locked.licence.clone()),
        ("source package", source(found.as_deref()), source(locked.source.as_ref().map(|it| it.file.as_str()))),
    ] {
        if !letters(&header).eq(letters(&lock)) {
            return Err(BuildError::Unlike { package: locked.nevra(), what, header, lock });
        }
    }
    Ok(())
}

/// What counts of a text that came by way of XML, which is none to keep blanks, control characters and other encodings.
fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(char::is_ascii_graphic)
}

/// Bytes of memory that a package takes while it is merged: its header, and what is known of each of its files.
fn in_memory(package: &rpm::Package) -> Result<u64, rpm::PackageError> {
    let header = package.header().blob().len() as u64;
    Ok(header.saturating_add((package.file_count()? as u64).saturating_mul(FILE)))
}

pub(super) fn located(lock: &Lock, sha256: &str) -> Result<Address, BuildError> {
    let address = lock.provenance.addresses.get(sha256);
    let address = address.ok_or_else(|| BuildError::Nowhere { sha256: sha256.to_owned() })?;
    Ok(Address::read(address, &Location::Folder(".".into()))?)
}
