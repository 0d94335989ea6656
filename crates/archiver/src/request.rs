//! What is asked for: repository, revision, suffix and sub-folder, checked; and the names that follow from them.
//!
//! A [`Request`] cannot be made of parts that would lead an address away from its source, or two requests to one key.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The most bytes of a repository's path. With the other limits, no key or task's name comes near what S3 takes (1,024
/// bytes; AWS, "Naming Amazon S3 objects").
const REPO_MAX: usize = 200;
/// The most bytes of a sub-folder's path.
const SUBDIR_MAX: usize = 400;
/// The most bytes of a task's name: with what is added to it, a folder takes it as a file's name (255 bytes). The original
/// kept no longer ones than 100.
const TASK_ID_MAX: usize = 200;
/// Characters of a revision that are used: what the original cut it to, and what a revision's archive is named by.
const REVISION: usize = 12;
/// Characters of a whole revision (Mercurial and Git: SHA-1).
const WHOLE_REVISION: usize = 40;

/// One archive: of a revision of a repository, or of a folder in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    repo: String,
    revision: Revision,
    suffix: Suffix,
    subdir: Option<String>,
}

/// A revision by the first twelve digits of its hash. Names that can move (tags, branches, `tip`) are none: what is in S3
/// stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(String);

/// The kinds of archive that Mercurial makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Suffix {
    /// A tar archive compressed by gzip.
    TarGz,
    /// A tar archive compressed by bzip2.
    TarBz2,
    /// A zip archive.
    Zip,
}

/// Why there can be no such archive; each says what may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The repository is no path of one.
    #[error("the repository {repo:?} cannot be asked for: {reason}")]
    Repo {
        /// What was given.
        repo: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The revision is no hash.
    #[error(
        "the revision {revision:?} cannot be asked for: it is 12 to 40 hexadecimal digits (a tag, a branch or tip may \
         be another revision tomorrow; ask for the hash it stands for)"
    )]
    Revision {
        /// What was given.
        revision: String,
    },
    /// There is no archive of that kind.
    #[error("there is no archive with the suffix {suffix:?}: it is tar.gz, tar.bz2 or zip")]
    Suffix {
        /// What was given.
        suffix: String,
    },
    /// The sub-folder is no path in a repository.
    #[error("the subdir {subdir:?} cannot be asked for: {reason}")]
    Subdir {
        /// What was given.
        subdir: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Request {
    /// The archive of a whole revision.
    pub fn new(repo: &str, revision: Revision, suffix: Suffix) -> Result<Self, RequestError> {
        let refused = |reason| RequestError::Repo { repo: shown(repo), reason };
        check_repo(repo).map_err(refused)?;
        Ok(Self { repo: repo.to_owned(), revision, suffix, subdir: None })
    }

    /// The archive of one folder of it. An empty one is none, and a `/` at its end changes nothing: the archive is the
    /// same.
    pub fn of_subdir(self, subdir: &str) -> Result<Self, RequestError> {
        let path = subdir.strip_suffix('/').unwrap_or(subdir);
        if subdir.is_empty() {
            return Ok(Self { subdir: None, ..self });
        }
        check_subdir(path).map_err(|reason| RequestError::Subdir { subdir: shown(subdir), reason })?;
        Ok(Self { subdir: Some(path.to_owned()), ..self })
    }

    /// The repository's path.
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// The revision.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The kind of archive.
    pub fn suffix(&self) -> Suffix {
        self.suffix
    }

    /// The folder of the repository, if it is not all of it.
    pub fn subdir(&self) -> Option<&str> {
        self.subdir.as_deref()
    }

    /// The key of its object: `projects/ash-42bf8560b395.tar.gz`, and behind it `/testing/mozharness` where that folder
    /// is asked for. No two requests have one key, since no segment of a repository's path ends as an archive does.
    pub fn key(&self) -> String {
        let Self { repo, revision, suffix, subdir } = self;
        match subdir {
            None => format!("{repo}-{revision}.{suffix}"),
            Some(subdir) => format!("{repo}-{revision}.{suffix}/{subdir}"),
        }
    }

    /// What its task is called: its key with `_` for `/`, where that is not too long: then its beginning, `~` and a hash of all
    /// of it. Few requests share one; see [`Request::other_task_id`].
    pub fn task_id(&self) -> String {
        first_task_id(&self.key())
    }

    /// What its task is called where another request's has the first name already. Of names that are not cut none has a `~`.
    pub fn other_task_id(&self) -> String {
        other_task_id(&self.key())
    }
}

/// The names that the task about an archive of that key may have; none where no archive has such a key.
pub(crate) fn task_ids(key: &str) -> Option<[String; 2]> {
    key.split('/').any(is_archive).then(|| [first_task_id(key), other_task_id(key)])
}

fn first_task_id(key: &str) -> String {
    let id = key.replace('/', "_");
    if id.len() <= TASK_ID_MAX { id } else { format!("{}~{:016x}", cut(&id), digest(key)) }
}

fn other_task_id(key: &str) -> String {
    let id = key.replace('/', "_");
    format!("{}~{:08x}", cut(&id), digest(key) >> 32)
}

/// As much of a name as leaves room for `~` and sixteen digits.
fn cut(id: &str) -> &str {
    if id.len() <= TASK_ID_MAX { id } else { id.split_at(id.floor_char_boundary(TASK_ID_MAX - 17)).0 }
}

/// The first eight bytes of the key's SHA-256.
fn digest(key: &str) -> u64 {
    Sha256::digest(key).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl FromStr for Revision {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hash = (REVISION..=WHOLE_REVISION).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        match text.get(..REVISION) {
            Some(digits) if is_hash => Ok(Self(digits.to_ascii_lowercase())),
            _ => Err(RequestError::Revision { revision: shown(text) }),
        }
    }
}

impl Revision {
    /// Its twelve digits, in small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Suffix {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::TarGz, Self::TarBz2, Self::Zip];

    /// As it stands in names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::TarBz2 => "tar.bz2",
            Self::Zip => "zip",
        }
    }

    /// The type that Mercurial gives it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::TarGz => "application/x-gzip",
            Self::TarBz2 => "application/x-bzip2",
            Self::Zip => "application/zip",
        }
    }
}

