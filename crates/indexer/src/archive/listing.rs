//! Listings of more than one folder, or of less, from archives that can do it at once and from those that cannot.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Archive, ArchiveError, FileFacts, Folder};

/// Folders listed at the same time.
const PARALLEL: usize = 8;

/// Most folders that are walked for one listing. A version has some hundred; more is no archive of builds.
const MAX_FOLDERS: usize = 20_000;

/// Every file below `folder` (its key ends in `/`), at any depth, by its whole key.
pub async fn below(archive: &dyn Archive, folder: &str) -> Result<Vec<(String, FileFacts)>, ArchiveError> {
    if let Some(files) = archive.list_all(folder).await? {
        return Ok(files);
    }
    let mut files = Vec::new();
    let mut level = vec![folder.to_owned()];
    let mut walked = 0;
    while !level.is_empty() {
        walked += level.len();
        if walked > MAX_FOLDERS {
            let reason = format!("it has more than {MAX_FOLDERS} folders");
            return Err(ArchiveError { operation: "list", address: folder.to_owned(), reason });
        }
        let listed: Vec<(String, Folder)> = stream::iter(level)
            .map(|folder| async move { Ok((archive.list(&folder).await?, folder)) })
            .buffered(PARALLEL)
            .map_ok(|(listing, folder)| (folder, listing))
            .try_collect()
            .await?;
        level = Vec::new();
        for (folder, listing) in listed {
            level.extend(listing.folders.iter().map(|name| format!("{folder}{name}/")));
            files.extend(listing.files.into_iter().map(|(name, facts)| (format!("{folder}{name}"), facts)));
        }
    }
    Ok(files)
}

/// The files of one folder whose keys begin with `prefix`, by their whole keys, in one request: where the archive can do
/// it nothing else of the folder is told.
pub async fn beginning_with(archive: &dyn Archive, prefix: &str) -> Result<Vec<(String, FileFacts)>, ArchiveError> {
    if let Some(mut files) = archive.list_all(prefix).await? {
        files.retain(|(key, _)| !key.get(prefix.len()..).is_some_and(|rest| rest.contains('/')));
        return Ok(files);
    }
    let folder = prefix.rfind('/').and_then(|at| prefix.get(..=at)).unwrap_or_default();
    let listing = archive.list(folder).await?;
    let files = listing.files.into_iter().map(|(name, facts)| (format!("{folder}{name}"), facts));
    Ok(files.filter(|(key, _)| key.starts_with(prefix)).collect())
}
