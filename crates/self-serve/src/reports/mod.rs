//! Reports: what waits, what runs, how long builds waited, and how long a revision took from its first request to its last
//! build. Each is made of builds and requests as they are known, and asks nothing itself.
//!
//! | module | holds |
//! |---|---|
//! | [`open`] | what waits and what runs, by branch and revision |
//! | [`waits`] | waits by platform and by time |
//! | [`runs`] | revisions from end to end |
//! | [`span`] | the time that a report is about, and its intervals |

pub mod open;
pub mod runs;
pub mod span;
pub mod waits;

use crate::action::Revision;

/// What a build of a revision without one, or a branch without one, stands under.
const NONE: &str = "None";

/// What a revision stands under: its first twelve digits, whichever of its lengths it was asked for with; what is no hash, as
/// it is.
fn revision_of(rev: Option<&Revision>, text: Option<&str>) -> String {
    rev.map(ToString::to_string).or_else(|| text.map(str::to_owned)).unwrap_or_else(|| NONE.to_owned())
}

/// The platform in a builder's name, where its document does not say it: the first of its words that is one.
pub fn platform_in(builder: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 11] = [
        ("linux64", "linux64"),
        ("x86-64", "linux64"),
        ("linux", "linux"),
        ("macosx64", "macosx64"),
        ("macosx", "macosx"),
        ("osx", "macosx"),
        ("win64", "win64"),
        ("win32", "win32"),
        ("windows", "win32"),
        ("android", "android"),
        ("b2g", "b2g"),
    ];
    let name = builder.to_ascii_lowercase();
    KNOWN.into_iter().find(|(word, _)| name.contains(word)).map(|(_, platform)| platform)
}

#[cfg(test)]
mod samples {
    use crate::builds::{Build, Request, State};

    pub(super) fn request(id: u64, submitted: i64) -> Request {
        Request {
            request_id: id,
            buildername: "linux build".to_owned(),
            branch: Some("try".to_owned()),
            revision: Some("abcdef012345".to_owned()),
            submittime: submitted,
            complete: 0,
            complete_at: None,
            priority: 0,
            claimed_at: 0,
            reason: "a push".to_owned(),
            owner: Some("alice".to_owned()),
            rev: "abcdef012345".parse().ok(),
            state: State::Pending,
            properties: None,
            build_ids: None,
            unbuilt: false,
        }
    }

    pub(super) fn build(id: u64, request: &Request, started: i64, ended: Option<i64>) -> Build {
        Build {
            build_id: id,
            requests: vec![request.clone()],
            buildnumber: id,
            buildername: request.buildername.clone(),
            branch: request.branch.clone(),
            revision: request.revision.clone(),
            starttime: started,
            endtime: ended,
            status: if ended.is_some() { 0 } else { crate::builds::NO_STATUS },
            claimed_by_name: None,
            master: None,
            owner: request.owner.clone(),
            rev: request.rev.clone(),
            state: if ended.is_some() { State::Complete } else { State::Running },
        }
    }

    #[test]
    fn a_builders_name_says_its_platform_where_its_document_does_not() {
        for (name, platform) in [
            ("mozilla-central linux64 build", Some("linux64")),
            ("Linux x86-64 try build", Some("linux64")),
            ("try linux build", Some("linux")),
            ("OS X 10.7 try build", None),
            ("WINNT 5.2 try build", None),
            ("try win32 nightly", Some("win32")),
            ("try_ubuntu", None),
        ] {
            assert_eq!(super::platform_in(name), platform, "{name}");
        }
    }
}
