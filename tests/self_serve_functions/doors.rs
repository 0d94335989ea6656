//! What a gateway, a browser or a careful program adds to a request.

use buildhub_kinto::{Client, ClientSettings, Condition, Outcome};
use buildhub_testkit::gateway;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::cloud::{BUILDER, Cloud, REVISION};
use crate::good::Known;

/// A host as Amazon's gateways have it.
const HOST: &str = "abc.execute-api.us-east-1.amazonaws.com";

fn get(path: &str) -> Ask {
    Ask::new("GET", path)
}

fn page(path: &str) -> Ask {
    get(path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
}

fn nightly(revision: &str) -> Ask {
    Ask::new("POST", &format!("/self-serve/try/rev/{revision}/nightly"))
}

/// Formats, methods, pages of a list, fields of forms.
pub(crate) async fn every_client_is_answered_as_it_asks(cloud: &Cloud, known: &Known) {
    let answer = async |ask: Ask| cloud.answer(&ask).await;
    // JSON or a page: what is asked for in the address, then what is accepted, whatever else is.
    let mut ask = page("/self-serve/jobs");
    assert!(answer(ask.clone()).await.text.contains("<h1>"));
    ask.query.insert("format".to_owned(), "json".to_owned());
    assert!(answer(ask).await.json().is_array());
    let both = get("/self-serve/jobs").header("accept", "text/html, application/json;q=0.1");
    assert!(answer(both).await.json().is_array());
    let plain = answer(get("/self-serve/jobs").header("accept", "*/*")).await;
    assert_eq!((plain.status, plain.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!((plain.header("cache-control"), plain.header("vary")), ("no-store", "Accept"));

    let mut head = get("/self-serve/jobs");
    head.method = Method::HEAD;
    let head = answer(head).await;
    assert_eq!((head.status, head.header("content-type"), head.text.len()), (200, "application/json", 0));
    let mut options = get("/self-serve/try/request/1");
    options.method = Method::OPTIONS;
    let options = answer(options).await;
    assert_eq!((options.status, options.header("allow")), (204, "GET, PUT, DELETE, HEAD, OPTIONS"));
    let moved = answer(get("/self-serve/try/")).await;
    assert_eq!((moved.status, moved.header("location")), (301, "/self-serve/try"));
    let nothing = answer(get("/self-serve/try/nothing")).await;
    assert_eq!((nothing.status, &nothing.json()["status"]), (404, &json!("FAILED")));

    // A list has its next page's address, and that one has what follows.
    let mut first = get("/self-serve/jobs");
    first.query.insert("num".to_owned(), "1".to_owned());
    let first = answer(first).await;
    let newest = first.json()[0]["id"].as_u64().unwrap();
    let expected = format!("</self-serve/jobs?num=1&before={newest}>; rel=\"next\"");
    assert_eq!(first.header("link"), expected);
    let mut second = get("/self-serve/jobs");
    second.query.extend(
        [("num", "1".to_owned()), ("before", newest.to_string())].map(|(name, value)| (name.to_owned(), value)),
    );
    assert_eq!(answer(second).await.json()[0]["id"], newest - 1);

    // A form says in its body what it means, and no address does.
    let path = format!("/self-serve/try/request/{}", known.pending);
    let form = || Ask::new("POST", &path).by("alice").with("priority", 7);
    let mut tricked = form();
    tricked.query.insert("_method".to_owned(), "put".to_owned());
    assert_eq!(answer(tricked).await.status, 405);
    let mut followed = get(&path);
    followed.query.insert("_method".to_owned(), "DELETE".to_owned());
    assert_eq!(answer(followed).await.json()["complete"], 0);
    cloud.carry_out(&form().with("_method", "put")).await;
    assert_eq!(cloud.request(known.pending).await["priority"], 7);
    // One form goes back to where it came from, one leads to its job.
    let asked = answer(nightly(REVISION).by("alice").header("accept", "text/html").with("priority", "x")).await;
    assert!(asked.status == 400 && asked.text.contains("Bad priority"), "{asked:?}");
}

/// Who asks is told by what is verified, and by nothing else; what was asked for once is one job.
pub(crate) async fn nobody_is_named_by_what_a_client_may_write(cloud: &Cloud) {
    for (name, value) in [
        ("x-remote-user", "alice"),
        ("cookie", "session=alice; x-self-serve-identity=alice; TWISTED_SESSION=alice"),
        ("authorization", "Bearer alice"),
        ("x-self-serve-identity", "alice"),
        ("x-amzn-oidc-identity", "alice"),
    ] {
        let answer = cloud.answer(&nightly(REVISION).header(name, value)).await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
    }
    let ask = || nightly("111111111111").by("alice").header("idempotency-key", "once");
    let (first, again) = (cloud.answer(&ask()).await, cloud.answer(&ask()).await);
    assert_eq!((first.status, &first.text), (202, &again.text));
    let other = cloud.answer(&ask().with("priority", 1)).await;
    assert_eq!(other.status, 409, "{other:?}");
    // The key is one person's.
    assert_ne!(cloud.answer(&ask().by("bob")).await.text, first.text);
    cloud.carry_out(&ask()).await;

    // Names of headers are written in whichever case.
    let payload = json!({
        "version": "2.0", "rawPath": "/self-serve/branches", "headers": { "Accept": "Application/JSON" },
        "requestContext": { "http": { "method": "GET" }, "requestId": "1" },
    });
    let answer = cloud.api.invoke(&payload).await.unwrap();
    assert!(answer["statusCode"] == 200 && answer["body"].as_str().unwrap().contains("hg.example"), "{answer}");
}

/// What an authorizer tells: its claims of whoever has a token of its own.
fn claims(headers: &HeaderMap) -> Option<Value> {
    let name = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
    let groups = if name == "sheriff" { "[sheriffs]" } else { "[]" };
    Some(json!({ "jwt": { "claims": { "email": name, "groups": groups }, "scopes": null } }))
}

/// A stage is part of all addresses that are told, and an authorizer says who asks.
pub(crate) async fn a_stage_and_an_authorizer_are_those_of_the_gateway(cloud: &Cloud, known: &Known) {
    let settings = gateway::Settings { stage: Some("prod"), authorizer: Some(claims) };
    let gateway = cloud.another(&[("SELF_SERVE_IDENTITY", "claims")], settings).await;
    let ask = async |ask: Ask| ask.header("host", HOST).send(&cloud.client, &format!("{}/prod", gateway.url())).await;

    let mut list = get("/self-serve/jobs");
    list.query.insert("num".to_owned(), "1".to_owned());
    let link = ask(list).await.header("link").to_owned();
    assert!(link.starts_with("</prod/self-serve/jobs?num=1&before="), "{link}");
    assert_eq!(ask(get("/self-serve/try/")).await.header("location"), "/prod/self-serve/try");
    let build = page(&format!("/self-serve/try/build/{}", known.over.1));
    let shown = ask(build.header("authorization", "Bearer carol")).await;
    assert!(
        shown.text.contains("action=\"/prod/self-serve/try/build\"") && shown.text.contains(BUILDER),
        "{}",
        shown.text
    );
    assert!(!shown.text.contains("=\"/self-serve"), "no address is without it");

    let taken = ask(nightly("222222222222").header("authorization", "Bearer carol")).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    let job = taken.json()["request_id"].clone();
    assert_eq!(taken.header("location"), format!("http://{HOST}/prod/self-serve/jobs/{job}"));
    let known_as = ask(get(&format!("/self-serve/jobs/{job}"))).await.json()["who"].clone();
    assert_eq!(known_as, "carol");
    let sent = nightly("333333333333").header("authorization", "Bearer carol").header("accept", "text/html");
    let sent = ask(sent).await;
    let next = job.as_u64().unwrap() + 1;
    assert_eq!((sent.status, sent.header("location")), (302, format!("/prod/self-serve/jobs/{next}").as_str()));
    // Where an authorizer says who asks, a proxy's token does not.
    assert_eq!(ask(nightly(REVISION).by("alice")).await.status, 401);
    let others = Ask::new("DELETE", &format!("/self-serve/try/request/{}", known.pending));
    assert_eq!(ask(others.header("authorization", "Bearer carol")).await.status, 403);
}

/// A record of another version takes no other with it, and is counted where alarms are made of it.
pub(crate) async fn a_record_that_cannot_be_read_is_passed_over_and_counted(cloud: &Cloud, known: &Known) {
    let settings = ClientSettings::new(cloud.kinto.url().parse().unwrap(), "user:pass".parse().unwrap());
    let requests = Client::new(&settings).unwrap().collection("self-serve", "requests").unwrap();
    let waits = requests.get::<Value>(&known.pending.to_string()).await.unwrap().unwrap().data;
    let mut strange = waits.clone();
    strange["rev"] = json!("tip");
    let write = async |record: &Value| {
        let written = requests.put(&known.pending.to_string(), record, Condition::None).await.unwrap();
        assert!(matches!(written, Outcome::Stored { .. }), "{written:?}");
    };
    write(&strange).await;
    let listed = cloud.answer(&get("/pending/try")).await.json();
    assert!(listed["pending"]["try"].is_object() && listed["pending"]["try"][REVISION].is_null(), "{listed}");
    write(&waits).await;
    let logs = cloud.api.logs().unwrap();
    assert!(logs.contains("a record cannot be read, and is passed over") && logs.contains("\"Faults\":1"), "{logs}");
}
