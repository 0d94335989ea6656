//! What an environment needs, told before the work by sizes that are known, and rules of thumb.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroU32;
use std::time::Duration;

use buildhub_core::Deadline;

use super::{BuildError, Builder, Workspace};
use crate::archive;
use crate::chroot::Limits;
use crate::decompress::{Compression, XZ_MEMORY};
use crate::definition::SourceKind;
use crate::lock::{Encoder, Identity, Lock};
use crate::places::Address;
use crate::repo;
use crate::settings::Means;

/// Memory beside the encoder's: buffers, headers of packages, names of some hundred thousand files. A root that has more of
/// these than there is memory for is refused when it is read ([`in_memory`]).
const BASE: u64 = 192 << 20;
/// What of it is neither names nor headers.
const BUFFERS: u64 = 32 << 20;
/// How many times larger files are than packages, or a compressed root, where nobody says. Measured roots have 4.2.
const EXPANSION: u64 = 5;
/// What of a hundred bytes is left by compression, at most, where packages are no larger. Measured roots have 24.
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
    /// Bytes that are fetched: packages, or the root.
    pub fetched: u64,
    /// Whether these are compressed.
    pub compressed: bool,
    /// Bytes of the files in it.
    pub files: u64,
    /// Bytes of source packages that are published beside it.
    pub sources: u64,
    /// What of them is here from the beginning: they were fetched for their SHA-256 when the definition was locked.
    pub kept: u64,
    /// Whether there is an image beside the archive.
    pub image: bool,
    /// What compresses.
    pub encoder: Encoder,
}

impl Builder {
    /// What a lock needs. Only the size of an uploaded root is asked for.
    pub(super) async fn needs(&self, lock: &Lock, work: &Workspace) -> Result<Needs, BuildError> {
        let (identity, provenance) = (&lock.identity, &lock.provenance);
        let sizes = identity.packages.iter().map(|package| package.size);
        let (fetched, compressed) = match identity.source {
            SourceKind::RpmRepo => (sizes.fold(0, u64::saturating_add), true),
            SourceKind::ChrootTar => (self.root_size(lock, work).await?, root_is_compressed(lock, work)),
        };
        let needs = Needs::of(lock, fetched, compressed);
        Ok(Needs {
            files: provenance.installed.unwrap_or(needs.files),
            sources: provenance.sources.unwrap_or_default(),
            kept: sources_here(lock, work),
            ..needs
        })
    }

    /// What an uploaded root needs that was not fetched yet, as far as its size and name tell.
    pub(super) async fn needs_of_root(&self, lock: &Lock, address: &Address) -> Result<Needs, BuildError> {
        let size = self.places.size(address).await?.unwrap_or_default();
        Ok(Needs::of(lock, size, is_compressed_by_name(&address.to_string())))
    }
}

/// Whether an uploaded root is compressed: by its beginning where it is here, else by its name.
fn root_is_compressed(lock: &Lock, work: &Workspace) -> bool {
    let sha256 = lock.identity.root_sha256.as_deref().unwrap_or_default();
    if let Some(path) = work.has(sha256) {
        let mut start = Vec::new();
        let read = File::open(path).and_then(|file| file.take(6).read_to_end(&mut start));
        return read.is_err() || Compression::of(&start) != Compression::None;
    }
    lock.provenance.addresses.get(sha256).is_none_or(|address| is_compressed_by_name(address))
}

/// Bytes of source packages that were fetched already.
fn sources_here(lock: &Lock, work: &Workspace) -> u64 {
    let hashes: BTreeSet<_> = lock.identity.source_packages().filter_map(|source| source.sha256.as_deref()).collect();
    let sizes = hashes.into_iter().filter_map(|sha256| Some(std::fs::metadata(work.has(sha256)?).ok()?.len()));
    sizes.fold(0, u64::saturating_add)
}

fn is_compressed_by_name(address: &str) -> bool {
    address.strip_suffix(".tar").is_none()
}

