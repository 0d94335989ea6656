//! What may be asked for: ten actions, by the names and with the parameters that their users know.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How often one request may ask for the same thing.
pub const COUNT_MAX: u32 = 20;
/// The highest priority, and, negative, the lowest.
pub const PRIORITY_MAX: i64 = 100;
/// The most bytes of the properties and the names of files that a build is given, as JSON. `buildbot/self_serve` takes
/// 65,536, of which some are the agent's own.
pub const EXTRA_MAX: usize = 64_000;
/// The most builds that one action starts.
pub const PIECES_MAX: u32 = 200;

/// One thing that is asked for. Written, it is a job's `action` and `what`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", content = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Another priority for a request that waits.
    Reprioritize {
        /// The request.
        brid: u64,
        /// The higher one goes first.
        priority: i64,
    },
    /// The end of a request, and of its build if it has one.
    CancelRequest {
        /// The request.
        brid: u64,
    },
    /// The end of a build.
    CancelBuild {
        /// The build.
        bid: u64,
    },
    /// A build, made again.
    RebuildBuild {
        /// The build.
        bid: u64,
        /// The higher one goes first.
        priority: i64,
        /// How often.
        count: u32,
    },
    /// A request, made again.
    RebuildRequest {
        /// The request.
        brid: u64,
        /// The higher one goes first.
        priority: i64,
        /// How often.
        count: u32,
    },
    /// The end of all that is not over of a revision.
    CancelRevision {
        /// The branch's name.
        branch: String,
        /// The revision.
        revision: Revision,
    },
    /// What follows from a push of a revision, as the branch's schedulers decide.
    NewBuildAtRevision {
        /// The branch's name.
        branch: String,
        /// The revision.
        revision: Revision,
    },
    /// The branch's nightly builds, of a revision.
    NewNightlyAtRevision {
        /// The branch's name.
        branch: String,
        /// The revision.
        revision: Revision,
        /// The higher one goes first.
        priority: i64,
    },
    /// The branch's profile-guided builds, of a revision.
    NewPgobuildAtRevision {
        /// The branch's name.
        branch: String,
        /// The revision.
        revision: Revision,
        /// The higher one goes first.
        priority: i64,
    },
    /// One builder's build of a revision.
    NewBuildForBuilder {
        /// The branch's name.
        branch: String,
        /// The revision.
        revision: Revision,
        /// The higher one goes first.
        priority: i64,
        /// The builder's name.
        builder_name: String,
        /// Properties of the build.
        properties: Map<String, Value>,
        /// Files that count as changed: the build's property `files`. (A change would count for each build of the revision.)
        files: Vec<String>,
    },
}

/// Whether properties and files are more than a build is given.
pub fn is_too_much(properties: &Map<String, Value>, files: &[String]) -> bool {
    // Neither can fail: keys are text.
    let length = |text: serde_json::Result<String>| text.map_or(usize::MAX, |text| text.len());
    let all = length(serde_json::to_string(properties)).saturating_add(length(serde_json::to_string(files)));
    all > EXTRA_MAX
}

/// An action by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the action of that name")]
pub enum Kind {
    Reprioritize,
    CancelRequest,
    CancelBuild,
    RebuildBuild,
    RebuildRequest,
    CancelRevision,
    NewBuildAtRevision,
    NewNightlyAtRevision,
    NewPgobuildAtRevision,
    NewBuildForBuilder,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Reprioritize,
        Self::CancelRequest,
        Self::CancelBuild,
        Self::RebuildBuild,
        Self::RebuildRequest,
        Self::CancelRevision,
        Self::NewBuildAtRevision,
        Self::NewNightlyAtRevision,
        Self::NewPgobuildAtRevision,
        Self::NewBuildForBuilder,
    ];
}

