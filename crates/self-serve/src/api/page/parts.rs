//! Pieces of which pages are made.

use jiff::Timestamp;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Frame;
use crate::builds::{Build, Request, State};
use crate::config::Branch;
use crate::reports::runs::name;

/// What stands in one segment of an address as it is (RFC 3986, section 2.3, unreserved characters).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one segment of an address.
pub(in crate::api) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The address of something of a branch.
pub(super) fn address(frame: &Frame<'_>, branch: &Branch<'_>, rest: &str) -> String {
    format!("{}/self-serve/{}{rest}", frame.base, encoded(branch.name))
}

/// A moment: how long ago, and exactly where one points at it.
pub(super) fn moment(frame: &Frame<'_>, seconds: i64) -> Markup {
    let exact = Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string());
    let distance = frame.now.as_second().saturating_sub(seconds);
    let text = match distance {
        0.. => format!("{} ago", length(distance)),
        _ => format!("in {}", length(-distance)),
    };
    html! { time datetime=(exact) title=(exact) { (text) } }
}

/// A length of time, in its largest unit.
pub(super) fn length(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// How a build is.
pub(super) fn status(build: &Build) -> Markup {
    match build.state {
        State::Complete => state(name(build.status)),
        State::Running | State::Pending => state("running"),
    }
}

/// A state: a word with a sign, and a colour for those who see it.
pub(super) fn state(word: &str) -> Markup {
    let (sign, class) = match word {
        "success" | "done" | "yes" => ("✓", "state good"),
        "failure" | "exception" | "failed" => ("✗", "state bad"),
        "warnings" => ("!", "state bad"),
        "running" | "open" | "pending" => ("…", "state open"),
        _ => ("–", "state"),
    };
    html! { span class=(class) { (sign) " " (word) } }
}

/// A table of builds.
pub(super) fn builds(frame: &Frame<'_>, branch: &Branch<'_>, builds: &[Build]) -> Markup {
    html! {
        @if builds.is_empty() {
            p { "No builds." }
        } @else {
            table {
                thead { tr { th { "Build" } th { "State" } th { "Builder" } th { "Revision" } th { "Began" } th { "Took" } th { "Owner" } } }
                tbody {
                    @for build in builds {
                        tr {
                            td { a href=(address(frame, branch, &format!("/build/{}", build.build_id))) { (build.build_id) } }
                            td { (status(build)) }
                            td { (build.buildername) " #" (build.buildnumber) }
                            td { (revision(frame, branch, build.rev.as_ref().map(ToString::to_string))) }
                            td { (moment(frame, build.starttime)) }
                            td { @if let Some(end) = build.endtime { (length((end - build.starttime).max(0))) } }
                            td { (owner(frame, branch, build.owner.as_deref())) }
                        }
                    }
                }
            }
        }
    }
}

/// A table of requests that wait.
pub(super) fn requests(frame: &Frame<'_>, branch: &Branch<'_>, requests: &[Request]) -> Markup {
    html! {
        @if requests.is_empty() {
            p { "No requests." }
        } @else {
            table {
                thead { tr { th { "Request" } th { "Builder" } th { "Revision" } th { "Priority" } th { "Made" } th { "Owner" } } }
                tbody {
                    @for request in requests {
                        tr {
                            td { a href=(address(frame, branch, &format!("/request/{}", request.request_id))) { (request.request_id) } }
                            td { (request.buildername) }
                            td { (revision(frame, branch, request.rev.as_ref().map(ToString::to_string))) }
                            td { (request.priority) }
                            td { (moment(frame, request.submittime)) }
                            td { (owner(frame, branch, request.owner.as_deref())) }
                        }
                    }
                }
            }
        }
    }
}

/// A revision, with its address where it has one.
pub(super) fn revision(frame: &Frame<'_>, branch: &Branch<'_>, revision: Option<String>) -> Markup {
    html! {
        @if let Some(revision) = revision {
            a href=(address(frame, branch, &format!("/rev/{revision}"))) { code { (revision) } }
        }
    }
}

/// Somebody, with the address of all of theirs.
pub(super) fn owner(frame: &Frame<'_>, branch: &Branch<'_>, owner: Option<&str>) -> Markup {
    html! {
        @if let Some(owner) = owner {
            a href=(address(frame, branch, &format!("/user/{}", encoded(owner)))) { (owner) }
        }
    }
}

/// A table of names and what belongs to them, without those to which nothing does.
pub(super) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        table {
            tbody {
                @for (name, value) in facts {
                    @if !value.0.trim().is_empty() { tr { th scope="row" { (name) } td { (value) } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame<'static> {
        Frame { base: "", now: Timestamp::from_second(1_700_000_000).unwrap(), person: None }
    }

    #[test]
    fn a_moment_is_told_by_its_distance_and_exactly() {
        let text = |seconds| moment(&frame(), seconds).into_string();
        let expected = r#"<time datetime="2023-11-14T22:12:20Z" title="2023-11-14T22:12:20Z">1 minute ago</time>"#;
        assert_eq!(text(1_699_999_940), expected);
        assert!(text(1_700_000_000 - 7200).contains(">2 hours ago<"));
        assert!(text(1_700_000_000 + 86_400).contains(">in 1 day<"));
        assert!(text(i64::MAX).contains("in "), "what is no moment is told too");
    }

    #[test]
    fn what_stands_in_an_address_cannot_leave_it() {
        assert_eq!(encoded("a b/c?d#e%\"é"), "a%20b%2Fc%3Fd%23e%25%22%C3%A9");
    }
}
