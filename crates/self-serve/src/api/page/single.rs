//! Pages of one thing: a build, a request, a job, whether a revision is done.

use std::collections::BTreeMap;

use buildhub_core::web::Page;
use maud::{Markup, html};
use serde_json::Value;

use super::everywhere::{branch_of, thing};
use super::forms::{Field, actions, form};
use super::parts::{address, facts, length, moment, owner, revision, state, status};
use super::{Frame, framed};
use crate::action::{Action, Revision};
use crate::builds::{Build, Request, State};
use crate::config::{Branch, Branches};
use crate::jobs::Job;

/// A build, and what may be done with it.
pub(in crate::api) fn build(frame: &Frame<'_>, branch: &Branch<'_>, build: &Build) -> Page {
    let here = address(frame, branch, &format!("/build/{}", build.build_id));
    let took = build.endtime.map(|end| length((end - build.starttime).max(0)));
    let body = html! {
        (facts(&[
            ("State", status(build)),
            ("Builder", html! { (build.buildername) " #" (build.buildnumber) }),
            ("Revision", revision(frame, branch, build.rev.as_ref().map(ToString::to_string))),
            ("Began", moment(frame, build.starttime)),
            ("Took", html! { @if let Some(took) = took { (took) } @else { "still running" } }),
            ("Worker", html! { (build.claimed_by_name.as_deref().unwrap_or("")) }),
            ("Owner", owner(frame, branch, build.owner.as_deref())),
            ("Requests", html! {
                @for request in &build.requests {
                    a href=(address(frame, branch, &format!("/request/{}", request.request_id))) { (request.request_id) } " "
                    (request.reason)
                }
            }),
        ]))
        (actions(frame, &html! {
            (form(frame, "Build again", "POST", &address(frame, branch, "/build"),
                &[("build_id", build.build_id.to_string())], &[Field::Count, Field::Priority(0)]))
            @if build.endtime.is_none() { (form(frame, "Stop", "DELETE", &here, &[], &[])) }
        }))
    };
    framed(frame, &format!("Build {} on {}", build.build_id, branch.name), &body)
}

/// A request, and what may be done with it.
pub(in crate::api) fn request(frame: &Frame<'_>, branch: &Branch<'_>, request: &Request) -> Page {
    let here = address(frame, branch, &format!("/request/{}", request.request_id));
    let properties = request.properties.iter().flatten().map(|(name, value)| (name.as_str(), value.to_string()));
    let body = html! {
        (facts(&[
            ("State", state(request.state.name())),
            ("Builder", html! { (request.buildername) }),
            ("Revision", revision(frame, branch, request.rev.as_ref().map(ToString::to_string))),
            ("Priority", html! { (request.priority) }),
            ("Made", moment(frame, request.submittime)),
            ("Reason", html! { (request.reason) }),
            ("Owner", owner(frame, branch, request.owner.as_deref())),
            ("Builds", html! {
                @for id in request.build_ids.iter().flatten() {
                    a href=(address(frame, branch, &format!("/build/{id}"))) { (id) } " "
                }
            }),
        ]))
        (actions(frame, &html! {
            (form(frame, "Request again", "POST", &address(frame, branch, "/request"),
                &[("request_id", request.request_id.to_string())], &[Field::Count, Field::Priority(0)]))
            @if request.state == State::Pending {
                (form(frame, "Change priority", "PUT", &here, &[], &[Field::Priority(request.priority)]))
            }
            @if request.state != State::Complete { (form(frame, "Cancel", "DELETE", &here, &[], &[])) }
        }))
        h2 { "Properties" }
        table { tbody { @for (name, value) in properties { tr { th scope="row" { (name) } td { code { (value) } } } } } }
    };
    framed(frame, &format!("Request {} on {}", request.request_id, branch.name), &body)
}

