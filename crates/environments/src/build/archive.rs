//! From a tree to everything that is published of it.

use std::fs::File;
use std::io::BufWriter;
use std::num::NonZeroU32;

use buildhub_core::Deadline;

use super::cut::{Cut, compute};
use super::{BuildError, Workspace};
use crate::archive;
use crate::legal::{self, Documents};
use crate::lock::{Identity, Lock};
use crate::progress::Progress;
use crate::publish::Artefacts;
use crate::tree::{Entries, Spool};

/// All files of an environment.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) entries: Entries,
    pub(super) spool: Spool,
}

/// The environment's own time, which its documents and its image tell: the definition's, or that of its newest file.
fn created(identity: &Identity, entries: &Entries) -> i64 {
    identity.clamp_time.or_else(|| entries.values().map(|entry| entry.mtime).max()).unwrap_or_default()
}

pub(super) async fn write(
    lock: &Lock,
    tree: Tree,
    work: &mut Workspace,
    threads: NonZeroU32,
    deadline: Deadline,
    progress: &dyn Progress,
) -> Result<Artefacts, BuildError> {
    let (path, identity) = (work.fresh("archive.tar.xz"), lock.identity.clone());
    let (file, key) = (path.clone(), lock.key()?);
    let oci = identity.oci.then(|| work.fresh("image"));
    let image = oci.clone();
    let writing = compute(deadline, progress, move |watch| {
        let components = legal::components(&identity, &tree.entries, &tree.spool)?;
        let created = created(&identity, &tree.entries);
        // First, since a definition may refuse what they say.
        let documents = legal::documents(&key, &identity, created, &components)?;
        let disk = |source| BuildError::Disk { path: file.display().to_string(), source };
        let out = BufWriter::with_capacity(1 << 20, Cut::new(File::create(&file).map_err(disk)?, deadline));
        let total = archive::tar_size(&tree.entries);
        let mut pulse = watch.step("compressing", Some(total));
        let made = archive::write(&tree.entries, &tree.spool, &identity.encoder, threads, out, &mut pulse)?;
        Ok((made, documents, tree, identity, (created, total)))
    });
    let (made, documents, tree, identity, (created, total)) = writing.await?;
    if let Some(folder) = image {
        let writing = compute(deadline, progress, move |watch| {
            let mut pulse = watch.step("writing the image", Some(total));
            Ok(archive::write_oci(&tree.entries, &tree.spool, &identity.arch, created, &folder, &mut pulse)?)
        });
        writing.await?;
    }
    let Documents { licences, sbom, sources, missing } = documents;
    if !missing.is_empty() {
        tracing::warn!(
            packages = missing.len(),
            first = missing.first(),
            "source packages are missing; the list says which"
        );
    }
    Ok(Artefacts {
        lock: lock.clone(),
        archive: path,
        sha256: made.sha256,
        size: made.size,
        licences: licences.into(),
        sbom: sbom.into(),
        sources: sources.into(),
        source_files: Vec::new(),
        oci,
    })
}
