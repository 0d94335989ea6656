//! An agent's end at any of its steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use buildhub_self_serve::backend::{Backend, BackendError, Build, Builder, Change, Request, Start, Started};
use tokio::sync::Notify;

/// A build system at whose `fatal`th step whoever asks comes to a halt. A call that changes something is two steps, before it
/// is made and after it was; a question is one, for it leaves all as it was. Who waits for `halted` can drop it then, as a
/// crash would.
#[derive(Debug)]
pub(crate) struct Mortal {
    inner: Arc<dyn Backend>,
    steps: AtomicUsize,
    fatal: usize,
    pub(crate) halted: Notify,
}

impl Mortal {
    pub(crate) fn new(inner: &Arc<dyn Backend>, fatal: usize) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), steps: AtomicUsize::new(0), fatal, halted: Notify::new() })
    }

    async fn step(&self) {
        if self.steps.fetch_add(1, Ordering::SeqCst) + 1 == self.fatal {
            self.halted.notify_one();
            std::future::pending::<()>().await;
        }
    }

    async fn before<T>(&self, question: impl Future<Output = T>) -> T {
        self.step().await;
        question.await
    }

    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.step().await;
        let answer = call.await;
        self.step().await;
        answer
    }
}

#[async_trait]
impl Backend for Mortal {
    async fn check(&self) -> Result<(), BackendError> {
        self.before(self.inner.check()).await
    }

    async fn request(&self, id: u64) -> Result<Option<Request>, BackendError> {
        self.before(self.inner.request(id)).await
    }

    async fn build(&self, id: u64) -> Result<Option<Build>, BackendError> {
        self.before(self.inner.build(id)).await
    }

    async fn builds_of(&self, request: u64) -> Result<Vec<Build>, BackendError> {
        self.before(self.inner.builds_of(request)).await
    }

    async fn open_requests(&self) -> Result<Vec<Request>, BackendError> {
        self.before(self.inner.open_requests()).await
    }

    async fn requests_since(&self, number: u64, limit: usize) -> Result<Vec<u64>, BackendError> {
        self.before(self.inner.requests_since(number, limit)).await
    }

    async fn builders(&self) -> Result<Vec<Builder>, BackendError> {
        self.before(self.inner.builders()).await
    }

    async fn start(&self, start: &Start) -> Result<Started, BackendError> {
        self.around(self.inner.start(start)).await
    }

    async fn change(&self, change: &Change) -> Result<u64, BackendError> {
        self.around(self.inner.change(change)).await
    }

    async fn prioritise(&self, request: u64, priority: i64) -> Result<(), BackendError> {
        self.around(self.inner.prioritise(request, priority)).await
    }

    async fn cancel_request(&self, id: u64, reason: &str) -> Result<(), BackendError> {
        self.around(self.inner.cancel_request(id, reason)).await
    }

    async fn stop_build(&self, id: u64, reason: &str) -> Result<(), BackendError> {
        self.around(self.inner.stop_build(id, reason)).await
    }
}
