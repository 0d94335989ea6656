//! What the doctor says of servers that are well, and of each way not to be.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use buildhub_http::{Http, HttpSettings, Method, Repeat};
use buildhub_kinto::doctor::{Check, DoctorSettings, Finding, Report, State, examine};
use buildhub_kinto::{Condition, Manifest};
use buildhub_testkit::kinto::{Backend, KintoServer};
use common::{MANIFEST, client_as, record, releases, server, server_with, stored_ids};
use serde_json::json;

fn settings(url: &str, auth: &str) -> DoctorSettings {
    DoctorSettings {
        client: common::settings(url, auth),
        bucket: "build-hub".into(),
        collection: "releases".into(),
        manifest: Manifest::parse(MANIFEST).unwrap(),
        write: false,
    }
}

async fn report_of(url: &str, auth: &str) -> Report {
    examine(&settings(url, auth)).await.unwrap()
}

async fn trial_of(url: &str) -> Report {
    examine(&DoctorSettings { write: true, ..settings(url, "user:pass") }).await.unwrap()
}

fn finding(report: &Report, check: Check) -> &Finding {
    report.finding(check).unwrap_or_else(|| panic!("{check} was looked at: {report:#?}"))
}

/// That a check has this state and says so, with a word on what to do where something is wrong.
#[track_caller]
fn assert_found(report: &Report, check: Check, state: State, words: &str) {
    let found = finding(report, check);
    assert!(found.state == state && found.seen.contains(words), "{check} should be {state} ({words}): {found:#?}");
    assert!(state == State::Ok || !found.advice.is_empty(), "{found:#?}");
}

/// All that is not well, but for the time that this machine takes.
fn complaints(report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|it| it.state != State::Ok && it.check != Check::Latency).collect()
}

#[tokio::test]
async fn the_distribution_on_postgresql_is_well_and_trial_records_leave_nothing_behind() {
    let server = server(Backend::Postgresql).await;
    let releases = releases(&server).await;
    let report = trial_of(&server.url()).await;
    assert_eq!(complaints(&report), Vec::<&Finding>::new());
    for check in [Check::Writers, Check::BadRecord, Check::GoodRecord, Check::Clock, Check::Writing] {
        assert_found(&report, check, State::Ok, "");
    }
    assert_eq!(stored_ids(&releases).await, Vec::<String>::new());
    assert!(report.facts.version.is_some() && report.facts.user.is_some(), "{:?}", report.facts);
}

#[tokio::test]
async fn each_setting_that_buildhub_relies_on_is_missed_where_it_is_wrong() {
    let mut server = server(Backend::Postgresql).await;
    let releases = releases(&server).await;
    for id in ["a", "b", "c"] {
        let _ = releases.put(id, &record("1.0"), Condition::None).await.unwrap();
    }
    let few = [
        ("experimental_collection_schema_validation", "false"),
        ("batch_max_requests", "5"),
        ("paginate_by", "2"),
        ("backoff", "7"),
        ("eos", "2099-01-01"),
        ("includes", "kinto.plugins.flush kinto.plugins.history"),
        ("history_exclude_resources", ""),
        ("http_host", "elsewhere.example.com"),
    ];
    server.restart(&few).await.unwrap();
    let report = trial_of(&server.url()).await;
    for (check, state, words) in [
        (Check::Validation, State::Fault, "not checked"),
        (Check::BadRecord, State::Fault, "was stored"),
        (Check::GoodRecord, State::Ok, "removed"),
        (Check::Batches, State::Warning, "at most 5"),
        (Check::Pages, State::Warning, "2 records"),
        (Check::Messages, State::Warning, "Backoff: 7"),
        (Check::Messages, State::Warning, "soft-eol"),
        (Check::Flush, State::Ok, "anybody can empty it"),
        (Check::History, State::Warning, "stored twice"),
        (Check::Writers, State::Warning, "one write is lost"),
        (Check::OwnAddress, State::Fault, "elsewhere.example.com"),
    ] {
        assert_found(&report, check, state, words);
    }

    server.restart(&[("readonly", "true")]).await.unwrap();
    let report = trial_of(&server.url()).await;
    assert_found(&report, Check::ReadOnly, State::Fault, "takes no writes");
    assert_found(&report, Check::GoodRecord, State::Fault, "405");
    assert_eq!(stored_ids(&releases).await, ["a", "b", "c"]);

    server.restart(&[]).await.unwrap();
    server.stop_database().await.unwrap();
    let report = report_of(&server.url(), "user:pass").await;
    assert_found(&report, Check::Heartbeat, State::Fault, "storage");
    assert_found(&report, Check::Credentials, State::Fault, "503");
    assert_found(&report, Check::Collection, State::Fault, "503");
}

