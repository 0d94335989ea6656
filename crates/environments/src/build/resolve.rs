//! From a definition to a lock.

use jiff::Timestamp;

use super::{BuildError, Builder, Order, Workspace};
use crate::archive;
use crate::definition::{Definition, SourceKind};
use crate::lock::{ASSEMBLY, Identity, Lock, Provenance};
use crate::progress::Progress;

impl Builder {
    /// What a definition means now. What was fetched for it stays in `work`.
    pub async fn resolve(
        &self,
        order: &Order,
        work: &mut Workspace,
        now: Timestamp,
        progress: &dyn Progress,
    ) -> Result<Lock, BuildError> {
        let provenance = Provenance { resolved: Some(now), ..Provenance::default() };
        let mut lock = Lock { identity: identity(&order.definition), provenance };
        match order.definition.environment.source {
            SourceKind::ChrootTar => self.find_root(order, &mut lock, work, progress).await?,
            SourceKind::RpmRepo => self.find_packages(order, &mut lock, work, progress).await?,
        }
        // What repositories say of packages came from elsewhere too.
        lock.check(&order.name)?;
        Ok(lock)
    }
}

/// Everything that the definition decides by itself.
fn identity(definition: &Definition) -> Identity {
    let environment = &definition.environment;
    let mirrors = definition.repos.iter().filter_map(|repo| Some((repo.id.clone(), repo.mirror.clone()?)));
    Identity {
        assembly: ASSEMBLY,
        source: environment.source,
        arch: environment.arch.clone(),
        packages: Vec::new(),
        root_sha256: None,
        root_sources: Vec::new(),
        excludes: definition.excludes.clone(),
        scriptlets: definition.scriptlets.clone(),
        alternatives: definition.alternatives.clone(),
        users: definition.users.clone(),
        groups: definition.groups.clone(),
        clamp_time: environment.clamp_time.map(Timestamp::as_second),
        rpmdb: environment.rpmdb.clone(),
        setuid: environment.setuid.clone(),
        mirrors: mirrors.collect(),
        oci: environment.oci,
        sources: environment.sources,
        encoder: archive::encoder(),
    }
}
