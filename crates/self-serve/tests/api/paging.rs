//! Lists that are longer than one answer: by their `Link` headers everything is seen, and once.
use std::collections::BTreeSet;

use crate::support::REVISION;
use crate::support::records::{begun, keep, keep_request, waits};
use crate::support::site::{Site, parts, settings};
use buildhub_core::Deadline;
use buildhub_core::web::header::{ACCEPT, LINK, LOCATION};
use buildhub_core::web::{Method, Response};
use buildhub_kinto::Condition;
use buildhub_self_serve::action::Action;
use buildhub_self_serve::api::Api;
use buildhub_testkit::buildbot::Settings;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The day that all of it was on.
const DAY: &str = "2026-01-02";
const MORNING: i64 = 1_767_312_000;

/// Eleven builds that are over, seven that run, nine requests that wait: their numbers.
struct There {
    over: BTreeSet<u64>,
    running: BTreeSet<u64>,
    pending: BTreeSet<u64>,
}

impl There {
    async fn make(site: &Site) -> Self {
        let mut there = Self { over: BTreeSet::new(), running: BTreeSet::new(), pending: BTreeSet::new() };
        for id in 1..=27_u64 {
            let request = waits(id, MORNING);
            match id % 5 {
                0 | 2 => {
                    keep(&site.world.client, &begun(&request, MORNING + 10, Some(MORNING + 20))).await;
                    there.over.insert(id);
                }
                1 | 3 if there.pending.len() < 9 => {
                    keep_request(&site.world.client, &request).await;
                    there.pending.insert(id);
                }
                _ => {
                    keep(&site.world.client, &begun(&request, MORNING + 10, None)).await;
                    there.running.insert(id);
                }
            }
        }
        assert_eq!((there.over.len(), there.running.len(), there.pending.len()), (11, 7, 9));
        there
    }
}

/// The address of what follows an answer.
fn next(answer: &Response) -> Option<String> {
    let link = answer.header(&LINK)?;
    let address = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\""));
    Some(address.unwrap_or_else(|| panic!("{link}")).to_owned())
}

/// All answers from an address on.
async fn followed(site: &Site, path: &str, accept: &str) -> Vec<Response> {
    let (mut path, mut answers) = (path.to_owned(), Vec::new());
    loop {
        let answer = site.ask(Method::GET, &path).header(ACCEPT, accept).answer().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let following = next(&answer);
        answers.push(answer);
        assert!(answers.len() < 100, "{path} never ends");
        match following {
            Some(following) => path = following,
            None => return answers,
        }
    }
}

/// All numbers of that name below these places of an answer.
fn numbers(value: &Value, name: &str) -> Vec<u64> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| numbers(item, name)).collect(),
        Value::Object(fields) => match fields.get(name) {
            Some(id) => id.as_u64().into_iter().collect(),
            None => fields.values().flat_map(|field| numbers(field, name)).collect(),
        },
        _ => Vec::new(),
    }
}