#[tokio::test]
async fn who_asks_matters_a_stranger_nobody_and_a_wrong_password() {
    let server = server(Backend::Memory).await;
    releases(&server).await;
    let stranger = report_of(&server.url(), "user:other").await;
    assert_found(&stranger, Check::Credentials, State::Ok, "basicauth:");
    assert_found(&stranger, Check::Writing, State::Fault, "may not write");
    let nobody = report_of(&server.url(), "").await;
    assert_found(&nobody, Check::Credentials, State::Unknown, "none were given");
    assert_found(&nobody, Check::Writing, State::Unknown, "");
    assert_eq!(nobody.state, State::Warning, "in memory, only writers meeting is to be warned of: {nobody:#?}");

    // This server knows names and passwords, and no tokens.
    let token = report_of(&server.url(), "Bearer of-another-server").await;
    assert_found(&token, Check::Credentials, State::Fault, "does not know");
    assert_found(&token, Check::Writing, State::Unknown, "");
}

#[tokio::test]
async fn a_collection_that_is_missing_closed_open_to_all_or_without_its_schema_is_told_apart() {
    let server = server(Backend::Memory).await;
    let client = client_as(&server, "user:pass");
    let make = async |collection: serde_json::Value| {
        let manifest = json!({"buckets": {"build-hub": {"collections": {"releases": collection}}}});
        client.initialise(&Manifest::parse(&manifest.to_string()).unwrap()).await.unwrap();
        report_of(&server.url(), "user:pass").await
    };
    let none = report_of(&server.url(), "user:pass").await;
    assert_found(&none, Check::Collection, State::Fault, "build-hub/releases");
    assert!(finding(&none, Check::Collection).advice.contains("init-kinto"));

    let closed = make(json!({})).await;
    assert_found(&closed, Check::Reading, State::Fault, "not everyone may read");
    assert_found(&closed, Check::Schema, State::Fault, "has none");
    let hidden = report_of(&server.url(), "other:pass").await;
    assert_found(&hidden, Check::Collection, State::Fault, "not there, or not shown");

    let open = json!({"data": {"schema": {"type": "object"}},
                      "permissions": {"read": ["system.Everyone"], "write": ["system.Authenticated"]}});
    let open = make(open).await;
    assert_found(&open, Check::Reading, State::Ok, "");
    assert_found(&open, Check::Schema, State::Warning, "additionalProperties");
    assert_found(&open, Check::Writing, State::Fault, "any name and password");
}

#[tokio::test]
async fn an_address_where_no_kinto_is_says_what_is_there_instead() {
    let server = server(Backend::Memory).await;
    let at = async |url: String| {
        let report = report_of(&url, "user:pass").await;
        assert_eq!(report.state, State::Fault);
        report
    };
    let base = server.url().trim_end_matches("/v1").to_owned();
    // Nobody listens on a port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let report = at(format!("http://127.0.0.1:{port}/v1")).await;
    assert_found(&report, Check::Reachable, State::Fault, "nothing listens at 127.0.0.1");
    let report = at("http://no-such-host.invalid/v1".into()).await;
    assert_found(&report, Check::Reachable, State::Fault, "no such host: no-such-host.invalid");
    let page = between(&server, Change::Page).await;
    let report = at(page.replace("http:", "https:")).await;
    assert_found(&report, Check::Reachable, State::Fault, "no TLS connection");
    let report = at(base.clone()).await;
    assert_found(&report, Check::Kinto, State::Fault, "sends us on to http://127.0.0.1");
    let report = at(format!("{base}/v1/nowhere")).await;
    assert_found(&report, Check::Kinto, State::Fault, "not at this path");
    let report = at(format!("{base}/v1/__heartbeat__")).await;
    assert_found(&report, Check::Kinto, State::Fault, "");
}

