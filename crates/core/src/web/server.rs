//! Requests from sockets: HTTP/1.1 without TLS, for development, and behind a proxy that has it.
//!
//! Everything is bounded ([`Limits`]): connections, heads, bodies, and the time that each may take. A panic of a handler
//! is its request's affair: the answer is 500, and the connection goes on.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use http::header::HOST;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::request::pairs;
use super::{Handler, Request, Response};

/// How long accepting rests after it failed: there are no file handles left, and only time brings some.
const REST: Duration = Duration::from_millis(100);

/// What one server takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time. Further ones wait to be accepted.
    pub connections: usize,
    /// Bytes of a request's line and headers.
    pub head: usize,
    /// Bytes of a request's body.
    pub body: usize,
    /// How long a client may take to send a head, and as long again for a body. A connection on which nothing is asked
    /// for so long is closed.
    pub reading: Duration,
    /// How long requests that are being answered may take when the server stops.
    pub stopping: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: 16 << 10,
            body: 1 << 20,
            reading: Duration::from_secs(30),
            stopping: Duration::from_secs(10),
        }
    }
}

/// A server: where it listens, what it takes, and who answers.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: Limits,
    handler: Arc<dyn Handler>,
}

impl Server {
    /// A server on a socket that listens already.
    pub fn new(listener: TcpListener, limits: Limits, handler: Arc<dyn Handler>) -> Self {
        Self { listener, limits, handler }
    }

    /// Serves until `stop` is done. Then nothing more is accepted, what is being answered is answered, and at the end of
    /// [`Limits::stopping`] what is left is broken off. Says whether all of it was answered.
    pub async fn run(self, stop: impl Future<Output = ()>) -> bool {
        let Self { listener, limits, handler } = self;
        let free = Arc::new(Semaphore::new(limits.connections));
        let open = GracefulShutdown::new();
        let accepting = async {
            loop {
                let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let connection = Connection { limits: limits.clone(), handler: Arc::clone(&handler) };
                        tokio::spawn(connection.serve(stream, open.watcher(), permit));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            () = stop => {}
        }
        drop(listener);
        tokio::time::timeout(limits.stopping, open.shutdown()).await.is_ok()
    }
}

struct Connection {
    limits: Limits,
    handler: Arc<dyn Handler>,
}

impl Connection {
    async fn serve(self, stream: TcpStream, watcher: Watcher, _permit: OwnedSemaphorePermit) {
        // Small answers would wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let mut builder = http1::Builder::new();
        // The timer, for the limit is nothing without it.
        builder.timer(TokioTimer::new()).header_read_timeout(self.limits.reading);
        builder.max_header_size(self.limits.head).max_buf_size(self.limits.head.max(8 << 10));
        let service = service_fn(|request| self.answer(request));
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            // A client that goes away, or is too slow, is no fault of the server's.
            tracing::debug!(%error, "a connection was broken off");
        }
    }

    async fn answer(&self, request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let mut request = of_head(head);
        let answer = match self.body(body).await {
            Ok(body) => {
                request.body = body;
                self.handle(request).await
            }
            Err((status, description)) => Response::error(&request, status, description),
        };
        Ok(answer.into())
    }

    async fn body(&self, body: Incoming) -> Result<Bytes, (StatusCode, &'static str)> {
        let whole = Limited::new(body, self.limits.body).collect();
        match tokio::time::timeout(self.limits.reading, whole).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than what is taken here"))
            }
            Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the body is not whole")),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body took too long to come")),
        }
    }

    async fn handle(&self, request: Request) -> Response {
        let fault = {
            let Request { headers, id, .. } = &request;
            Request { headers: headers.clone(), id: id.clone(), ..Request::get("/") }
        };
        let handling = AssertUnwindSafe(self.handler.handle(request)).catch_unwind();
        handling.await.unwrap_or_else(|_| {
            // What panicked is in the log and reported by now.
            let description = "the server failed on this request; its log says why, by the request's id";
            Response::error(&fault, StatusCode::INTERNAL_SERVER_ERROR, description)
        })
    }
}

/// A request without its body.
fn of_head(head: http::request::Parts) -> Request {
    let host = |headers: &HeaderMap| Some(headers.get(HOST)?.to_str().ok()?.to_owned());
    Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: pairs(head.uri.query().unwrap_or_default()),
        host: host(&head.headers).unwrap_or_default(),
        headers: head.headers,
        ..Request::get("/")
    }
}

impl From<Response> for http::Response<Full<Bytes>> {
    fn from(response: Response) -> Self {
        let mut answer = Self::new(Full::new(response.body));
        *answer.status_mut() = response.status;
        *answer.headers_mut() = response.headers;
        answer
    }
}
