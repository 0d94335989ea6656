//! The source `chroot-tar`: a root that a builder uploaded.

use std::collections::BTreeSet;
use std::fs::File;
use std::num::NonZeroU32;

use buildhub_core::Deadline;
use buildhub_core::store::Location;

use super::archive::Tree;
use super::cut::compute;
use super::needs::in_memory;
use super::{BuildError, Builder, Order, Workspace};
use crate::chroot::{self, Root};
use crate::legal::ComponentsError;
use crate::lock::{Identity, Lock};
use crate::places::Address;
use crate::progress::Progress;
use crate::rpmdb;
use crate::tree::{Spool, add_missing_parents, repositories};

/// The most bytes of an upload.
const UPLOAD: u64 = 8 << 30;

impl Builder {
    /// Which root it is. Where the definition says its hash, and names no repository of sources, nothing is read.
    pub(super) async fn find_root(
        &self,
        order: &Order,
        lock: &mut Lock,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<(), BuildError> {
        let environment = &order.definition.environment;
        let address = Address::read(environment.root.as_deref().unwrap_or_default(), &order.beside)?;
        let sha256 = if let Some(sha256) = &environment.root_sha256 {
            sha256.clone()
        } else {
            // It is fetched to learn its hash, which is work already.
            self.needs_of_root(lock, &address).await?.check(&self.means, work.deadline)?;
            self.fetch_root(&address, work, progress).await?
        };
        lock.provenance.addresses.insert(sha256.clone(), address.to_string());
        lock.identity.root_sha256 = Some(sha256);
        if order.definition.repos.iter().any(|repo| repo.sources.is_some()) {
            let wanted = self.built_from(lock, &address, work, progress).await?;
            let found = Box::pin(self.find_sources(order, lock, &wanted, work, progress)).await?;
            lock.identity.root_sources = found.into_values().collect();
        }
        Ok(())
    }

    /// The files' names of the source packages that what rpm installed in the root was built from. Only the root tells, so
    /// it is fetched for that.
    async fn built_from(
        &self,
        lock: &Lock,
        address: &Address,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<BTreeSet<String>, BuildError> {
        let deadline = work.deadline;
        let threads = self.needs_of_root(lock, address).await?.check(&self.means, deadline)?;
        let rpmdb = lock.identity.rpmdb.clone();
        self.read_root(lock, work, threads, deadline, progress, move |root, spool| {
            let installed = rpmdb::list(&root.entries, &spool, &rpmdb).map_err(ComponentsError::from)?;
            let packages = installed.into_iter().flatten().filter(|record| !record.is_key());
            Ok(packages.filter_map(|record| record.source).collect())
        })
        .await
    }

    async fn fetch_root(
        &self,
        address: &Address,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<String, BuildError> {
        let file = work.fresh("root");
        let advance = |done, total| progress.at("fetching the root", done, total);
        let most = self.means.disk.map_or(UPLOAD, |disk| disk.min(UPLOAD));
        let fetched = self.places.fetch(address, &file, most, &advance).await?;
        work.keep(fetched.sha256.clone(), file);
        Ok(fetched.sha256)
    }

    /// Bytes of the upload.
    pub(super) async fn root_size(&self, lock: &Lock, work: &Workspace) -> Result<u64, BuildError> {
        let (sha256, address) = located(lock)?;
        match work.has(&sha256).and_then(|file| std::fs::metadata(file).ok()) {
            Some(file) => Ok(file.len()),
            None => Ok(self.places.size(&address).await?.unwrap_or_default()),
        }
    }

    /// The root as a tree.
    pub(super) async fn root(
        &self,
        lock: &Lock,
        work: &mut Workspace,
        threads: NonZeroU32,
        deadline: Deadline,
        progress: &dyn Progress,
    ) -> Result<Tree, BuildError> {
        let identity = lock.identity.clone();
        let tree = self.read_root(lock, work, threads, deadline, progress, move |mut root, mut spool| {
            are_of_root(&identity, &root, &spool)?;
            let mtime = identity.clamp_time.unwrap_or_default();
            repositories::rewrite(&mut root.entries, &mut spool, &identity.mirrors, mtime)?;
            add_missing_parents(&mut root.entries, mtime);
            tracing::info!(left_out = ?root.left_out, files = root.entries.len(), "the root is read");
            Ok(Tree { entries: root.entries, spool })
        });
        let tree = tree.await?;
        lock.identity.root_sha256.iter().for_each(|sha256| work.drop_file(sha256));
        Ok(tree)
    }

    /// Reads the root, fetched where it is not here yet, and makes something of it on the same thread.
    async fn read_root<T: Send + 'static>(
        &self,
        lock: &Lock,
        work: &mut Workspace,
        threads: NonZeroU32,
        deadline: Deadline,
        progress: &dyn Progress,
        make: impl FnOnce(Root, Spool) -> Result<T, BuildError> + Send + 'static,
    ) -> Result<T, BuildError> {
        let (sha256, address) = located(lock)?;
        if work.has(&sha256).is_none() {
            let found = self.fetch_root(&address, work, progress).await?;
            if found != sha256 {
                return Err(BuildError::Changed { address: address.to_string(), found, expected: sha256 });
            }
        }
        let path = work.has(&sha256).map(ToOwned::to_owned).unwrap_or_default();
        let (identity, folder) = (lock.identity.clone(), work.path().to_owned());
        // Without one, the limits of a root are the limit.
        let most = self.means.disk.unwrap_or(u64::MAX);
        let limits = in_memory(&identity.encoder, threads, &self.means);
        let reading = compute(deadline, progress, move |watch| {
            let failed = |source| BuildError::Disk { path: path.display().to_string(), source };
            let file = File::open(&path).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            let mut spool = Spool::create(&folder)?.at_most(most);
            let mut pulse = watch.step("reading the root", Some(size));
            let root = chroot::read(file, &identity, &limits, &mut spool, &mut pulse);
            make(root.map_err(|source| BuildError::Root { address: address.to_string(), source })?, spool)
        });
        reading.await
    }
}

fn located(lock: &Lock) -> Result<(String, Address), BuildError> {
    let sha256 = lock.identity.root_sha256.clone().unwrap_or_default();
    let address = lock.provenance.addresses.get(&sha256);
    let address = address.ok_or_else(|| BuildError::Nowhere { sha256: sha256.clone() })?;
    Ok((sha256, Address::read(address, &Location::Folder(".".into()))?))
}

/// What the lock offers as the root's source packages is named by packages in it: a lock may be anybody's.
fn are_of_root(identity: &Identity, root: &Root, spool: &Spool) -> Result<(), BuildError> {
    if identity.root_sources.is_empty() {
        return Ok(());
    }
    let installed = rpmdb::list(&root.entries, spool, &identity.rpmdb).map_err(ComponentsError::from)?;
    let named: BTreeSet<_> = installed.into_iter().flatten().filter_map(|record| record.source).collect();
    match identity.root_sources.iter().find(|source| !named.contains(&source.file)) {
        None => Ok(()),
        Some(source) => Err(BuildError::Unlike {
            package: "the root".to_owned(),
            what: "source package",
            header: "no package was built from it".to_owned(),
            lock: source.file.clone(),
        }),
    }
}