/// A job, and what became of it.
pub(in crate::api) fn job(frame: &Frame<'_>, branches: &Branches, job: &Job, started: &BTreeMap<u64, String>) -> Page {
    let link = |id| thing(frame, branch_of(branches, started.get(&id).map(String::as_str)).as_ref(), "request", id);
    let (word, message) = outcome(job);
    let body = html! {
        (facts(&[
            ("State", state(word)),
            ("Asked for", html! { (asked_for(&job.action)) }),
            ("By", html! { (job.who) }),
            ("When", moment(frame, job.when)),
            ("Done", html! { @if let Some(at) = job.completed_at { (moment(frame, at)) } @else { "not yet; this page looks again by itself" } }),
            ("Message", html! { @for line in message.lines() { (line) br; } }),
            ("Held up by", html! { (job.trouble.as_deref().filter(|_| job.is_open()).unwrap_or("")) }),
        ]))
        @if !job.steps.is_empty() {
            h2 { "Steps" }
            table { tbody { @for (name, done) in &job.steps { tr { th scope="row" { (name) } td { (step(done, &link)) } } } } }
        }
    };
    framed(frame, &format!("Job {}", job.number), &body)
}

/// What a step of a job did: `requests 5, 6; set 3`. A list is of requests.
fn step(done: &Value, link: &dyn Fn(u64) -> Markup) -> Markup {
    html! {
        @match done {
            Value::Object(parts) => {
                @for (number, (name, value)) in parts.iter().enumerate() {
                    @if number > 0 { "; " }
                    (name) " " (step(value, link))
                }
            },
            Value::Array(values) => {
                @for (number, value) in values.iter().enumerate() {
                    @if number > 0 { ", " }
                    @match value.as_u64() { Some(id) => (link(id)), None => (value), }
                }
            },
            Value::String(text) => (text),
            other => (other),
        }
    }
}

/// How a job is, in a word, and what is said of it.
pub(super) fn outcome(job: &Job) -> (&'static str, &str) {
    match &job.complete_data {
        None => ("open", ""),
        Some(completion) if completion.body.errors => ("failed", &completion.body.msg),
        Some(completion) => ("done", &completion.body.msg),
    }
}

/// What was asked for, as a person says it.
pub(super) fn asked_for(action: &Action) -> String {
    match action {
        Action::Reprioritize { brid, priority } => format!("request {brid} at priority {priority}"),
        Action::CancelRequest { brid } => format!("cancel request {brid}"),
        Action::CancelBuild { bid } => format!("stop build {bid}"),
        Action::RebuildBuild { bid, priority, count } => {
            format!("build {bid} again, {count} times at priority {priority}")
        }
        Action::RebuildRequest { brid, priority, count } => {
            format!("request {brid} again, {count} times at priority {priority}")
        }
        Action::CancelRevision { branch, revision } => format!("cancel all of {revision} on {branch}"),
        Action::NewBuildAtRevision { branch, revision } => format!("new builds of {revision} on {branch}"),
        Action::NewNightlyAtRevision { branch, revision, priority } => {
            format!("new nightly builds of {revision} on {branch} at priority {priority}")
        }
        Action::NewPgobuildAtRevision { branch, revision, priority } => {
            format!("new profile-guided builds of {revision} on {branch} at priority {priority}")
        }
        Action::NewBuildForBuilder { branch, revision, priority, builder_name, .. } => {
            format!("{builder_name}: {revision} on {branch} at priority {priority}")
        }
    }
}

/// Whether a revision is done: complete, passed, and for how many seconds it must have been quiet.
pub(in crate::api) fn is_done(
    frame: &Frame<'_>,
    branch: &Branch<'_>,
    of: &Revision,
    (complete, passed, delay): (bool, bool, u64),
) -> Page {
    let word = |is: bool| if is { "yes" } else { "no" };
    let body = facts(&[
        ("Revision", revision(frame, branch, Some(of.to_string()))),
        ("Complete", state(word(complete))),
        ("Passed", state(word(passed))),
        ("Quiet for", html! { (delay) " seconds" }),
    ]);
    framed(frame, &format!("Is {of} on {} done?", branch.name), &body)
}
