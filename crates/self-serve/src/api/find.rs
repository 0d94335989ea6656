//! Single objects, and branches, by what an address calls them.

use crate::builds::{Build, Request};
use crate::config::{Branch, Snapshot};

use super::Api;
use super::fault::Fault;
use super::paging::NUMBER_MAX;

/// The longest name of anything, in bytes. Build systems have shorter ones (Buildbot: 70 of a builder, 255 of an author).
const NAME_MAX: usize = 512;

impl Api {
    /// What the site's documents say now.
    pub(super) async fn snapshot(&self) -> Result<std::sync::Arc<Snapshot>, Fault> {
        let snapshot = self.parts.documents.now().await;
        snapshot.map_err(|error| Fault::unavailable("the list of branches cannot be read now; ask again", &error))
    }

    /// A request of a branch by its number. What is not known yet is asked of the build system, for it may be new.
    pub(super) async fn request_of(&self, branch: &Branch<'_>, id: u64) -> Result<Request, Fault> {
        let known = self.parts.builds.request(id).await.map_err(|error| unreadable(&error))?;
        let known = match known {
            Some(known) => Some(known),
            None => self.refresher.refresh(id).await.map_err(|error| unreadable(&error))?,
        };
        let found = known.ok_or_else(|| Fault::missing(format!("Request {id} not found")))?;
        of_branch(branch, found.branch.as_deref(), || format!("Request {id}"))?;
        Ok(found)
    }

    /// A build of a branch by its number, likewise.
    pub(super) async fn build_of(&self, branch: &Branch<'_>, id: u64) -> Result<Build, Fault> {
        let missing = || Fault::missing(format!("Build {id} not found"));
        let mut known = self.parts.builds.build(id).await.map_err(|error| unreadable(&error))?;
        if known.is_none() {
            let build = self.parts.backend.build(id).await.map_err(|error| unreadable(&error))?.ok_or_else(missing)?;
            self.refresher.refresh(build.request).await.map_err(|error| unreadable(&error))?;
            known = self.parts.builds.build(id).await.map_err(|error| unreadable(&error))?;
        }
        let found = known.ok_or_else(missing)?;
        of_branch(branch, found.branch.as_deref(), || format!("Build {id}"))?;
        Ok(found)
    }
}

/// A branch by its name.
pub(super) fn branch_of<'a>(snapshot: &'a Snapshot, name: &str) -> Result<Branch<'a>, Fault> {
    snapshot.branches.get(name).ok_or_else(|| Fault::missing(format!("Branch {} not found", short(name))))
}

/// What may be the name of somebody or something.
pub(super) fn name_of<'a>(what: &str, text: &'a str) -> Result<&'a str, Fault> {
    if (1..=NAME_MAX).contains(&text.len()) && !text.contains(char::is_control) {
        return Ok(text);
    }
    Err(Fault::bad(format!("Bad {what}: it is a name of 1 to {NAME_MAX} bytes without control characters")))
}

/// What may be the number of something.
pub(super) fn number_of(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number <= NUMBER_MAX)
}

/// So much of a text as an answer repeats.
pub(super) fn short(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

/// Something that was to be read cannot be.
pub(super) fn unreadable(error: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::unavailable("what is known of builds cannot be read now; ask again", error)
}

/// An object has one address: that of its branch.
fn of_branch(branch: &Branch<'_>, is: Option<&str>, what: impl FnOnce() -> String) -> Result<(), Fault> {
    let spellings = branch.spellings();
    if is.is_some_and(|is| spellings.iter().any(|known| known == is)) {
        return Ok(());
    }
    Err(Fault::missing(format!("{} not found on branch {}", what(), branch.name)))
}
