//! Two regions, and what may stand between them and those who ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use buildhub_archiver::copy::{Copied, CopyError, Ended, INCOMING, Plan};
use buildhub_archiver::fetch::{Fetcher, Hosts, Limits};
use buildhub_archiver::regions::Regions;
use buildhub_archiver::request::Suffix;
use buildhub_archiver::settings::RegionSettings;
use buildhub_core::Variables;
use buildhub_core::store::{ObjectHeaders, ObjectStore as _, S3Settings};
use buildhub_http::{HttpSettings, Url};
use buildhub_testkit::moto::Moto;
use buildhub_testkit::s3::S3Server;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const KEY: &str = "projects/ash-42bf8560b395.tar.gz";

/// Two regions of one server.
pub(crate) struct Site {
    pub(crate) regions: Regions,
    variables: Variables,
    server: Server,
}

enum Server {
    S3s(S3Server),
    Moto { _server: Moto },
}

pub(crate) async fn s3s() -> Site {
    let server = S3Server::start().await.unwrap();
    for bucket in ["east", "west"] {
        server.create_bucket(bucket).unwrap();
    }
    let variables: Variables = server.variables().into_iter().collect();
    let regions = open(&variables, None, ["east", "west"]).await;
    Site { regions, variables, server: Server::S3s(server) }
}

pub(crate) async fn moto() -> Site {
    let server = Moto::start().await.unwrap();
    for bucket in ["east", "west"] {
        server.create_bucket(bucket).await.unwrap();
    }
    let variables: Variables = server.variables().into_iter().collect();
    let regions = open(&variables, None, ["east", "west"]).await;
    Site { regions, variables, server: Server::Moto { _server: server } }
}

/// What a proxy does with the requests that it does not pass on.
#[derive(Clone, Copy)]
enum Way {
    Deny,
    Hang,
    /// Says so many times that another was at it at the same moment.
    Conflict(usize),
    /// Passes them on with so many bytes of their body a second.
    Slow(usize),
    /// Denies, while a request that begins with this is on its way: its last byte is passed on when the upload was given up,
    /// or a second after the denial where it is not.
    DenyBefore(&'static str),
}

/// A site whose requests go through a proxy that denies those whose head has `step` in it.
pub(crate) async fn west_without(step: &'static str) -> (Site, Denied) {
    west_with(step, Way::Deny).await
}

/// A site whose requests go through a proxy that denies those whose head has `step` in it while one that begins with
/// `other` is on its way.
pub(crate) async fn west_without_before(step: &'static str, other: &'static str) -> (Site, Denied) {
    west_with(step, Way::DenyBefore(other)).await
}

/// A site whose requests go through a proxy that never answers those whose head has `step` in it.
pub(crate) async fn west_that_hangs_at(step: &'static str) -> (Site, Denied) {
    west_with(step, Way::Hang).await
}

/// A site whose requests go through a proxy that answers those whose head has `step` in it so many times that another was at
/// the object at the same moment.
pub(crate) async fn west_busy_at(step: &'static str, times: usize) -> (Site, Denied) {
    west_with(step, Way::Conflict(times)).await
}

/// A site whose requests go through a proxy that passes those whose head has `step` in it on with so many bytes a second.
pub(crate) async fn west_slow_at(step: &'static str, pace: usize) -> (Site, Denied) {
    west_with(step, Way::Slow(pace)).await
}

async fn west_with(step: &'static str, way: Way) -> (Site, Denied) {
    let mut site = s3s().await;
    let endpoint = site.variables.get("AWS_ENDPOINT_URL").unwrap().to_owned();
    let (proxy, denied) = proxy(endpoint, step, way).await;
    site.regions = open(&site.variables, Some(&proxy), ["east", "west"]).await;
    (site, denied)
}

async fn open(variables: &Variables, endpoint: Option<&str>, buckets: [&str; 2]) -> Regions {
    let region = |(name, bucket): (&str, &str)| {
        let mut variables = variables.clone();
        if let Some(endpoint) = endpoint {
            variables = variables.with("AWS_ENDPOINT_URL", endpoint);
        }
        let s3 = S3Settings::from_variables(&variables).unwrap();
        RegionSettings { name: name.to_owned(), bucket: bucket.to_owned(), s3 }
    };
    let settings: Vec<_> = ["east", "west"].into_iter().zip(buckets).map(region).collect();
    Regions::open(&settings).await
}

impl Site {
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            key: KEY.to_owned(),
            staging: format!("{INCOMING}task/1-a"),
            suffix: Suffix::TarGz,
            expected: buildhub_archiver::verify::Expected::default(),
            headers: ObjectHeaders::default(),
            regions: self.regions.iter().cloned().collect(),
        }
    }

    /// The same regions with other buckets, which are not there.
    pub(crate) async fn reopened(&self, bucket: &str) -> Regions {
        open(&self.variables, None, [bucket, bucket]).await
    }

    /// The same regions without a proxy.
    pub(crate) async fn directly(&self) -> Regions {
        open(&self.variables, None, ["east", "west"]).await
    }

    pub(crate) async fn read(&self, region: &str, key: &str) -> Bytes {
        let store = &self.regions.get(region).unwrap().store;
        store.get(key).await.unwrap().bytes(key, 64 << 20).await.unwrap()
    }

    /// What is neither an archive nor to be kept: objects by hidden keys, and uploads.
    pub(crate) async fn left_behind(&self) -> Vec<String> {
        let mut left = Vec::new();
        for region in self.regions.iter() {
            left.extend(region.store.list_all(INCOMING).await.unwrap().into_iter().map(|entry| entry.key));
            if let Server::Moto { .. } = &self.server {
                let uploads = region.store.uploads("", 100).await.unwrap();
                left.extend(uploads.into_iter().map(|found| format!("upload of {}", found.upload.key)));
            }
        }
        // This server lists no uploads; it keeps them in files beside the buckets.
        if let Server::S3s(server) = &self.server {
            let files = std::fs::read_dir(server.root()).unwrap().map(|entry| entry.unwrap().file_name());
            left.extend(files.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with(".upload")));
        }
        left
    }
}