/// What is seen from an address on: numbers of that name, at that place of each answer; none of them twice, and no more on an
/// answer than were asked for.
async fn seen(site: &Site, path: &str, place: &str, name: &str, most: usize) -> BTreeSet<u64> {
    let mut all = Vec::new();
    for answer in followed(site, path, "application/json").await {
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        let some = numbers(said.pointer(place).unwrap_or(&Value::Null), name);
        assert!(some.len() <= most, "{path}: {some:?}");
        all.extend(some);
    }
    let found: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!(found.len(), all.len(), "{path}: something is seen twice: {all:?}");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_a_list_to_its_end_sees_everything_once() {
    let site = Site::start(Settings::default()).await;
    let There { over, running, pending } = There::make(&site).await;
    let builds: BTreeSet<u64> = over.union(&running).copied().collect();
    let (rev, user) = (format!("/self-serve/try/rev/{REVISION}"), "/self-serve/try/user/alice");
    for num in [1, 2, 3, 9, 11, 17, 18, 19, 1000] {
        for path in [format!("/self-serve/try?date={DAY}&num={num}"), format!("{rev}?num={num}")] {
            // Requests stand in the same list; those of builds are below them.
            let waiting = async || {
                let mut found = Vec::new();
                for answer in followed(&site, &path, "application/json").await {
                    let said: Value = serde_json::from_slice(&answer.body).unwrap();
                    let waits = said.as_array().unwrap().iter().filter(|item| item["build_id"].is_null());
                    found.extend(waits.map(|item| item["request_id"].as_u64().unwrap()));
                }
                found
            };
            assert_eq!(seen(&site, &path, "", "build_id", num).await, builds, "{path}");
            let newest_first: Vec<u64> = pending.iter().rev().copied().collect();
            assert_eq!(waiting().await, newest_first, "{path}");
        }
        let user = format!("{user}?num={num}");
        assert_eq!(seen(&site, &user, "/builds", "build_id", num).await, over, "{user}");
        assert_eq!(seen(&site, &user, "/running", "build_id", num).await, running, "{user}");
        assert_eq!(seen(&site, &user, "/pending", "request_id", num).await, pending, "{user}");
        for branch in ["", "/try", "/try/linux64"] {
            let path = |list: &str| format!("/{list}{branch}?num={num}");
            assert_eq!(seen(&site, &path("pending"), "/pending", "id", num).await, pending, "{branch}");
            assert_eq!(seen(&site, &path("running"), "/running", "id", num).await, running, "{branch}");
        }
        assert_eq!(seen(&site, &format!("/pending/try/win32?num={num}"), "/pending", "id", num).await, BTreeSet::new());
        let all = format!("/revision/try/{REVISION}?num={num}");
        assert_eq!(seen(&site, &all, "/all", "id", num).await, builds);
        assert_eq!(seen(&site, &all, "/pending", "id", num).await, pending);
        for worker in ["", "/worker"] {
            assert_eq!(seen(&site, &format!("/recent{worker}?numbuilds={num}"), "", "id", num).await, builds);
        }
    }
    // Without a number all of it is in one answer, as it always was; but for what is listed by its newest.
    for path in [&rev, user, &format!("/self-serve/try?date={DAY}"), "/pending", "/running"] {
        assert_eq!(followed(&site, path, "application/json").await.len(), 1, "{path}");
    }
    // Twenty-five builds are as many as are told without being asked for: there are no more than these.
    assert_eq!(seen(&site, "/recent", "", "id", 25).await, builds);
    // Nothing is what is asked for, and what follows nothing is nothing.
    for path in ["/recent?numbuilds=0", "/self-serve/jobs?num=0", "/self-serve/try?num=0", "/pending?num=0"] {
        let answers = followed(&site, path, "application/json").await;
        let said: Value = serde_json::from_slice(&answers[0].body).unwrap();
        assert!(answers.len() == 1 && numbers(&said, "id").is_empty(), "{path}: {said}");
    }
    for path in ["num=-1", "num=1001", "num=x", "before=x", "pending_before=-1", "before=9223372036854775808"] {
        assert_eq!(site.ask(Method::GET, &format!("{rev}?{path}")).refusal().await.0, 400, "{path}");
    }
    pages(&site, &builds, &pending).await;
    jobs(&site).await;
}

/// A person follows links on pages, and finds the same; what has ended is not shown again as if there were nothing.
async fn pages(site: &Site, builds: &BTreeSet<u64>, pending: &BTreeSet<u64>) {
    for path in [
        format!("/self-serve/try?date={DAY}&num=4"),
        format!("/self-serve/try/rev/{REVISION}?num=4"),
        "/self-serve/try/user/alice?num=4".to_owned(),
        "/pending?num=4".to_owned(),
        "/running?num=4".to_owned(),
        "/recent?numbuilds=4".to_owned(),
    ] {
        let answers = followed(site, &path, "text/html").await;
        let mut links = BTreeSet::new();
        for (number, answer) in answers.iter().enumerate() {
            let page = answer.text();
            assert!(!page.contains("No builds.") && !page.contains("No requests."), "{path}: {page}");
            let is_last = number + 1 == answers.len();
            let link = next(answer).map(|next| format!("<a rel=\"next\" href=\"{}\">", next.replace('&', "&amp;")));
            assert!(
                link.as_ref().is_none_or(|link| page.contains(link)) && link.is_none() == is_last,
                "{path}: {page}"
            );
            for (kind, ids) in [("build", builds), ("request", pending)] {
                let shown = |id: &&u64| page.contains(&format!("href=\"/self-serve/try/{kind}/{id}\""));
                links.extend(ids.iter().filter(shown).map(|id| (kind, *id)));
            }
        }
        let of = |kind: &str| links.iter().filter(|(known, _)| *known == kind).count();
        let expected = match path.split('?').next().unwrap() {
            "/pending" => (0, 9),
            "/running" => (7, 0),
            "/recent" => (18, 0),
            _ => (18, 9),
        };
        assert_eq!((of("build"), of("request")), expected, "{path}");
    }
}

/// One that this version cannot read is passed over, and does not end the list.
async fn unreadable_jobs(site: &Site) {
    let records = site.world.client.collection("self-serve", "jobs").unwrap();
    for number in [4_u64, 5] {
        let strange = json!({ "number": number, "action": "clobber", "what": {}, "who": "bob", "when": 1 });
        let _stored = records.put(&number.to_string(), &strange, Condition::None).await.unwrap();
    }
    let others: BTreeSet<u64> = [1, 2, 3, 6, 7].into();
    for num in [1, 2, 3, 7] {
        assert_eq!(seen(site, &format!("/self-serve/jobs?num={num}"), "", "id", num).await, others, "{num}");
    }
}

async fn jobs(site: &Site) {
    for _ in 0..7 {
        let (branch, revision) = ("try".to_owned(), REVISION.parse().unwrap());
        site.world.ask(Action::NewBuildAtRevision { branch, revision }).await;
    }
    let all: BTreeSet<u64> = (1..=7).collect();
    for num in [1, 2, 3, 7, 8] {
        assert_eq!(seen(site, &format!("/self-serve/jobs?num={num}"), "", "id", num).await, all, "{num}");
    }
    // From somewhere on, and in the format that was asked for.
    let from: BTreeSet<u64> = (1..=5).collect();
    assert_eq!(seen(site, "/self-serve/jobs?num=2&offset=2", "", "id", 2).await, from);
    let answers = followed(site, "/self-serve/jobs?format=json&num=4", "text/html").await;
    assert!(answers.iter().all(|answer| answer.text().starts_with('[')), "a link says which format");
    unreadable_jobs(site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_told_are_those_that_the_users_of_the_api_have() {
    let site = Site::start(Settings::default()).await;
    There::make(&site).await;
    for (address, root, base) in [
        (None, "http://inner.example:8080/stage", "/stage"),
        (Some("https://builds.example"), "https://builds.example", ""),
        (Some("https://builds.example:8443/builds/"), "https://builds.example:8443/builds", "/builds"),
        (Some("http://builds.example/a"), "http://builds.example/a", "/a"),
    ] {
        let mut settings = settings();
        settings.address = address.map(|address| address.parse().unwrap());
        let api = Api::new(settings, parts(&site.world));
        let ask = async |method: Method, path: &str, accept: &str| {
            let mut request = site.ask(method, path).header(ACCEPT, accept).by("alice").request;
            "inner.example:8080".clone_into(&mut request.host);
            "/stage".clone_into(&mut request.base);
            api.answer(&request, Timestamp::now(), Deadline::NONE).await
        };
        let nightly = format!("/self-serve/try/rev/{REVISION}/nightly");
        let answer = ask(Method::POST, &nightly, "application/json").await;
        let id = serde_json::from_slice::<Value>(&answer.body).unwrap()["request_id"].clone();
        assert_eq!(answer.header(&LOCATION).unwrap(), format!("{root}/self-serve/jobs/{id}"));
        let answer = ask(Method::POST, &nightly, "text/html").await;
        let expected = format!("{base}/self-serve/jobs/{}", id.as_u64().unwrap() + 1);
        assert_eq!((answer.status.as_u16(), answer.header(&LOCATION)), (302, Some(expected.as_str())));
        let answer = ask(Method::GET, "/self-serve/try/", "text/html").await;
        assert_eq!(answer.header(&LOCATION).unwrap(), format!("{base}/self-serve/try"));
        let answer = ask(Method::GET, "/recent?numbuilds=1", "text/html").await;
        assert!(next(&answer).unwrap().starts_with(&format!("{base}/recent?numbuilds=1&before=")));
        for page in [answer, ask(Method::GET, "/self-serve/nope", "text/html").await] {
            let page = page.text();
            assert!(page.contains(&format!("=\"{base}/self-serve")), "{page}");
            assert!(base.is_empty() || !page.contains("=\"/self-serve"), "no address is without it: {page}");
        }
    }
}
