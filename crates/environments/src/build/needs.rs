//! What an environment needs, told before the work by sizes that are known, and rules of thumb.

use std::num::NonZeroU32;
use std::time::Duration;

use buildhub_core::Deadline;

use super::{BuildError, Builder, Workspace};
use crate::archive;
use crate::definition::SourceKind;
use crate::lock::{Encoder, Lock};
use crate::settings::Means;

/// Memory beside the encoder's: buffers, names of some hundred thousand files, a package's header.
const BASE: u64 = 192 << 20;
/// How many times larger files are than packages, or a compressed root, where nobody says. Measured roots have 4.2.
const EXPANSION: u64 = 5;
/// What of a hundred bytes is left by compression, at most. Measured roots have 24.
const LEFT: u64 = 40;
/// Bytes that a thread compresses in a second. Measured: 2.8 million.
const COMPRESSED: u64 = 2_000_000;
/// Bytes that come from elsewhere in a second, and go there.
const MOVED: u64 = 20_000_000;
/// What beginning and ending take.
const OVERHEAD: Duration = Duration::from_secs(15);

/// What making an environment needs, about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Bytes that are fetched.
    pub fetched: u64,
    /// Bytes of the files in it.
    pub files: u64,
    /// Whether there is an image beside the archive.
    pub image: bool,
    /// What compresses.
    pub encoder: Encoder,
}

impl Builder {
    /// What a lock needs. Only the size of an uploaded root is asked for.
    pub(super) async fn needs(&self, lock: &Lock, work: &Workspace) -> Result<Needs, BuildError> {
        let identity = &lock.identity;
        let fetched = match identity.source {
            SourceKind::RpmRepo => identity.packages.iter().map(|package| package.size).sum(),
            SourceKind::ChrootTar => self.root_size(lock, work).await?,
        };
        let files = lock.provenance.installed.unwrap_or(fetched.saturating_mul(EXPANSION));
        Ok(Needs { fetched, files, image: identity.oci, encoder: identity.encoder.clone() })
    }
}

impl Needs {
    /// Bytes of disk.
    pub fn disk(&self) -> u64 {
        // An image's layer is not compressed.
        let image = if self.image { self.files } else { 0 };
        let made = (self.files / 100 * LEFT).saturating_add(image);
        self.files.saturating_add(made.max(self.fetched))
    }

    /// Bytes of memory, with so many threads that compress.
    pub fn memory(&self, threads: NonZeroU32) -> u64 {
        BASE.saturating_add(archive::memory(&self.encoder, threads).unwrap_or(u64::MAX))
    }

    /// Time, with so many threads.
    pub fn time(&self, threads: NonZeroU32) -> Duration {
        let compressing = self.files / COMPRESSED / u64::from(threads.get());
        let moving = (self.fetched + self.files / 100 * LEFT) / MOVED;
        Duration::from_secs(compressing + moving) + OVERHEAD
    }

    /// How many threads to compress by, if it fits at all.
    pub fn check(&self, means: &Means, deadline: Deadline) -> Result<NonZeroU32, BuildError> {
        let for_encoder = means.memory.unwrap_or(u64::MAX).saturating_sub(BASE);
        let threads = archive::threads_within(&self.encoder, for_encoder, means.threads);
        if let Some(there) = means.memory.filter(|there| *there < self.memory(threads)) {
            let advice = "give the function more memory, or raise ENVIRONMENTS_MEMORY where there is more";
            return Err(short("memory", &mib(self.memory(threads)), &mib(there), advice));
        }
        if let Some(there) = means.disk.filter(|there| *there < self.disk()) {
            let advice = "give the function more ephemeral storage, or raise ENVIRONMENTS_DISK where there is more";
            return Err(short("disk", &mib(self.disk()), &mib(there), advice));
        }
        if let Some(there) = deadline.remaining().filter(|there| *there < self.time(threads)) {
            let (needed, there) = (self.time(threads).as_secs(), there.as_secs());
            let advice = "give the function a longer timeout, or more memory, which brings processors; or publish it by \
                          `buildhub env publish` on a machine without a deadline";
            return Err(short("time", &format!("{needed} s"), &format!("{there} s"), advice));
        }
        Ok(threads)
    }
}

fn short(what: &'static str, needed: &str, there: &str, advice: &'static str) -> BuildError {
    BuildError::DoesNotFit { what, needed: needed.to_owned(), there: there.to_owned(), advice }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(memory: Option<u64>, disk: Option<u64>) -> Means {
        let mib = |number: u64| number << 20;
        Means {
            scratch: "/tmp".into(),
            threads: NonZeroU32::new(6).unwrap(),
            memory: memory.map(mib),
            disk: disk.map(mib),
        }
    }

    #[test]
    fn what_cannot_fit_is_refused_before_the_work_and_says_what_is_short() {
        let needs = Needs { fetched: 250 << 20, files: 1 << 30, image: false, encoder: archive::encoder() };
        let refused = |means: Means, deadline| needs.check(&means, deadline).unwrap_err().to_string();
        let none = Deadline::NONE;
        assert!(refused(means(Some(200), None), none).contains("of memory, and there are 200 MiB"));
        assert!(refused(means(None, Some(1024)), none).contains("of disk, and there are 1024 MiB"));
        let minute = Deadline::after(Duration::from_mins(1));
        assert!(refused(means(None, None), minute).contains("of time"));
        assert_eq!(needs.check(&means(None, None), none).unwrap().get(), 6);
        // The function as the template makes it.
        let lambda = Deadline::after(Duration::from_mins(14));
        let threads = needs.check(&means(Some(3008), Some(4096)), lambda).unwrap();
        assert!(threads.get() >= 2, "{threads}");
    }

    #[test]
    fn less_memory_means_fewer_threads() {
        let needs = Needs { fetched: 1, files: 1, image: false, encoder: archive::encoder() };
        let two = needs.memory(NonZeroU32::new(2).unwrap()).div_ceil(1 << 20);
        assert_eq!(needs.check(&means(Some(two), None), Deadline::NONE).unwrap().get(), 2);
    }
}