impl Action {
    /// Which one it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Reprioritize { .. } => Kind::Reprioritize,
            Self::CancelRequest { .. } => Kind::CancelRequest,
            Self::CancelBuild { .. } => Kind::CancelBuild,
            Self::RebuildBuild { .. } => Kind::RebuildBuild,
            Self::RebuildRequest { .. } => Kind::RebuildRequest,
            Self::CancelRevision { .. } => Kind::CancelRevision,
            Self::NewBuildAtRevision { .. } => Kind::NewBuildAtRevision,
            Self::NewNightlyAtRevision { .. } => Kind::NewNightlyAtRevision,
            Self::NewPgobuildAtRevision { .. } => Kind::NewPgobuildAtRevision,
            Self::NewBuildForBuilder { .. } => Kind::NewBuildForBuilder,
        }
    }

    /// What must not be worked on by two jobs at the same time: `br#7`, `build#9`, `rev#mozilla-central#abcdef012345`.
    pub fn group(&self) -> String {
        match self {
            Self::Reprioritize { brid, .. } | Self::CancelRequest { brid } | Self::RebuildRequest { brid, .. } => {
                format!("br#{brid}")
            }
            Self::CancelBuild { bid } | Self::RebuildBuild { bid, .. } => format!("build#{bid}"),
            Self::CancelRevision { branch, revision }
            | Self::NewBuildAtRevision { branch, revision }
            | Self::NewNightlyAtRevision { branch, revision, .. }
            | Self::NewPgobuildAtRevision { branch, revision, .. }
            | Self::NewBuildForBuilder { branch, revision, .. } => format!("rev#{branch}#{revision}"),
        }
    }
}

/// A revision by the first twelve digits of its hash, lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revision(String);

/// What is no revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no revision: it is 12 to 40 hexadecimal digits")]
pub struct RevisionError(String);

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        let is_hash = (12..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match text.get(..12) {
            Some(short) if is_hash => Ok(Self(short.to_ascii_lowercase())),
            _ => Err(RevisionError(text.chars().take(64).collect())),
        }
    }
}

impl TryFrom<String> for Revision {
    type Error = RevisionError;

    fn try_from(text: String) -> Result<Self, RevisionError> {
        text.parse()
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> Self {
        revision.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_action_is_written_by_the_names_its_users_know() {
        let action = Action::RebuildBuild { bid: 9, priority: 5, count: 3 };
        let written = json!({ "action": "rebuild_build", "what": { "bid": 9, "priority": 5, "count": 3 } });
        assert_eq!(serde_json::to_value(&action).unwrap(), written);
        assert_eq!(serde_json::from_value::<Action>(written).unwrap(), action);
        let names: Vec<_> = Kind::ALL.iter().map(|kind| serde_json::to_value(kind).unwrap()).collect();
        let expected = json!([
            "reprioritize",
            "cancel_request",
            "cancel_build",
            "rebuild_build",
            "rebuild_request",
            "cancel_revision",
            "new_build_at_revision",
            "new_nightly_at_revision",
            "new_pgobuild_at_revision",
            "new_build_for_builder"
        ]);
        assert_eq!(json!(names), expected);
    }

    #[test]
    fn what_a_build_is_given_is_as_much_as_a_master_takes() {
        let snippet = include_str!("../../../buildbot/self_serve/names.py");
        let taken = snippet.lines().find_map(|line| line.strip_prefix("EXTRA_MAX = ")).unwrap();
        assert!(EXTRA_MAX < taken.parse().unwrap());
        let properties = |length: usize| Map::from_iter([("a".to_owned(), json!("x".repeat(length)))]);
        // {"a":"…"} and []
        assert!(!is_too_much(&properties(EXTRA_MAX - 10), &[]));
        assert!(is_too_much(&properties(EXTRA_MAX - 9), &[]));
        assert!(is_too_much(&Map::new(), &["x".repeat(1000), "y".repeat(EXTRA_MAX)]));
    }

    #[test]
    fn what_could_disturb_one_another_is_in_one_group() {
        let rebuild = Action::RebuildRequest { brid: 7, priority: 0, count: 1 };
        assert_eq!(rebuild.group(), Action::CancelRequest { brid: 7 }.group());
        let revision: Revision = "ABCDEF0123456789".parse().unwrap();
        let cancel = Action::CancelRevision { branch: "try".to_owned(), revision };
        assert_eq!(cancel.group(), "rev#try#abcdef012345");
    }

    #[test]
    fn a_revision_is_a_hash_and_nothing_that_can_move() {
        for wrong in ["tip", "abcdef01234", "abcdef01234g", &"a".repeat(41), "", "abcdef 012345"] {
            assert!(wrong.parse::<Revision>().is_err(), "{wrong}");
        }
    }
}