impl FromStr for Suffix {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|suffix| suffix.as_str() == text);
        known.ok_or_else(|| RequestError::Suffix { suffix: shown(text) })
    }
}

impl fmt::Display for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn check_repo(repo: &str) -> Result<(), &'static str> {
    if repo.len() > REPO_MAX {
        return Err("its path is longer than 200 bytes");
    }
    for segment in repo.split('/') {
        check_segment(segment)?;
        if segment.starts_with('.') {
            return Err("no part of its path may begin with a dot");
        }
        if !segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b)) {
            return Err("its path may have letters and digits of ASCII, - _ . + and / only");
        }
        if is_archive(segment) {
            return Err("no part of its path may end as the name of an archive does");
        }
    }
    Ok(())
}

fn check_subdir(subdir: &str) -> Result<(), &'static str> {
    if subdir.len() > SUBDIR_MAX {
        return Err("its path is longer than 400 bytes");
    }
    if subdir.chars().any(|c| c.is_control() || "?#%\\~".contains(c) || c == char::REPLACEMENT_CHARACTER) {
        return Err("it may have no control characters, none of ? # % \\ ~, and must be UTF-8");
    }
    subdir.split('/').try_for_each(check_segment)
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    match segment {
        "" => Err("no part of its path may be empty"),
        "." | ".." => Err("no part of its path may be . or .."),
        _ => Ok(()),
    }
}

