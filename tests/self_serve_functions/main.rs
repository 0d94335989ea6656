//! Self-serve as it is deployed: both functions as programs under AWS's runtime emulator, the API behind a gateway and the
//! agent behind a FIFO queue, a real Buildbot and a real Kinto. Every address that the API lists is asked for what makes
//! sense, and for everything that it can refuse.
//!
//! | module | holds |
//! |---|---|
//! | `cloud` | the functions and what stands around them |
//! | `ask` | a request that can be spoiled |
//! | `good` | each address with a request that makes sense |
//! | `causes` | each reason for a refusal |
//! | `doors` | what gateways, browsers and careful programs add |

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(clippy::print_stderr, reason = "figures are printed")]

mod ask;
mod causes;
mod cloud;
mod doors;
#[path = "../harness/functions.rs"]
mod functions;
mod good;

use std::collections::BTreeMap;

use buildhub_testkit::gateway;
use futures::stream::{self, StreamExt as _};

use ask::{Answer, Ask, Endpoint};
use causes::Cause;
use cloud::Cloud;
use good::Known;

/// How many requests are made at a time: as many as there are instances of the API.
const PARALLEL: usize = 4;

/// One request and what must come of it: one of these.
struct Try {
    endpoint: String,
    ask: Ask,
    expected: Vec<(u16, String)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_is_answered_by_the_functions_with_what_was_asked_for_and_with_each_of_its_errors() {
    let mut cloud = Cloud::start().await;
    let known = Known::make(&cloud).await;
    let listed = cloud.answer(&Ask::new("GET", "/self-serve")).await.json();
    let endpoints: Vec<Endpoint> = serde_json::from_value(listed).unwrap();
    // What is there to be seen, to be done and to be told of.
    let (writes, reads): (Vec<_>, Vec<_>) = endpoints.iter().partition(|endpoint| endpoint.is_write());
    assert_eq!((writes.len(), reads.len()), (10, 18), "an address is new, or gone: so are its rows");

    for endpoint in &reads {
        is_seen(&cloud, endpoint, &known).await;
    }
    let refused = each_is_refused_for_each_reason(&cloud, &endpoints, &known).await;
    doors::every_client_is_answered_as_it_asks(&cloud, &known).await;
    doors::nobody_is_named_by_what_a_client_may_write(&cloud).await;
    doors::a_stage_and_an_authorizer_are_those_of_the_gateway(&cloud, &known).await;
    doors::a_record_that_cannot_be_read_is_passed_over_and_counted(&cloud, &known).await;
    // What ends something comes last: a request that waits, then a build, then all of a revision.
    let ends = |endpoint: &Endpoint| endpoint.method == "DELETE";
    let mut ordered = writes.clone();
    ordered.sort_by_key(|endpoint| (ends(endpoint), endpoint.has("revision"), endpoint.has("build_id")));
    for endpoint in ordered {
        good::carry_out(&cloud, endpoint, &known).await;
    }
    let unavailable = what_is_needed_and_away_is_told(&mut cloud, &endpoints, &known).await;
    cloud.messages.stop().await.unwrap();
    eprintln!(
        "{} addresses: {} seen, {} carried out, {refused} refusals, {unavailable} times something was away",
        endpoints.len(),
        reads.len(),
        writes.len()
    );
}

/// Asks for something that is only seen, as a program and as a person.
async fn is_seen(cloud: &Cloud, endpoint: &Endpoint, known: &Known) {
    let (name, ask) = (endpoint.name(), good::ask(endpoint, known));
    let answer = cloud.answer(&ask).await;
    assert_eq!(answer.status, 200, "{name}: {answer:?}");
    let (place, value) = good::seen(endpoint, known);
    assert_eq!(answer.json().pointer(&place), Some(&value), "{name}{place}: {}", answer.text);
    if endpoint.is_read() {
        let page = cloud.answer(&ask.header("accept", "text/html")).await;
        assert!(page.status == 200 && page.text.contains("<h1>"), "{name}: {page:?}");
    }
}

/// Spoils a good request of each address in each way that can be: alone, as JSON and as a page; and together with all that
/// is looked at later, which must not matter. How often that was.
async fn each_is_refused_for_each_reason(cloud: &Cloud, endpoints: &[Endpoint], known: &Known) -> usize {
    let mut tries = Vec::new();
    for endpoint in endpoints {
        let causes = causes::of(endpoint);
        for (number, cause) in causes.iter().enumerate() {
            let expected = cause.answer(endpoint);
            let mut alone = good::ask(endpoint, known);
            cause.spoil(&mut alone, endpoint, known);
            let name = format!("{} {cause:?}", endpoint.name());
            tries.push(Try { endpoint: name.clone(), ask: alone.clone(), expected: vec![expected.clone()] });
            let page = alone.header("accept", "text/html");
            tries.push(Try { endpoint: name.clone(), ask: page, expected: vec![expected.clone()] });
            // The last one to spoil it is the first to be seen.
            let later = &causes[number..];
            let mut all = good::ask(endpoint, known);
            later.iter().rev().for_each(|cause| cause.spoil(&mut all, endpoint, known));
            // Of reasons for the same status, one after the other, it does not matter which is told.
            let same = later.iter().map(|cause| cause.answer(endpoint)).take_while(|(status, _)| *status == expected.0);
            tries.push(Try { endpoint: format!("{name} and all later ones"), ask: all, expected: same.collect() });
        }
    }
    assert_refused(cloud, &cloud.gateway.url(), tries).await
}

async fn assert_refused(cloud: &Cloud, base: &str, tries: Vec<Try>) -> usize {
    let count = tries.len();
    let wrong: Vec<String> = stream::iter(tries)
        .map(|one| async move {
            let answer = one.ask.send(&cloud.client, base).await;
            let is_page = one.ask.headers["accept"] == "text/html";
            let is_one = one.expected.iter().any(|(status, words)| is_refusal(&answer, is_page, *status, words));
            (!is_one).then(|| format!("{} {:?}: {answer:?}", one.endpoint, one.expected))
        })
        .buffer_unordered(PARALLEL)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    count
}

fn is_refusal(answer: &Answer, is_page: bool, status: u16, words: &str) -> bool {
    let said = if is_page {
        answer.text.contains(&format!("<h1>{status} ")).then(|| words.to_owned())
    } else {
        serde_json::from_str(&answer.text).ok().and_then(|said: BTreeMap<String, String>| {
            (said.len() == 2 && said["status"] == "FAILED").then(|| said["msg"].clone())
        })
    };
    let has = |name| !answer.header(name).is_empty();
    let is_complete = match status {
        401 => has("www-authenticate"),
        405 => has("allow"),
        503 => has("retry-after"),
        _ => true,
    };
    answer.status == status && is_complete && said.is_some_and(|said| said.contains(words))
}

/// The list of branches, the master and the store, each away for itself: 503 to whoever needs it, and to nobody else.
async fn what_is_needed_and_away_is_told(cloud: &mut Cloud, endpoints: &[Endpoint], known: &Known) -> usize {
    let away = |endpoint: &Endpoint, ask: Ask, words: &str| Try {
        endpoint: endpoint.name(),
        ask,
        expected: vec![(503, words.to_owned())],
    };
    let nowhere = [("BRANCHES_URL", "s3://config/nothing.json")];
    let gateway = cloud.another(&nowhere, gateway::Settings::default()).await;
    let is_without_branches = |endpoint: &&Endpoint| {
        let path = endpoint.path.as_str();
        path != "/self-serve" && !path.starts_with("/self-serve/jobs") && !endpoint.is_for_masters()
    };
    let (need, rest): (Vec<_>, Vec<_>) = endpoints.iter().partition(is_without_branches);
    let tries = need.into_iter().map(|endpoint| away(endpoint, good::ask(endpoint, known), "the list of branches"));
    let mut count = assert_refused(cloud, &gateway.url(), tries.collect()).await;
    for endpoint in rest {
        let answer = good::ask(endpoint, known).send(&cloud.client, &gateway.url()).await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", endpoint.name());
    }

    // Nobody is kept waiting for what is tried again.
    let gateway = cloud.another(&[("NB_RETRY_REQUEST", "0")], gateway::Settings::default()).await;
    cloud.master.kill().await.unwrap();
    let mut tries = Vec::new();
    for endpoint in endpoints {
        let mut ask = good::ask(endpoint, known);
        // What is not known may be new: the master would know. It alone knows builders, and what becomes of builds.
        let asks_master = endpoint.path.contains("/builders") || endpoint.is_for_masters();
        if causes::of(endpoint).contains(&Cause::Object) && !endpoint.has("job_id") {
            Cause::Object.spoil(&mut ask, endpoint, known);
            tries.push(away(endpoint, ask, "ask again"));
        } else if asks_master {
            let words = if endpoint.is_for_masters() { "it will be later" } else { "ask again" };
            tries.push(away(endpoint, ask, words));
        } else {
            let answer = ask.send(&cloud.client, &gateway.url()).await;
            assert_eq!(answer.status, if endpoint.is_write() { 202 } else { 200 }, "{}: {answer:?}", endpoint.name());
        }
    }
    count += assert_refused(cloud, &gateway.url(), tries).await;

    cloud.kinto.stop().await.unwrap();
    let needs_none = ["/self-serve", "/self-serve/branches"];
    let (rest, need): (Vec<_>, Vec<_>) = endpoints.iter().partition(|known| needs_none.contains(&known.path.as_str()));
    let tries = need.into_iter().filter(|endpoint| !endpoint.path.contains("/builders"));
    let words = |endpoint: &Endpoint| {
        let of_revision = endpoint.is_write() && endpoint.has("revision");
        if of_revision {
            "it may not be stored"
        } else if endpoint.is_for_masters() {
            "it will be later"
        } else {
            "ask again"
        }
    };
    let tries = tries.map(|endpoint| away(endpoint, good::ask(endpoint, known), words(endpoint)));
    count += assert_refused(cloud, &gateway.url(), tries.collect()).await;
    for endpoint in rest {
        let answer = good::ask(endpoint, known).send(&cloud.client, &gateway.url()).await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", endpoint.name());
    }
    count
}