/// What stands between: it passes requests on to a Kinto, but for what it changes.
#[derive(Clone)]
struct Between {
    http: Http,
    kinto: String,
    change: Change,
}

#[derive(Clone, Copy)]
enum Change {
    /// The answers' dates are an hour ahead.
    Clock,
    /// `If-None-Match` is taken out of requests.
    Conditions,
    /// The server's version is another.
    Version,
    /// Nothing is passed on; the page of a proxy whose server is down.
    Down,
    /// Nothing is passed on; a page of something else.
    Page,
}

async fn between(kinto: &KintoServer, change: Change) -> String {
    let http = Http::new(&HttpSettings::default()).unwrap();
    let shared = Arc::new(Between { http, kinto: kinto.url(), change });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(pass_on).with_state(shared);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn pass_on(Shared(between): Shared<Arc<Between>>, request: Request) -> Response {
    match between.change {
        Change::Down => return (StatusCode::BAD_GATEWAY, "<html>Bad Gateway</html>").into_response(),
        Change::Page => return (StatusCode::OK, "<html>Welcome</html>").into_response(),
        _ => {}
    }
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().unwrap().as_str().trim_start_matches("/v1");
    let method: Method = head.method.as_str().parse().unwrap();
    let mut on = buildhub_http::Request::new(method, format!("{}{path}", between.kinto).parse().unwrap());
    on.headers = head.headers;
    if matches!(between.change, Change::Conditions) {
        on.headers.remove("if-none-match");
    }
    on.body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let answer = between.http.fetch(&on, Repeat::Never, 1 << 20).await.unwrap();
    let kept = ["date", "etag", "content-type", "next-page"];
    let mut headers: HeaderMap =
        kept.iter().filter_map(|name| Some((name.parse().unwrap(), answer.headers.get(*name)?.clone()))).collect();
    let mut body = answer.body.to_vec();
    match between.change {
        Change::Clock => {
            let hour = std::time::SystemTime::now() + std::time::Duration::from_hours(1);
            headers.insert("date", HeaderValue::from_str(&httpdate::fmt_http_date(hour)).unwrap());
        }
        Change::Version => {
            let text = String::from_utf8(body).unwrap();
            body = text.replace("\"project_version\":\"26.", "\"project_version\":\"13.").into_bytes();
        }
        _ => {}
    }
    (answer.status, headers, body).into_response()
}

#[tokio::test]
async fn what_stands_between_is_seen_a_wrong_clock_lost_conditions_a_proxy_without_its_server() {
    let kinto = server_with(Backend::Memory, &[]).await;
    let releases = releases(&kinto).await;
    let report = report_of(&between(&kinto, Change::Clock).await, "user:pass").await;
    assert_found(&report, Check::Clock, State::Warning, "ahead of");
    assert!((3_500.0..3_700.0).contains(&report.facts.clock_ahead_s.unwrap()), "{:?}", report.facts);

    let report = trial_of(&between(&kinto, Change::Conditions).await).await;
    assert_found(&report, Check::GoodRecord, State::Fault, "did not keep");
    assert_eq!(stored_ids(&releases).await, Vec::<String>::new());

    let report = report_of(&between(&kinto, Change::Version).await, "user:pass").await;
    assert_found(&report, Check::Version, State::Warning, "13.");
    let report = report_of(&between(&kinto, Change::Down).await, "user:pass").await;
    assert_found(&report, Check::Kinto, State::Fault, "502");
    let report = report_of(&between(&kinto, Change::Page).await, "user:pass").await;
    assert_found(&report, Check::Kinto, State::Fault, "does not describe itself");
}
