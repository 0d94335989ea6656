//! The API as pages: small, usable without scripts, and with a form for each thing that may be asked for.

mod everywhere;
mod forms;
mod lists;
mod parts;
mod plot;
mod single;

use buildhub_core::web::Page;
use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use serde::Serialize;

pub(super) use everywhere::{pending, recent, running};
pub(super) use lists::{branches, builders, day, jobs, revision, runs, user};
pub(super) use parts::encoded;
pub(super) use plot::waits;
pub(super) use single::{build, is_done, job, request};

/// What is around every page.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// What stands before every path.
    pub base: &'a str,
    /// Now.
    pub now: Timestamp,
    /// Who looks, where that is known.
    pub person: Option<String>,
}

/// What can be asked, for whoever reads `/self-serve`.
#[derive(Debug, Serialize)]
pub(super) struct Endpoint {
    pub method: &'static str,
    /// The address, with names in braces where something stands for what is meant.
    pub path: &'static str,
    what: &'static str,
    /// Fields of the body, or of the query where the method is `GET`.
    parameters: &'static [&'static str],
}

const fn endpoint(
    method: &'static str,
    path: &'static str,
    what: &'static str,
    parameters: &'static [&'static str],
) -> Endpoint {
    Endpoint { method, path, what, parameters }
}

/// All that can be asked.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    endpoint("GET", "/self-serve", "What can be asked.", &[]),
    endpoint("GET", "/self-serve/branches", "The branches.", &[]),
    endpoint("GET", "/self-serve/jobs", "What was asked for, the newest first.", &["num", "offset", "before"]),
    endpoint("GET", "/self-serve/jobs/{job_id}", "One of them, and what became of it.", &[]),
    endpoint(
        "GET",
        "/self-serve/{branch}",
        "Builds that began on a day (YYYY-MM-DD), and requests made on it that wait.",
        &["date", "num", "before", "pending_before"],
    ),
    endpoint("GET", "/self-serve/{branch}/build/{build_id}", "A build.", &[]),
    endpoint("DELETE", "/self-serve/{branch}/build/{build_id}", "Stop a build.", &[]),
    endpoint("POST", "/self-serve/{branch}/build", "Make a build again.", &["build_id", "priority", "count"]),
    endpoint("GET", "/self-serve/{branch}/request/{request_id}", "A request.", &[]),
    endpoint(
        "PUT",
        "/self-serve/{branch}/request/{request_id}",
        "Give a request that waits another priority.",
        &["priority"],
    ),
    endpoint("DELETE", "/self-serve/{branch}/request/{request_id}", "Cancel a request, and its build if it runs.", &[]),
    endpoint("POST", "/self-serve/{branch}/request", "Make a request again.", &["request_id", "priority", "count"]),
    endpoint(
        "GET",
        "/self-serve/{branch}/rev/{revision}",
        "Builds of a revision, and requests that wait.",
        &["num", "before", "pending_before"],
    ),
    endpoint(
        "GET",
        "/self-serve/{branch}/rev/{revision}/is_done",
        "Whether a revision is done with, and has been for some seconds.",
        &["stableDelay"],
    ),
    endpoint("POST", "/self-serve/{branch}/rev/{revision}", "New builds of a revision, as after a push.", &[]),
    endpoint("POST", "/self-serve/{branch}/rev/{revision}/pgo", "New profile-guided builds.", &["priority"]),
    endpoint("POST", "/self-serve/{branch}/rev/{revision}/nightly", "New nightly builds.", &["priority"]),
    endpoint("DELETE", "/self-serve/{branch}/rev/{revision}", "Cancel all that is open of a revision.", &[]),
    endpoint(
        "GET",
        "/self-serve/{branch}/builders",
        "What is built for a branch; as a page, with forms for a revision.",
        &["revision"],
    ),
    endpoint(
        "POST",
        "/self-serve/{branch}/builders/{builder}/{revision}",
        "One builder's build of a revision, with properties (a JSON object) and files (a JSON list; their property).",
        &["priority", "properties", "files"],
    ),
    endpoint(
        "GET",
        "/self-serve/{branch}/user/{user}",
        "What somebody asked for.",
        &["num", "before", "running_before", "pending_before"],
    ),
    endpoint("POST", "/self-serve/events", "For masters: a build began or ended.", &["buildrequestid"]),
    endpoint("GET", "/pending/{branch}/{platform}", "What waits; both may be left out.", &["num", "before"]),
    endpoint("GET", "/running/{branch}/{platform}", "What runs, likewise.", &["num", "before"]),
    endpoint("GET", "/revision/{branch}/{revision}", "All of a revision.", &["num", "before", "pending_before"]),
    endpoint("GET", "/recent/{worker}", "The newest builds, of all workers or of one.", &["numbuilds", "before"]),
    endpoint(
        "GET",
        "/reports/waittimes/{pool}",
        "How long builds waited; num is full or ptg.",
        &["starttime", "endtime", "int_size", "mpb", "maxb", "num"],
    ),
    endpoint("GET", "/reports/endtoend/{branch}", "How long revisions took.", &["starttime", "endtime"]),
];

/// A page with its frame.
fn framed(frame: &Frame<'_>, title: &str, body: &Markup) -> Page {
    let base = frame.base;
    let navigation = html! {
        nav {
            a href={ (base) "/self-serve" } { "Self-serve" }
            a href={ (base) "/self-serve/branches" } { "Branches" }
            a href={ (base) "/pending" } { "Pending" }
            a href={ (base) "/running" } { "Running" }
            a href={ (base) "/recent" } { "Recent builds" }
            a href={ (base) "/self-serve/jobs" } { "Jobs" }
            a href={ (base) "/reports/waittimes" } { "Wait times" }
            @if let Some(person) = &frame.person { span { "signed in as " strong { (person) } } }
        }
    };
    Page::new(title).navigation(&navigation.into_string()).markup(&body.0)
}

/// What `/self-serve` says to a person.
pub(super) fn home(frame: &Frame<'_>) -> Page {
    let body = html! {
        p { "Builds: seen, made again, cancelled, moved forward. Programs ask the same addresses with "
            code { "Accept: application/json" } "; what is asked for is a form or a JSON object, and may have an "
            code { "Idempotency-Key" } ". A list that is longer than its answer goes on at the address of its header " code { "Link" } "." }
        dl {
            @for Endpoint { method, path, what, parameters } in ENDPOINTS {
                dt { code { (method) " " (path) } }
                dd { (what) @for parameter in *parameters { " " code { (parameter) } } }
            }
        }
    };
    framed(frame, "Self-serve", &body)
}

/// The day before or after.
fn neighbour(date: Date, days: i64) -> Option<Date> {
    date.checked_add(jiff::Span::new().days(days)).ok()
}
