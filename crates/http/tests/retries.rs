//! What is sent again and what is not, against a small server that answers by a script.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use buildhub_http::guard::is_public;
use buildhub_http::{Answer, Cause, Guard, Http, HttpSettings, Repeat, Request, Url};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const LIMIT: usize = 1000;

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A server that gives each connection the next raw answer of its script, the last one for ever, and closes.
/// An empty answer is a connection that is kept without a word.
struct Scripted {
    url: String,
    seen: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn start(script: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let (seen, bodies) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (count, kept) = (Arc::clone(&seen), Arc::clone(&bodies));
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..read]).into_owned();
                kept.lock().unwrap().push(text.rsplit("\r\n").next().unwrap_or("").to_owned());
                let number = count.fetch_add(1, Ordering::SeqCst);
                match script[number.min(script.len() - 1)] {
                    "" => silent.push(stream),
                    answer => stream.write_all(answer.as_bytes()).await.unwrap(),
                }
            }
        });
        Self { url, seen, bodies }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    fn request(&self) -> Request {
        Request::get(self.url.parse().unwrap())
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const LATER: &str = "HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const ABSENT: &str = "HTTP/1.1 404 No\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry";
const SHORT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhi";
const MOVED: &str = "HTTP/1.1 302 Go\r\nLocation: /y\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn settings() -> HttpSettings {
    HttpSettings { backoff_base: Duration::from_millis(1), ..HttpSettings::default() }
}

fn http() -> Http {
    Http::new(&settings()).unwrap()
}

#[tokio::test]
async fn what_is_safe_is_sent_again_until_it_succeeds() {
    let server = Scripted::start(&[BUSY, BUSY, OK]).await;
    let answer = http().fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap().ok().unwrap();
    assert_eq!((answer.body.as_ref(), answer.attempts, server.seen()), (&b"hi"[..], 3, 3));
}

#[tokio::test]
async fn the_last_answer_is_the_callers_when_no_attempt_is_left() {
    let server = Scripted::start(&[BUSY]).await;
    let answer = http().fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.attempts, server.seen()), (503, 4, 4));
    let error = answer.ok().unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 503);
    assert!(error.is_transient() && error.to_string().contains("after 4 attempts"), "{error}");
}

#[tokio::test]
async fn what_may_not_be_repeated_is_sent_once() {
    for repeat in [Repeat::Never, Repeat::Unsent] {
        let server = Scripted::start(&[BUSY]).await;
        let answer = http().fetch(&server.request(), repeat, LIMIT).await.unwrap();
        assert_eq!((answer.status.as_u16(), server.seen()), (503, 1));
    }
    let server = Scripted::start(&[ABSENT]).await;
    let error = http().fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap().ok().unwrap_err();
    assert_eq!(server.seen(), 1);
    assert!(
        error.to_string().ends_with("the server answered 404 Not Found: sorry") && !error.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn the_operation_may_ask_for_another_attempt_and_the_same_bytes_are_sent() {
    let server = Scripted::start(&[ABSENT, OK]).await;
    let again = |answer: &Answer| answer.status.as_u16() == 404;
    let request = server.request().json("[1]");
    let answer = http().fetch(&request, Repeat::SafeAnd(&again), LIMIT).await.unwrap();
    assert_eq!(answer.attempts, 2);
    assert_eq!(*server.bodies.lock().unwrap(), ["[1]", "[1]"]);
}

#[tokio::test]
async fn a_server_that_wants_more_patience_than_there_is_ends_it_and_says_so() {
    let server = Scripted::start(&[LATER]).await;
    let error = http().fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap_err();
    assert!(matches!(error.cause, Cause::AskedToWait { asked, .. } if asked == Duration::from_hours(1)), "{error}");
    assert!(error.is_transient());
    assert_eq!(server.seen(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_fault_of_its_attempt() {
    let server = Scripted::start(&[SHORT, OK]).await;
    let answer = http().fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap();
    assert_eq!((answer.body.as_ref(), answer.attempts), (&b"hi"[..], 2));
    let server = Scripted::start(&[SHORT]).await;
    let error = http().fetch(&server.request(), Repeat::Never, LIMIT).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Broken(_)), "{error}");
}

#[tokio::test]
async fn an_answer_larger_than_expected_is_refused_and_not_asked_for_again() {
    let server = Scripted::start(&[OK]).await;
    let error = http().fetch(&server.request(), Repeat::Safe, 1).await.unwrap_err();
    assert!(matches!(error.cause, Cause::TooLarge { limit: 1 }), "{error}");
    assert_eq!(server.seen(), 1);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Scripted::start(&["", OK]).await;
    let http = Http::new(&HttpSettings { timeout: Duration::from_millis(200), ..settings() }).unwrap();
    // It may have done what was asked: only what is safe is sent again.
    let error = http.fetch(&server.request(), Repeat::Unsent, LIMIT).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Timeout { .. }), "{error}");
    let server = Scripted::start(&["", OK]).await;
    assert_eq!(http.fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap().attempts, 2);
}

/// The head at once, then this many bytes, one after the other with this much time before each.
async fn dripping(bytes: usize, each: Duration) -> Request {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n");
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await?;
                stream.write_all(head.as_bytes()).await?;
                for _ in 0..bytes {
                    tokio::time::sleep(each).await;
                    stream.write_all(b"x").await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    Request::get(url.parse().unwrap())
}

#[tokio::test]
async fn an_answer_that_trickles_in_is_given_up_but_a_stream_may_take_as_long_as_it_goes_on() {
    let request = dripping(100, Duration::from_millis(10)).await;
    let timeout = Duration::from_millis(500);
    let http = Http::new(&HttpSettings { timeout, ..settings() }).unwrap();
    let error = http.fetch(&request, Repeat::Never, LIMIT).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Timeout { limit } if limit == timeout), "{error}");
    let streamed = http.stream(&request, Repeat::Never).await.unwrap();
    assert_eq!(streamed.whole(LIMIT).await.unwrap().body.len(), 100);
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_said_to_be_that_and_nothing_was_sent() {
    // It takes the connection and says no word of TLS.
    let server = Scripted::start(&[""]).await;
    let request = Request::get(server.url.replace("http://", "https://").parse().unwrap());
    let connect_timeout = Duration::from_millis(200);
    let http = Http::new(&HttpSettings { connect_timeout, retries: 1, ..settings() }).unwrap();
    let error = http.fetch(&request, Repeat::Unsent, LIMIT).await.unwrap_err();
    assert!(matches!(error.cause, Cause::ConnectTimeout { limit } if limit == connect_timeout), "{error}");
    assert!(error.to_string().contains("after 2 attempts: no connection within 200ms") && error.is_transient());
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_names_the_address() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let request = Request::get(format!("http://user:pass@{free}/x").parse().unwrap());
    let error = http().fetch(&request, Repeat::Unsent, LIMIT).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Connect(_)) && error.attempts == 4, "{error}");
    assert!(error.to_string().starts_with(&format!("GET http://{free}/x failed after 4 attempts: no connection")));
}