impl Needs {
    /// Of so many bytes that are fetched, where nothing more is known.
    fn of(lock: &Lock, fetched: u64, compressed: bool) -> Self {
        let Identity { oci, encoder, .. } = &lock.identity;
        let files = if compressed { fetched.saturating_mul(EXPANSION) } else { fetched };
        Self { fetched, compressed, files, sources: 0, kept: 0, image: *oci, encoder: encoder.clone() }
    }

    /// The same, where so many bytes of source packages are here from now on.
    pub(super) fn keeping(self, kept: u64) -> Self {
        Self { kept, ..self }
    }

    /// Bytes of the archive, at most: what does not shrink in packages does not here.
    fn archive(&self) -> u64 {
        let fetched = if self.compressed { self.fetched } else { 0 };
        (self.files / 100).saturating_mul(LEFT).max(fetched)
    }

    /// Bytes of disk at the moment when most is there: what was fetched and its files; or files, archive and image, which
    /// is not compressed; or archive, image and source packages. Source packages that are here already are there all the
    /// time.
    pub fn disk(&self) -> u64 {
        let image = if self.image { self.files } else { 0 };
        let made = self.archive().saturating_add(image);
        let moments = [
            self.files.saturating_add(self.fetched).saturating_add(self.kept),
            self.files.saturating_add(made).saturating_add(self.kept),
            self.sources.saturating_add(made),
        ];
        moments.into_iter().max().unwrap_or_default()
    }

    /// Bytes of memory, with so many threads that compress.
    pub fn memory(&self, threads: NonZeroU32) -> u64 {
        BASE.saturating_add(archive::memory(&self.encoder, threads).unwrap_or(u64::MAX))
    }

