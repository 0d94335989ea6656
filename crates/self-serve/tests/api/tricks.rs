//! What a page of another site, a link or a careless form tries, one by one, over a real Buildbot and a real Kinto: nothing
//! comes of it.
use crate::support::REVISION;
use crate::support::site::Site;
use buildhub_core::web::header::{ALLOW, CONTENT_TYPE, ORIGIN, REFERER};
use buildhub_core::web::{HeaderName, Method};
use buildhub_self_serve::action::Action;
use buildhub_testkit::buildbot::Settings;

/// What was asked for so far, and kept.
async fn jobs(site: &Site) -> Vec<Action> {
    site.world.jobs.newest(100, None).await.unwrap().jobs.into_iter().map(|job| job.action).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_says_what_it_means_in_its_body_and_no_address_does() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (build, _, pending) = site.world.three().await;
    let revision = format!("/self-serve/try/rev/{REVISION}");
    let request = format!("/self-serve/try/request/{pending}");
    let refused = async |name: &str, method: Method, path: &str, body: &str, status: u16| {
        let answer = site.ask(method, path).sheriff().form(body).answer().await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {}", answer.text());
        assert_eq!(jobs(&site).await, [], "{name}");
        answer
    };
    // Links, that are followed by whoever loads a page: what they ask for is seen, and that is all.
    for (name, path) in [
        ("a link that says delete", format!("{request}?_method=DELETE")),
        ("in small letters", format!("{request}?_method=delete")),
        ("a link to a build", format!("/self-serve/try/build/{build}?_method=DELETE")),
        ("a link to a revision", format!("{revision}?_method=DELETE")),
        ("a link that says post", format!("{revision}?_method=POST")),
        ("a link that says put", format!("{request}?_method=PUT&priority=5")),
    ] {
        refused(name, Method::GET, &path, "", 200).await;
    }
    refused("a body of a GET", Method::GET, &request, "_method=DELETE", 200).await;
    // A POST whose address says so means something else than where it would be taken to.
    for (name, path, body, status) in [
        ("in the address", format!("{revision}?_method=DELETE"), "", 400),
        ("in the address and in the body", format!("{revision}?_method=DELETE"), "_method=DELETE", 400),
        ("post in the address", format!("{revision}?_method=POST"), "", 400),
        ("in the address of what cannot be posted to", format!("{request}?_method=DELETE"), "", 405),
        ("another method", revision.clone(), "_method=PATCH", 400),
        ("none", revision.clone(), "_method=", 400),
        ("one that only looks", revision.clone(), "_method=GET", 400),
        ("twice the same", revision.clone(), "_method=DELETE&_method=DELETE", 400),
        ("twice another", revision.clone(), "_method=DELETE&_method=PUT", 400),
        ("one that is not for this", revision.clone(), "_method=PUT&priority=5", 405),
        ("one that is not for that", "/self-serve/try/build".to_owned(), "_method=DELETE&build_id=1", 405),
        ("one where there is nothing to do", "/self-serve/try".to_owned(), "_method=DELETE", 405),
        ("twice where nothing is posted to", request.clone(), "_method=DELETE&_method=PUT", 405),
    ] {
        let answer = refused(name, Method::POST, &path, body, status).await;
        assert_eq!(answer.header(&ALLOW).is_some(), status == 405, "{name}");
    }
    // A header is not asked, and what is no POST means what it is.
    let header = HeaderName::from_static("x-http-method-override");
    let answer = site.ask(Method::POST, &request).sheriff().header(header, "DELETE").form("").answer().await;
    assert_eq!((answer.status.as_u16(), jobs(&site).await), (405, Vec::new()));
    let answer = site.ask(Method::PUT, &request).by("bob").form("_method=DELETE&priority=5").answer().await;
    assert_eq!(answer.status, 202);
    assert_eq!(jobs(&site).await, [Action::Reprioritize { brid: pending, priority: 5 }]);
    // In whichever case of letters, and whichever kind of body, a form gets what it means.
    let parts = "--z\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDelete\r\n--z--\r\n";
    for (kind, body) in [
        ("application/x-www-form-urlencoded", "_method=delete"),
        ("multipart/form-data; boundary=z", parts),
        ("application/json", r#"{"_method": "DELETE"}"#),
    ] {
        let ask = site.ask(Method::POST, &request).by("bob").form(body).header(CONTENT_TYPE, kind);
        assert_eq!(ask.answer().await.status, 202, "{kind}");
        assert_eq!(jobs(&site).await[0], Action::CancelRequest { brid: pending }, "{kind}");
    }
    assert_eq!(jobs(&site).await.len(), 4);
    let answer = site.ask(Method::POST, &revision).by("bob").form("_method=post").answer().await;
    assert_eq!((answer.status.as_u16(), jobs(&site).await.len()), (202, 5), "a form may say that it posts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_asks_in_vain_whatever_its_form_is_made_of() {
    let site = Site::start(Settings::default()).await;
    let revision = format!("/self-serve/try/rev/{REVISION}");
    let fetch = HeaderName::from_static("sec-fetch-site");
    let headers: [(&str, &[(HeaderName, &str)]); 8] = [
        ("another site", &[(ORIGIN, "https://evil.example")]),
        ("another scheme's page of a name that begins alike", &[(ORIGIN, "https://builds.example.evil.example")]),
        ("another port", &[(ORIGIN, "https://builds.example:8443")]),
        ("a sandboxed frame", &[(ORIGIN, "null")]),
        ("what is no origin", &[(ORIGIN, "builds.example")]),
        ("as a browser says of it", &[(fetch.clone(), "cross-site")]),
        ("another name of the same domain", &[(fetch.clone(), "same-site"), (ORIGIN, "https://builds.example")]),
        (
            "that lies of where it comes from",
            &[(ORIGIN, "https://evil.example"), (REFERER, "https://builds.example/x")],
        ),
    ];
    for (name, headers) in headers {
        for (method, kind, body) in [
            (Method::POST, "application/x-www-form-urlencoded", ""),
            (Method::POST, "application/x-www-form-urlencoded", "_method=DELETE"),
            // What a form can be sent as without being asked for it (WHATWG Fetch, "CORS-safelisted request-header").
            (Method::POST, "text/plain", "_method=DELETE"),
            (Method::POST, "multipart/form-data; boundary=z", "--z--"),
            (Method::POST, "application/json", "{}"),
            (Method::DELETE, "application/x-www-form-urlencoded", ""),
        ] {
            let mut ask = site.ask(method.clone(), &revision).sheriff().form(body).header(CONTENT_TYPE, kind);
            for (header, value) in headers {
                ask = ask.header(header.clone(), value);
            }
            let (status, message) = ask.refusal().await;
            assert_eq!((status, message.contains("a page of another site")), (403, true), "{name}, {method} {kind}");
        }
    }
    assert_eq!(jobs(&site).await, []);
    // Our own pages, what a person types, and programs.
    let own: [&[(HeaderName, &str)]; 4] = [
        &[(ORIGIN, "https://builds.example")],
        &[(fetch.clone(), "same-origin"), (ORIGIN, "null")],
        &[(fetch, "none")],
        &[],
    ];
    for (count, headers) in own.into_iter().enumerate() {
        let mut ask = site.ask(Method::POST, &revision).by("alice").form("");
        for (header, value) in headers {
            ask = ask.header(header.clone(), value);
        }
        assert_eq!(ask.answer().await.status, 202, "{headers:?}");
        assert_eq!(jobs(&site).await.len(), count + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_or_number_of_anything_is_refused_and_asked_of_nobody() {
    let mut site = Site::start(Settings::default()).await;
    let refusal =
        async |method: Method, path: &str, body: &str| site.ask(method, path).by("bob").form(body).refusal().await;
    let long = "a".repeat(600);
    for path in [
        "/self-serve/try/user/a%00b".to_owned(),
        "/self-serve/try/user/%00".to_owned(),
        "/self-serve/try/user/a%0Ab".to_owned(),
        format!("/self-serve/try/user/{long}"),
        "/recent/a%00b".to_owned(),
        format!("/recent/{long}"),
        "/recent?slave=%00".to_owned(),
        "/recent?before=9223372036854775808".to_owned(),
        "/self-serve/jobs?before=18446744073709551615".to_owned(),
    ] {
        let (status, message) = refusal(Method::GET, &path, "").await;
        assert!(status == 400 && message.starts_with("Bad ") && message.len() < 200, "{path}: {status} {message}");
    }
    // Beyond what anything counts to.
    for number in ["9223372036854775808", "18446744073709551615", "99999999999999999999999", "-1", "1.0", "%00"] {
        for kind in ["build", "request"] {
            let path = format!("/self-serve/try/{kind}/{number}");
            assert_eq!(refusal(Method::GET, &path, "").await.0, 404, "{path}");
            assert_eq!(refusal(Method::DELETE, &path, "").await.0, 400, "{path}");
            assert_eq!(
                refusal(Method::POST, &format!("/self-serve/try/{kind}"), &format!("{kind}_id={number}")).await.0,
                400
            );
        }
        assert_eq!(refusal(Method::GET, &format!("/self-serve/jobs/{number}"), "").await.0, 404, "{number}");
    }
    for number in ["9223372036854775807", "1000000"] {
        let (status, message) = refusal(Method::GET, &format!("/self-serve/jobs/{number}"), "").await;
        assert_eq!((status, message), (404, format!("Job {number} not found")));
    }
    let builder = |name: &str| format!("/self-serve/try/builders/{name}/{REVISION}");
    for name in ["%00", "a%1Bb", &long] {
        let (status, message) = refusal(Method::POST, &builder(name), "").await;
        assert_eq!((status, message.starts_with("Bad builder")), (400, true), "{name}");
    }
    let (status, message) = refusal(Method::GET, &format!("/self-serve/{long}"), "").await;
    assert_eq!((status, message), (404, format!("Branch {} not found", "a".repeat(64))));
    assert_eq!(refusal(Method::GET, "/self-serve/%00", "").await, (404, "Branch  not found".to_owned()));

    // None of that was asked of the master: without it, it is the same.
    site.world.master.kill().await.unwrap();
    for path in ["/self-serve/try/build/9223372036854775808", "/self-serve/try/request/99999999999999999999"] {
        assert_eq!(site.ask(Method::GET, path).refusal().await.0, 404, "{path}");
    }
}