/// Whether a name ends in `-`, a revision, and a suffix.
fn is_archive(name: &str) -> bool {
    let stems = Suffix::ALL.iter().filter_map(|suffix| name.strip_suffix(suffix.as_str())?.strip_suffix('.'));
    let mut digits = stems.filter_map(|stem| stem.rsplit_once('-')).map(|(_, digits)| digits);
    digits.any(|digits| digits.len() == REVISION && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// What was given, no longer than a person wants to read.
fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REV: &str = "42bf8560b395";

    fn request(repo: &str, rev: &str, suffix: &str, subdir: &str) -> Result<Request, RequestError> {
        Request::new(repo, rev.parse()?, suffix.parse()?)?.of_subdir(subdir)
    }

    /// Kept, rows 5 and 6: archives which the original wrote are found.
    #[test]
    fn keys_and_ids_are_those_of_the_original() {
        for (subdir, key, id) in [
            ("", "projects/ash-42bf8560b395.tar.gz", "projects_ash-42bf8560b395.tar.gz"),
            (
                "testing/mozharness",
                "projects/ash-42bf8560b395.tar.gz/testing/mozharness",
                "projects_ash-42bf8560b395.tar.gz_testing_mozharness",
            ),
        ] {
            let request = request("projects/ash", REV, "tar.gz", subdir).unwrap();
            assert_eq!((request.key().as_str(), request.task_id().as_str()), (key, id));
        }
    }

    /// Changelog, row 11: the original cut whatever it was given to twelve characters; names that move are refused.
    #[test]
    fn a_revision_is_a_hash_of_which_twelve_digits_are_used() {
        for whole in [REV, "42BF8560B395", "42bf8560b395aa", "42bf8560b3950123456789012345678901234567"] {
            assert_eq!(whole.parse::<Revision>().unwrap().as_str(), REV, "{whole}");
        }
        for none in ["tip", "default", "42bf8560b39", "", "FIREFOX_60_0_RELEASE", "42bf8560b39g", "é42bf8560b395"] {
            let error = none.parse::<Revision>().unwrap_err().to_string();
            assert!(error.contains("12 to 40 hexadecimal digits"), "{error}");
        }
        assert!("0".repeat(41).parse::<Revision>().is_err());
    }

    /// Changelog, row 13: what could lead an address elsewhere.
    #[test]
    fn parts_that_could_lead_elsewhere_are_refused_one_by_one() {
        for repo in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/..",
            "../a",
            "a/../b",
            "a/./b",
            ".tasks/a",
            "a b",
            "a?b",
            "a#b",
            "a%2e",
            "a\\b",
            "a\nb",
            "a\0",
            "é",
            "a~b",
            "a:b",
            "a@b",
            "http://evil",
            "\u{FFFD}",
            "a-42bf8560b395.zip/b",
            "a-42bf8560b395.tar.gz",
        ] {
            let error = request(repo, REV, "zip", "").unwrap_err();
            assert!(matches!(error, RequestError::Repo { .. }), "{repo:?}: {error}");
        }
        for subdir in [
            "/", "/a", "a//b", "a//", ".", "..", "a/..", "../a", "a/../b", "a/./b", "a?b", "a#b", "a%2e%2e", "a\\b",
            "a\nb", "a\0", "a\u{7f}", "a\u{85}", "a~", "\u{FFFD}",
        ] {
            let error = request("a", REV, "zip", subdir).unwrap_err();
            assert!(matches!(error, RequestError::Subdir { .. }), "{subdir:?}: {error}");
        }
        for suffix in ["", "gz", "tar", "tar.xz", "TAR.GZ", "zip/../x", "zip?"] {
            assert!(matches!(request("a", REV, suffix, ""), Err(RequestError::Suffix { .. })), "{suffix}");
        }
        assert!(request(&"a".repeat(201), REV, "zip", "").is_err());
        assert!(request("a", REV, "zip", &"a".repeat(401)).is_err());
    }

    #[test]
    fn what_repositories_have_is_let_through() {
        for repo in ["mozilla-central", "releases/mozilla-esr60", "l10n/gecko-strings", "a.b/c_d+e", "build/tools2.zip"]
        {
            assert!(request(repo, REV, "zip", "").is_ok(), "{repo}");
        }
        for subdir in ["a/b", ".github/x", "a b (c)", "büro/ñ", "a+b&c=d;e,f@g:h!*'", "..a", "a..", "..."] {
            assert!(request("a", REV, "zip", subdir).is_ok(), "{subdir}");
        }
    }

    #[test]
    fn a_slash_behind_a_subdir_changes_nothing() {
        assert_eq!(request("a", REV, "zip", "b/"), request("a", REV, "zip", "b"));
    }

    /// Changelog, row 12: `a/b_c` and `a_b/c` share their first name.
    #[test]
    fn requests_that_share_a_tasks_name_are_told_apart_by_the_other_one() {
        let (one, two) = (request("a/b_c", REV, "zip", "").unwrap(), request("a_b/c", REV, "zip", "").unwrap());
        assert_eq!(one.task_id(), two.task_id());
        assert_ne!(one.other_task_id(), two.other_task_id());
        let (first, rest) = one.other_task_id().split_once('~').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!((first, rest.len()), (one.task_id(), 8));
    }

    #[test]
    fn the_names_of_a_task_follow_from_its_archives_key_and_from_no_other() {
        for subdir in ["", "b/c"] {
            let request = request("a/b", REV, "zip", subdir).unwrap();
            assert_eq!(task_ids(&request.key()), Some([request.task_id(), request.other_task_id()]));
        }
        for other in ["", "a/b", "a-42bf8560b395", "a.zip", "pub/firefox/build-42bf8560b39.zip"] {
            assert_eq!(task_ids(other), None, "{other}");
        }
    }

    #[test]
    fn the_longest_names_fit_into_s3() {
        let subdir = format!("{}/{}", "b".repeat(199), "c".repeat(200));
        let request = request(&"a".repeat(200), REV, "tar.bz2", &subdir).unwrap();
        assert!(request.key().len() < 700);
    }

    /// With `.json` behind it a name is a file's where tasks lie in a folder.
    #[test]
    fn the_longest_names_of_tasks_fit_into_a_folder_and_stay_apart() {
        let ids = |end: &str| {
            let request = request(&"a".repeat(200), REV, "zip", &format!("{}{end}", "ñ".repeat(190))).unwrap();
            [request.task_id(), request.other_task_id()]
        };
        let all = [ids("x"), ids("y")].concat();
        assert!(all.iter().all(|id| id.len() <= TASK_ID_MAX && id.contains('~')), "{all:?}");
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "{all:?}");
        // What the original could keep is called as it called it.
        let known = request(&"a".repeat(83), REV, "zip", "").unwrap().task_id();
        assert_eq!((known.len(), known.contains('~')), (100, false));
    }

    /// Requests that are likely to be confused: few letters, archives' own names among them.
    fn any_request() -> impl Strategy<Value = Request> {
        let segment = prop_oneof!["[ab_.-]{1,3}", Just(format!("a-{REV}.zip")), Just(format!("a-{REV}.tar.gz"))];
        let path = prop::collection::vec(segment, 1..4).prop_map(|segments| segments.join("/"));
        let rev = prop_oneof![Just(REV), Just("000000000000")];
        let suffix = prop::sample::select(Suffix::ALL.to_vec());
        (path.clone(), rev, suffix, prop_oneof![Just(String::new()), path])
            .prop_filter_map("refused", |(repo, rev, suffix, subdir)| {
                request(&repo, rev, suffix.as_str(), &subdir).ok()
            })
    }

    proptest! {
        #[test]
        fn no_two_requests_share_a_key_nor_both_names_of_a_task(one in any_request(), two in any_request()) {
            prop_assert_eq!(one == two, one.key() == two.key());
            let ids = |request: &Request| (request.task_id(), request.other_task_id());
            prop_assert_eq!(one == two, ids(&one) == ids(&two));
            prop_assert!(one.task_id() != two.other_task_id());
        }

        #[test]
        fn whatever_is_given_ends_in_a_request_or_a_reason(repo in ".*", rev in ".*", suffix in ".*", subdir in ".*") {
            if let Err(error) = request(&repo, &rev, &suffix, &subdir) {
                prop_assert!(error.to_string().len() < 1000);
            }
        }
    }
}
