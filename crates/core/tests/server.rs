//! A server on a socket keeps its bounds, whatever its clients and its handler do.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use buildhub_core::web::{Handler, Limits, Request, Response, Server, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// Says what it was asked; `/panic` panics, and `/wait` waits until it is let go.
#[derive(Debug, Default)]
struct Echo {
    begun: Notify,
    go: Notify,
}

#[async_trait]
impl Handler for Echo {
    async fn handle(&self, request: Request) -> Response {
        match request.path.as_str() {
            "/panic" => panic!("it was told to"),
            "/wait" => {
                self.begun.notify_one();
                self.go.notified().await;
            }
            _ => {}
        }
        let asked =
            json!({ "url": request.absolute(&request.path), "query": request.query, "body": request.body.len() });
        Response::result(&request, StatusCode::OK, "Echo", &asked)
    }
}

struct Running {
    address: SocketAddr,
    echo: Arc<Echo>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<bool>,
}

async fn start(limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = Arc::new(Echo::default());
    let (stop, stopped) = oneshot::channel();
    let server = Server::new(listener, limits, Arc::<Echo>::clone(&echo));
    let serving = tokio::spawn(server.run(async move { _ = stopped.await }));
    Running { address, echo, stop, serving }
}

/// Sends bytes and reads all that comes until the server closes the connection.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has read enough may have closed its side by now.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: here:80\r\nConnection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn requests_arrive_as_they_were_sent_and_a_panic_is_one_answer_of_500() {
    let server = start(Limits::default()).await;
    let answer = exchange(server.address, &get("/a%20b?c=d+e")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""url":"http://here:80/a%20b""#) && answer.contains(r#"[["c","d e"]]"#), "{answer}");
    let answer = exchange(server.address, &get("/panic")).await;
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains(r#""request_id":""#), "{answer}");
    assert!(exchange(server.address, &get("/")).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_what_is_too_slow_is_closed() {
    let reading = Duration::from_millis(200);
    let server = start(Limits { head: 8 << 10, body: 1000, reading, ..Limits::default() }).await;
    let post =
        |length: usize| format!("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let answer = exchange(server.address, (post(1000) + &"x".repeat(1000)).as_bytes()).await;
    assert!(answer.contains(r#""body":1000"#), "{answer}");
    assert!(exchange(server.address, (post(1001) + &"x".repeat(1001)).as_bytes()).await.starts_with("HTTP/1.1 413"));
    assert!(exchange(server.address, (post(1000) + "too little").as_bytes()).await.starts_with("HTTP/1.1 408"));
    let head = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(20_000));
    let answer = exchange(server.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
    // The exchange ends only because the server closes the connection.
    assert!(!exchange(server.address, b"GET / HTTP/1.1\r\nHo").await.contains("200 OK"));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_those_before() {
    let server = start(Limits { connections: 1, ..Limits::default() }).await;
    let first = tokio::spawn({
        let address = server.address;
        async move { exchange(address, &get("/wait")).await }
    });
    server.echo.begun.notified().await;
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(&get("/wait")).await.unwrap();
    let begins = tokio::time::timeout(Duration::from_millis(200), server.echo.begun.notified()).await;
    assert!(begins.is_err(), "the second is handled beside the first");
    server.echo.go.notify_one();
    assert!(first.await.unwrap().starts_with("HTTP/1.1 200"));
    server.echo.begun.notified().await;
    server.echo.go.notify_one();
    let mut answer = String::new();
    second.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_has_begun_and_takes_nothing_more() {
    let server = start(Limits::default()).await;
    let address = server.address;
    let last = tokio::spawn(async move { exchange(address, &get("/wait")).await });
    server.echo.begun.notified().await;
    server.stop.send(()).unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.echo.go.notify_one();
    assert!(last.await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(server.serving.await.unwrap(), "all was answered");
}

#[tokio::test]
async fn what_takes_too_long_when_the_server_stops_is_broken_off() {
    let server = start(Limits { stopping: Duration::from_millis(100), ..Limits::default() }).await;
    let address = server.address;
    let _last = tokio::spawn(async move { exchange(address, &get("/wait")).await });
    server.echo.begun.notified().await;
    server.stop.send(()).unwrap();
    assert!(!server.serving.await.unwrap());
}