    /// Time, with so many threads.
    pub fn time(&self, threads: NonZeroU32) -> Duration {
        let compressing = self.files / COMPRESSED / u64::from(threads.get());
        let image = if self.image { self.files } else { 0 };
        let there = [self.archive(), image, self.sources].into_iter().fold(0, u64::saturating_add);
        let moved = self.fetched.saturating_add(self.sources).saturating_add(there);
        Duration::from_secs(compressing.saturating_add(moved / MOVED)) + OVERHEAD
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

/// How large a root may be, for it is kept in memory: beside what decompresses it, and then beside the encoder.
pub(super) fn in_memory(encoder: &Encoder, threads: NonZeroU32, means: &Means) -> Limits {
    let Some(memory) = means.memory else { return Limits::default() };
    let beside = archive::memory(encoder, threads).unwrap_or(u64::MAX).max(XZ_MEMORY).saturating_add(BUFFERS);
    Limits::default().within(memory.saturating_sub(beside))
}

/// How many bytes headers of packages and what is known of their files may take, which are kept in memory beside the encoder.
pub(super) fn for_packages(encoder: &Encoder, threads: NonZeroU32, means: &Means) -> u64 {
    let Some(memory) = means.memory else { return u64::MAX };
    memory.saturating_sub(archive::memory(encoder, threads).unwrap_or(u64::MAX)).saturating_sub(BUFFERS)
}

/// How much metadata repositories may have, which are kept in memory: beside what decompresses them.
pub(super) fn for_metadata(means: &Means) -> repo::Limits {
    let limits = repo::Limits::default();
    let there = means.memory.map(|memory| memory.saturating_sub(XZ_MEMORY).saturating_sub(BUFFERS));
    repo::Limits { memory: there.unwrap_or(limits.memory), ..limits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chroot;
    use crate::lock::Identity;
    use crate::tree::Spool;

    fn means(memory: Option<u64>, disk: Option<u64>) -> Means {
        let mib = |number: u64| number << 20;
        Means {
            scratch: "/tmp".into(),
            threads: NonZeroU32::new(6).unwrap(),
            memory: memory.map(mib),
            disk: disk.map(mib),
        }
    }

    fn needs(fetched: u64, files: u64) -> Needs {
        Needs { fetched, compressed: true, files, sources: 0, kept: 0, image: false, encoder: archive::encoder() }
    }

    #[test]
    fn disk_is_for_the_moment_when_most_is_there() {
        let needs = needs(200, 1000);
        assert_eq!(needs.disk(), 1000 + 400);
        assert_eq!(Needs { fetched: 900, ..needs.clone() }.disk(), 1000 + 900, "packages that do not shrink");
        assert_eq!(Needs { image: true, ..needs.clone() }.disk(), 1000 + 400 + 1000);
        assert_eq!(Needs { sources: 5000, ..needs.clone() }.disk(), 400 + 5000, "its files are gone by then");
        let known_by_other_hashes = Needs { sources: 500, kept: 500, ..needs.clone() };
        assert_eq!(
            known_by_other_hashes.disk(),
            1000 + 400 + 500,
            "source packages that were fetched for their hashes"
        );
        assert_eq!(Needs { fetched: 1000, compressed: false, ..needs }.disk(), 2000, "a root that is not compressed");
    }

    #[test]
    fn sizes_that_nothing_can_have_are_too_large_and_no_small_ones() {
        let needs = Needs { sources: u64::MAX, image: true, ..needs(u64::MAX, u64::MAX) };
        assert_eq!(needs.disk(), u64::MAX);
        assert!(needs.time(NonZeroU32::MIN) > Duration::from_hours(1000));
    }

    #[test]
    fn what_cannot_fit_is_refused_before_the_work_and_says_what_is_short() {
        let needs = needs(250 << 20, 1 << 30);
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

    /// As long names as all of them may have.
    fn root(members: u64, limits: &Limits) -> Vec<u8> {
        let name = usize::try_from(limits.names / limits.members).unwrap();
        let mut tar = tar::Builder::new(Vec::new());
        for number in 0..members {
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            header.set_mode(0o644);
            let path = format!("usr/share/{:03}/{number:-<1$}", number % 100, name - 14);
            tar.append_data(&mut header, path, std::io::empty()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    #[test]
    fn a_root_of_as_many_members_as_there_is_memory_for_takes_no_more_and_a_larger_one_is_refused() {
        const MEMBERS: u64 = 4_000;
        let lock: Lock = serde_json::from_slice(include_bytes!("../../tests/fixtures/lock/two-packages.json")).unwrap();
        let identity = Identity { excludes: Vec::new(), ..lock.identity };
        let tar = root(MEMBERS, &Limits::default());
        let read = |limits: Limits| {
            let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
            chroot::read(tar.as_slice(), &identity, &limits, &mut spool, &mut |_| Ok(()))
        };
        let mut done = None;
        let memory = allocation_counter::measure(|| done = Some(read(Limits::default()))).bytes_max;
        assert!(done.unwrap().unwrap().entries.len() as u64 > MEMBERS);
        let enough = Limits::default().within(memory);
        assert!(enough.members < MEMBERS, "{memory} bytes are more than {enough:?} have");
        let error = read(enough).unwrap_err().to_string();
        assert!(error.contains("members"), "{error}");

        // The smallest function that takes a root at all still takes Debian's with a compiler, of which there are 13,000.
        let least = needs(1, 1).memory(NonZeroU32::MIN).div_ceil(1 << 20);
        let limits = in_memory(&archive::encoder(), NonZeroU32::MIN, &means(Some(least), None));
        assert!((60_000..1_000_000).contains(&limits.members), "{limits:?}");
        let limits = in_memory(&archive::encoder(), NonZeroU32::MIN, &means(Some(3008), None));
        assert_eq!(limits.members, Limits::default().members);
    }

    #[test]
    fn metadata_have_what_memory_is_left_beside_what_decompresses_them() {
        let room = |memory| for_metadata(&means(memory, None)).memory >> 20;
        assert_eq!(room(Some(1024)), 736);
        assert_eq!(room(Some(100)), 0);
        assert_eq!(room(None), repo::Limits::default().memory >> 20);
    }

    #[test]
    fn less_memory_means_fewer_threads() {
        let needs = needs(1, 1);
        let two = needs.memory(NonZeroU32::new(2).unwrap()).div_ceil(1 << 20);
        assert_eq!(needs.check(&means(Some(two), None), Deadline::NONE).unwrap().get(), 2);
    }
}
