//! Pages of many things.

use buildhub_core::web::Page;
use jiff::civil::Date;
use maud::html;

use super::forms::{Field, actions, form};
use super::parts::{address, builds, encoded, length, moment, requests, revision as revision_link, state};
use super::single::{asked_for, outcome};
use super::{Frame, framed, neighbour};
use crate::action::Revision;
use crate::builds::{Cursor, Cursors, Found, OfUser};
use crate::config::Branch;
use crate::jobs::Job;
use crate::reports::runs::Runs;

/// The branches.
pub(in crate::api) fn branches(frame: &Frame<'_>, names: &[&str]) -> Page {
    let body = html! {
        @if names.is_empty() { p { "No branches." } }
        ul { @for name in names { li { a href={ (frame.base) "/self-serve/" (encoded(name)) } { (name) } } } }
    };
    framed(frame, "Branches", &body)
}

/// What was asked for.
pub(in crate::api) fn jobs(frame: &Frame<'_>, jobs: &[Job], next: Option<&str>) -> Page {
    let body = html! {
        @if jobs.is_empty() { p { "Nothing was asked for yet." } }
        @else {
            table {
                thead { tr { th { "Job" } th { "State" } th { "Asked for" } th { "By" } th { "When" } th { "Message" } } }
                tbody {
                    @for job in jobs {
                        @let (word, message) = outcome(job);
                        tr {
                            td { a href={ (frame.base) "/self-serve/jobs/" (job.number) } { (job.number) } }
                            td { (state(word)) }
                            td { (asked_for(&job.action)) }
                            td { (job.who) }
                            td { (moment(frame, job.when)) }
                            td { (message.lines().next().unwrap_or_default()) }
                        }
                    }
                }
            }
        }
        (older(frame, next))
    };
    framed(frame, "Jobs", &body)
}

/// A day of a branch.
pub(in crate::api) fn day(
    frame: &Frame<'_>,
    branch: &Branch<'_>,
    date: Date,
    found: &Found,
    from: &Cursors,
    next: Option<&str>,
) -> Page {
    let of = |date: Date| address(frame, branch, &format!("?date={date}"));
    let body = html! {
        p {
            @if let Some(before) = neighbour(date, -1) { a href=(of(before)) { "← " (before) } " · " }
            (date)
            @if let Some(after) = neighbour(date, 1) { " · " a href=(of(after)) { (after) " →" } }
            " · " a href=(address(frame, branch, "/builders")) { "Builders" }
        }
        (found_from(frame, branch, found, from))
        (older(frame, next))
    };
    framed(frame, &format!("{} on {date}", branch.name), &body)
}

/// A revision, and what may be asked for it.
pub(in crate::api) fn revision(
    frame: &Frame<'_>,
    branch: &Branch<'_>,
    revision: &Revision,
    found: &Found,
    from: &Cursors,
    next: Option<&str>,
) -> Page {
    let here = address(frame, branch, &format!("/rev/{revision}"));
    let link = branch.link(&revision.to_string());
    let is_open = !found.pending.is_empty() || found.builds.iter().any(|build| build.endtime.is_none());
    let body = html! {
        p {
            @if !link.is_empty() { a href=(link) { "The revision" } " · " }
            a href={ (here) "/is_done" } { "Is it done?" }
        }
        (found_from(frame, branch, found, from))
        (older(frame, next))
        (actions(frame, &html! {
            (form(frame, "New builds", "POST", &here, &[], &[]))
            (form(frame, "New nightly builds", "POST", &format!("{here}/nightly"), &[], &[Field::Priority(0)]))
            (form(frame, "New profile-guided builds", "POST", &format!("{here}/pgo"), &[], &[Field::Priority(0)]))
            p { a href=(address(frame, branch, &format!("/builders?revision={revision}"))) { "One builder's build of it" } }
            @if is_open { (form(frame, "Cancel all that is open", "DELETE", &here, &[], &[])) }
        }))
    };
    framed(frame, &format!("{revision} on {}", branch.name), &body)
}

/// What is built for a branch; with a revision, a form for each builder.
pub(in crate::api) fn builders(
    frame: &Frame<'_>,
    branch: &Branch<'_>,
    builders: &[String],
    revision: Option<&Revision>,
) -> Page {
    let of = |builder: &str, revision: &Revision| {
        address(frame, branch, &format!("/builders/{}/{revision}", encoded(builder)))
    };
    let body = html! {
        @if builders.is_empty() { p { "No builders." } }
        ul {
            @for builder in builders {
                li {
                    (builder)
                    @if let Some(revision) = revision {
                        (form(frame, "Build", "POST", &of(builder, revision), &[], &[Field::Priority(0), Field::Properties]))
                    }
                }
            }
        }
    };
    let title = revision.map_or_else(String::new, |revision| format!("{revision}: "));
    framed(frame, &format!("{title}builders of {}", branch.name), &body)
}

/// What somebody asked for.
pub(in crate::api) fn user(
    frame: &Frame<'_>,
    branch: &Branch<'_>,
    user: &str,
    found: &OfUser,
    from: &Cursors,
    next: Option<&str>,
) -> Page {
    let body = html! {
        @if from.pending != Cursor::End { h2 { "Pending" } (requests(frame, branch, &found.pending)) }
        @if from.running != Cursor::End { h2 { "Running" } (builds(frame, branch, &found.running)) }
        @if from.builds != Cursor::End { h2 { "Builds" } (builds(frame, branch, &found.builds)) }
        (older(frame, next))
    };
    framed(frame, &format!("{user} on {}", branch.name), &body)
}

/// Revisions from end to end.
pub(in crate::api) fn runs(frame: &Frame<'_>, branch: &Branch<'_>, runs: &Runs) -> Page {
    let body = html! {
        p { (runs.total_build_runs) " revisions, " (runs.total_build_requests) " requests" }
        table {
            thead { tr { th { "Revision" } th { "Result" } th { "Complete" } th { "Duration" } th { "Builds" } th { "Running" } th { "Pending" } th { "Cancelled" } } }
            tbody {
                @for (name, run) in &runs.build_runs {
                    tr {
                        td { (revision_link(frame, branch, name.parse::<Revision>().ok().map(|revision| revision.to_string()))) }
                        td { (state(run.results_str)) }
                        td { (run.is_complete) }
                        td { (length(run.duration)) }
                        td { (run.complete) }
                        td { (run.running) }
                        td { (run.pending) }
                        td { (run.cancelled) }
                    }
                }
            }
        }
    };
    framed(frame, &format!("{} from end to end", branch.name), &body)
}

/// Builds, and requests that wait, of the lists that have not ended before.
fn found_from(frame: &Frame<'_>, branch: &Branch<'_>, found: &Found, from: &Cursors) -> maud::Markup {
    html! {
        @if from.pending != Cursor::End { h2 { "Pending" } (requests(frame, branch, &found.pending)) }
        @if from.builds != Cursor::End { h2 { "Builds" } (builds(frame, branch, &found.builds)) }
    }
}

/// The way to what follows.
pub(super) fn older(frame: &Frame<'_>, next: Option<&str>) -> maud::Markup {
    html! { @if let Some(next) = next { p { a rel="next" href={ (frame.base) (next) } { "Older" } } } }
}