#[tokio::test]
async fn redirections_are_followed_or_handed_over_as_the_settings_say() {
    let server = Scripted::start(&[MOVED, OK]).await;
    assert_eq!(http().fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap().status.as_u16(), 200);
    let server = Scripted::start(&[MOVED, OK]).await;
    let http = Http::new(&HttpSettings { redirects: 0, ..settings() }).unwrap();
    let answer = http.fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, Some("/y")));
}

#[tokio::test]
async fn a_body_can_be_read_as_it_comes() {
    let server = Scripted::start(&[BUSY, OK]).await;
    let mut answer = http().stream(&server.request(), Repeat::Safe).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "hi");
    assert_eq!(answer.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn after_an_answer_that_asks_for_a_pause_nothing_leaves_before_its_end() {
    let server = Scripted::start(&[OK]).await;
    let paused = http().heeding(|_| Some(Duration::from_mins(1)));
    paused.fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap();
    let request = server.request();
    let waiting = tokio::spawn(async move { paused.fetch(&request, Repeat::Safe, LIMIT).await });
    // Another client's request comes and goes meanwhile.
    http().fetch(&server.request(), Repeat::Safe, LIMIT).await.unwrap();
    assert_eq!(server.seen(), 2);
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_shared_by_clones_and_never_longer_than_the_settings_allow() {
    let http = http();
    let clone = http.clone();
    http.pause(Duration::from_hours(1));
    let before = tokio::time::Instant::now();
    // Nobody listens there: the attempt fails, but only after the pause, which the stopped clock jumps over.
    let request = Request::get("http://127.0.0.1:1/".parse().unwrap());
    clone.fetch(&request, Repeat::Never, LIMIT).await.unwrap_err();
    assert!(before.elapsed() >= http.settings().wait_max);
    assert!(before.elapsed() < Duration::from_hours(1));
}

#[test]
fn a_pause_cut_short_is_told() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let http = http();
        http.pause(http.settings().wait_max);
        assert_eq!(log.text(), "");
        http.pause(Duration::from_hours(1));
    });
    let log = log.text();
    assert!(log.contains("WARN") && log.contains("asked_s=3600") && log.contains("paused_s=120"), "{log}");
}

/// By its name the look-up is judged, by its address the host itself; either way before any connection.
#[tokio::test]
async fn a_guarded_client_connects_to_no_machine_but_those_admitted() {
    let server = Scripted::start(&[OK]).await;
    let by_name = |url: &Url| {
        let mut url = url.clone();
        url.set_host(Some("localhost")).unwrap();
        Request::get(url)
    };
    let public = Http::guarded(http().settings(), &Guard::new(|_, address| is_public(address))).unwrap();
    for request in [server.request(), by_name(&server.request().url)] {
        let error = public.fetch(&request, Repeat::Safe, LIMIT).await.unwrap_err();
        assert!(matches!(&error.cause, Cause::Forbidden(forbidden) if forbidden.address.is_loopback()), "{error}");
        assert_eq!(error.attempts, 1, "another attempt would find the same");
        assert!(!error.is_transient());
    }
    assert_eq!(server.seen(), 0);
    let named = Http::guarded(http().settings(), &Guard::new(|host, _| host == "localhost")).unwrap();
    named.fetch(&by_name(&server.request().url), Repeat::Safe, LIMIT).await.unwrap();
    assert_eq!(server.seen(), 1);
}
