//! Records of builds and requests as the projection has them, written without a master.

use buildhub_kinto::{Client, Condition, Outcome};
use buildhub_self_serve::builds::{Build, NO_STATUS, Request, State};
use serde::Serialize;

use super::{BUILDER, REVISION};

/// A request of Alice's for a build of `try` that waits.
pub(crate) fn waits(id: u64, submitted: i64) -> Request {
    Request {
        request_id: id,
        buildername: BUILDER.to_owned(),
        branch: Some("try".to_owned()),
        revision: Some(REVISION.to_owned()),
        submittime: submitted,
        complete: 0,
        complete_at: None,
        priority: 0,
        claimed_at: 0,
        reason: "a push".to_owned(),
        owner: Some("alice".to_owned()),
        rev: REVISION.parse().ok(),
        state: State::Pending,
        properties: None,
        build_ids: Some(Vec::new()),
        unbuilt: false,
    }
}

/// The same, begun, and over where an end is given; and its build, of the same number.
pub(crate) fn begun(request: &Request, started: i64, ended: Option<i64>) -> (Request, Build) {
    let id = request.request_id;
    let state = if ended.is_some() { State::Complete } else { State::Running };
    let request = Request {
        claimed_at: started,
        complete: u8::from(ended.is_some()),
        complete_at: ended,
        state,
        build_ids: Some(vec![id]),
        ..request.clone()
    };
    let build = Build {
        build_id: id,
        requests: vec![request.listed()],
        buildnumber: id,
        buildername: request.buildername.clone(),
        branch: request.branch.clone(),
        revision: request.revision.clone(),
        starttime: started,
        endtime: ended,
        status: if ended.is_some() { 0 } else { NO_STATUS },
        claimed_by_name: Some("worker".to_owned()),
        master: None,
        owner: request.owner.clone(),
        rev: request.rev.clone(),
        state,
    };
    (request, build)
}

/// Keeps a request.
pub(crate) async fn keep_request(client: &Client, request: &Request) {
    keep_as(client, "requests", request.request_id, request).await;
}

/// Keeps a request with its build.
pub(crate) async fn keep(client: &Client, (request, build): &(Request, Build)) {
    keep_request(client, request).await;
    keep_as(client, "builds", build.build_id, build).await;
}

async fn keep_as(client: &Client, collection: &str, id: u64, record: &(impl Serialize + Sync)) {
    let records = client.collection("self-serve", collection).unwrap();
    let kept = records.put(&id.to_string(), record, Condition::None).await.unwrap();
    assert!(matches!(kept, Outcome::Stored { .. }), "{kept:?}");
}
