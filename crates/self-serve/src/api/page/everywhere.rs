//! Pages of requests and builds whatever their branch: what waits, what runs, what was last.

use buildhub_core::web::Page;
use maud::{Markup, html};

use super::lists::older;
use super::parts::{address, length, moment, owner, revision, status};
use super::{Frame, framed};
use crate::action::Revision;
use crate::builds::{Build, Request};
use crate::config::{Branch, Branches};

/// What waits.
pub(in crate::api) fn pending(
    frame: &Frame<'_>,
    branches: &Branches,
    requests: &[Request],
    next: Option<&str>,
) -> Page {
    let body = html! {
        (counted(requests.len(), "request", next))
        @if !requests.is_empty() { table {
            thead { tr { th { "Request" } th { "Branch" } th { "Builder" } th { "Revision" } th { "Priority" } th { "Made" } th { "Owner" } } }
            tbody {
                @for request in requests {
                    @let branch = branch_of(branches, request.branch.as_deref());
                    tr {
                        td { (thing(frame, branch.as_ref(), "request", request.request_id)) }
                        td { (name(frame, branch.as_ref(), request.branch.as_deref())) }
                        td { (request.buildername) }
                        td { (revision_of(frame, branch.as_ref(), request.rev.as_ref())) }
                        td { (request.priority) }
                        td { (moment(frame, request.submittime)) }
                        td { (owner_of(frame, branch.as_ref(), request.owner.as_deref())) }
                    }
                }
            }
        } }
        (older(frame, next))
    };
    framed(frame, "Pending", &body)
}

/// What runs.
pub(in crate::api) fn running(frame: &Frame<'_>, branches: &Branches, found: &[Build], next: Option<&str>) -> Page {
    let body = html! { (counted(found.len(), "build", next)) (builds(frame, branches, found)) (older(frame, next)) };
    framed(frame, "Running", &body)
}

/// The newest builds, of a worker or of all.
pub(in crate::api) fn recent(
    frame: &Frame<'_>,
    branches: &Branches,
    worker: Option<&str>,
    found: &[Build],
    next: Option<&str>,
) -> Page {
    let title = worker.map_or_else(|| "Recent builds".to_owned(), |worker| format!("Recent builds of {worker}"));
    let body =
        html! { @if found.is_empty() { p { "No builds." } } (builds(frame, branches, found)) (older(frame, next)) };
    framed(frame, &title, &body)
}

/// One of a branch, with its address where the branch is known.
pub(super) fn thing(frame: &Frame<'_>, branch: Option<&Branch<'_>>, kind: &str, id: u64) -> Markup {
    html! {
        @match branch {
            Some(branch) => a href=(address(frame, branch, &format!("/{kind}/{id}"))) { (id) },
            None => (id),
        }
    }
}

/// A branch by however it is called.
pub(super) fn branch_of<'a>(branches: &'a Branches, called: Option<&str>) -> Option<Branch<'a>> {
    called.and_then(|called| branches.called(called))
}

fn builds(frame: &Frame<'_>, branches: &Branches, builds: &[Build]) -> Markup {
    html! {
        @if !builds.is_empty() { table {
            thead { tr { th { "Build" } th { "State" } th { "Branch" } th { "Builder" } th { "Revision" } th { "Worker" } th { "Began" } th { "Took" } th { "Owner" } } }
            tbody {
                @for build in builds {
                    @let branch = branch_of(branches, build.branch.as_deref());
                    tr {
                        td { (thing(frame, branch.as_ref(), "build", build.build_id)) }
                        td { (status(build)) }
                        td { (name(frame, branch.as_ref(), build.branch.as_deref())) }
                        td { (build.buildername) " #" (build.buildnumber) }
                        td { (revision_of(frame, branch.as_ref(), build.rev.as_ref())) }
                        td { (build.claimed_by_name.as_deref().unwrap_or("")) }
                        td { (moment(frame, build.starttime)) }
                        td { @if let Some(end) = build.endtime { (length((end - build.starttime).max(0))) } }
                        td { (owner_of(frame, branch.as_ref(), build.owner.as_deref())) }
                    }
                }
            }
        } }
    }
}

fn counted(count: usize, what: &str, next: Option<&str>) -> Markup {
    let plural = if count == 1 { "" } else { "s" };
    html! { p {
        @if count == 0 { "No " (what) "s." } @else { (count) " " (what) (plural) "." }
        @if next.is_some() { " There are older ones." }
    } }
}

fn name(frame: &Frame<'_>, branch: Option<&Branch<'_>>, called: Option<&str>) -> Markup {
    html! {
        @match branch {
            Some(branch) => a href=(address(frame, branch, "")) { (branch.name) },
            None => (called.unwrap_or("")),
        }
    }
}

fn revision_of(frame: &Frame<'_>, branch: Option<&Branch<'_>>, of: Option<&Revision>) -> Markup {
    let text = of.map(ToString::to_string);
    if let Some(branch) = branch {
        revision(frame, branch, text)
    } else {
        html! { code { (text.unwrap_or_default()) } }
    }
}

fn owner_of(frame: &Frame<'_>, branch: Option<&Branch<'_>>, of: Option<&str>) -> Markup {
    branch.map_or_else(|| html! { (of.unwrap_or("")) }, |branch| owner(frame, branch, of))
}