pub(crate) fn hosts(url: &str) -> Hosts {
    let host = url.parse::<Url>().unwrap().host_str().unwrap().to_owned();
    Hosts { asked: [host.clone()].into(), trusted: [host].into() }
}

/// A client that does not wait long.
pub(crate) fn http() -> HttpSettings {
    HttpSettings { backoff_base: Duration::from_millis(1), ..HttpSettings::default() }
}

pub(crate) fn fetcher(url: &str, limits: Limits) -> Fetcher {
    Fetcher::new(&http(), hosts(url), limits).unwrap()
}

pub(crate) fn copied(end: Result<Ended, CopyError>) -> Copied {
    match end {
        Ok(Ended::Copied(copied)) => copied,
        other => panic!("{other:?}"),
    }
}

/// How often a proxy did not pass on what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Denied {
    count: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
    passed_on: Arc<AtomicUsize>,
    given_up: Arc<AtomicUsize>,
}

impl Denied {
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until the request that was on its way has been answered by the server.
    pub(crate) async fn other_is_answered(&self) {
        until(&self.passed_on).await;
    }

    /// Waits for a denial, and then for an upload to be given up, but no longer than a second.
    async fn is_followed(&self) {
        until(&self.count).await;
        let _ = tokio::time::timeout(Duration::from_secs(1), until(&self.given_up)).await;
    }
}

/// Waits until something has happened once.
async fn until(count: &AtomicUsize) {
    while count.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Passes requests on to a server, each by a connection of its own, but for those whose head begins with `step`, or has it
/// in it where it is a header.
async fn proxy(endpoint: String, step: &'static str, way: Way) -> (String, Denied) {
    let server = endpoint.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let denied = Denied::default();
    let seen = denied.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, server.clone(), step, way, seen.clone()));
        }
    });
    (address, denied)
}

async fn pass_on_slowly(
    mut client: TcpStream,
    server: &str,
    head: &str,
    length: usize,
    pace: usize,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    server.write_all(head.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes()).await?;
    let mut left = length;
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    while left > 0 {
        turn.tick().await;
        let mut piece = vec![0; left.min(pace / 50)];
        client.read_exact(&mut piece).await?;
        server.write_all(&piece).await?;
        left -= piece.len();
    }
    tokio::io::copy(&mut server, &mut client).await.map(drop)
}

async fn pass_on(mut client: TcpStream, server: String, step: &str, way: Way, seen: Denied) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).unwrap_or(0);
    let is_denied = match step.strip_prefix("x-") {
        Some(_) => text.contains("/west/") && text.contains(step),
        None => text.starts_with(step),
    };
    let is_over = matches!(way, Way::Conflict(times) if seen.count() >= times);
    if is_denied && !is_over {
        if let Way::DenyBefore(_) = way {
            // The other one is there but for its last byte.
            until(&seen.held).await;
        }
        seen.count.fetch_add(1, Ordering::SeqCst);
        let status = match way {
            Way::Deny | Way::DenyBefore(_) => "403 Forbidden",
            Way::Conflict(_) => "409 Conflict",
            Way::Hang => return std::future::pending().await,
            Way::Slow(pace) => return pass_on_slowly(client, &server, &text, length, pace).await,
        };
        tokio::io::copy(&mut (&mut client).take(length as u64), &mut tokio::io::sink()).await?;
        let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        return client.write_all(answer.as_bytes()).await;
    }
    let mut server = TcpStream::connect(&server).await?;
    server.write_all(text.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes()).await?;
    if matches!(way, Way::DenyBefore(other) if text.starts_with(other)) {
        let mut body = vec![0; length];
        client.read_exact(&mut body).await?;
        let (last, before) = body.split_last().unwrap();
        server.write_all(before).await?;
        seen.held.fetch_add(1, Ordering::SeqCst);
        seen.is_followed().await;
        server.write_all(&[*last]).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        seen.passed_on.fetch_add(1, Ordering::SeqCst);
        return client.write_all(&answer).await;
    }
    let passed = tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop);
    if text.starts_with("DELETE /west/") {
        seen.given_up.fetch_add(1, Ordering::SeqCst);
    }
    passed
}
