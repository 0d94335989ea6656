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

/// What a build of a revision without one, or a branch without one, stands under.
const NONE: &str = "None";

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
