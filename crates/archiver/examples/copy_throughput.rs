//! How fast an archive is copied into two regions, compared with `curl` of the same source, and in how much memory.
//!
//! ```text
//! cargo run --release -p buildhub-archiver --example copy_throughput [MEGABYTES [MEGABYTES-A-SECOND]]
//! cargo run --release -p buildhub-archiver --example copy_throughput hg [MEGABYTES]
//! cargo run --release -p buildhub-archiver --example copy_throughput files …      the same into files
//! ```
//!
//! The source, each region and the copy are processes of their own, so that the memory told is the copy's alone. A region
//! is a server that takes the bytes and keeps none, for a bucket's own work is not done by whoever writes to it. With
//! `files` it is an S3 server that keeps its objects in files: hashing, putting together and copying is this machine's work
//! then, and the time until the last byte is sent is told apart.
//!
//! `curl` runs before and after, for a machine is not equally fast all the time.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and may fail")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use buildhub_archiver::copy::{Control, Ended, INCOMING, Plan, copy};
use buildhub_archiver::fetch::{Fetcher, Hosts, Limits};
use buildhub_archiver::regions::Regions;
use buildhub_archiver::request::Suffix;
use buildhub_archiver::settings::RegionSettings;
use buildhub_archiver::verify::Expected;
use buildhub_core::Variables;
use buildhub_core::store::S3Settings;
use buildhub_http::{HttpSettings, Url};
use buildhub_testkit::mercurial::Mercurial;
use buildhub_testkit::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};
use buildhub_testkit::sink::SinkServer;
use buildhub_testkit::source::{Archive, SourceServer};

/// Bytes of what the paced source repeats.
const BLOCK: usize = 16 << 20;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve-files"] => serve_files().await,
        ["serve-sink"] => serve_sink().await,
        ["serve-source", megabytes, pace] => serve_source(megabytes.parse().unwrap(), pace.parse().unwrap()).await,
        ["serve-hg", megabytes] => serve_hg(megabytes.parse().unwrap()).await,
        ["copy", url, east, west] => Box::pin(measure(&url.parse().unwrap(), [east, west])).await,
        ["files", rest @ ..] => compare(&source(rest), "serve-files"),
        rest => compare(&source(rest), "serve-sink"),
    }
}

/// How the source is started that these arguments ask for.
fn source<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let or = |at: usize, default| *arguments.get(at).unwrap_or(&default);
    match arguments {
        ["hg", ..] => vec!["serve-hg", or(1, "300")],
        _ => vec!["serve-source", or(0, "2048"), or(1, "50")],
    }
}

/// Runs `curl`, the copy, and `curl` again, one after the other.
fn compare(source: &[&str], region: &str) {
    let (mut source, url) = start(source);
    curl(&url);
    let regions = [start(&[region]), start(&[region])];
    let [east, west] = [&regions[0].1, &regions[1].1];
    let status = Command::new(std::env::current_exe().unwrap()).args(["copy", &url, east, west]).status().unwrap();
    println!("copy went well: {}", status.success());
    curl(&url);
    for (mut region, _) in regions {
        region.kill().unwrap();
    }
    source.kill().unwrap();
}

fn curl(url: &str) {
    let begun = Instant::now();
    let status = Command::new("curl").args(["-sS", "--noproxy", "*", "-o", "/dev/null", url]).status().unwrap();
    println!("curl to /dev/null: {:.2} s (went well: {})", begun.elapsed().as_secs_f64(), status.success());
}

/// Starts this program as a server, and tells the address that it prints.
fn start(arguments: &[&str]) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

async fn serve_sink() {
    let server = SinkServer::start().await.unwrap();
    println!("{}", server.endpoint());
    std::future::pending::<()>().await;
}

async fn serve_files() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("archives").unwrap();
    println!("{}", server.endpoint());
    std::future::pending::<()>().await;
}

async fn serve_source(megabytes: u64, pace: u64) {
    let mut archive = Archive::gzip(BLOCK);
    archive.times = megabytes * 1_000_000 / archive.bytes.len() as u64;
    archive.pace = Some(pace * 1_000_000);
    let source = SourceServer::start(archive).await.unwrap();
    println!("{}", source.url());
    std::future::pending::<()>().await;
}

async fn serve_hg(megabytes: usize) {
    let files: Vec<_> = (0..megabytes.div_ceil(10)).map(|at| format!("file-{at}")).collect();
    let noise = Archive::gzip(10_000_000).bytes.to_vec();
    let files: Vec<_> = files.iter().map(|name| (name.as_str(), noise.clone())).collect();
    let hg = Mercurial::start("projects/ash", &files).await.unwrap();
    let url = hg.template().replace("{repo}", hg.path()).replace("{rev}", &hg.revision()[..12]);
    println!("{}", url.replace("{suffix}", "tar.gz").replace("{subdir}", ""));
    std::future::pending::<()>().await;
}

/// Copies, and tells how long it took and how much memory there was at most.
async fn measure(url: &Url, endpoints: [&str; 2]) {
    let settings: Vec<_> = ["east", "west"].into_iter().zip(endpoints).map(|(name, url)| region(name, url)).collect();
    let host = url.host_str().unwrap().to_owned();
    let hosts = Hosts { asked: [host.clone()].into(), trusted: [host].into() };
    let fetcher = Fetcher::new(&HttpSettings::default(), hosts, Limits::default()).unwrap();
    let begun = Instant::now();
    let opened = fetcher.open(url, Suffix::TarGz).await.unwrap();
    let plan = Plan {
        key: "archive.tar.gz".to_owned(),
        staging: format!("{INCOMING}archive/1-a"),
        suffix: Suffix::TarGz,
        expected: Expected::default(),
        headers: opened.headers,
        regions: Regions::open(&settings).await.iter().cloned().collect(),
    };
    let control = Control::default();
    // Nothing tells when the last byte is read but that no more come.
    let (mut last, mut read, mut worked) = (Duration::ZERO, 0, Duration::ZERO);
    let copying = copy(opened.body, &plan, &control);
    tokio::pin!(copying);
    let end = loop {
        match tokio::time::timeout(Duration::from_millis(20), &mut copying).await {
            Ok(end) => break end,
            Err(_) if control.bytes() > read => (read, last, worked) = (control.bytes(), begun.elapsed(), cpu()),
            Err(_) => {}
        }
    };
    let whole = begun.elapsed();
    let Ok(Ended::Copied(copied)) = end else {
        println!("{end:?}");
        std::process::exit(1)
    };
    println!("copy of {} bytes into {} regions:", copied.whole.size, copied.regions.len());
    println!("  read, sent and checked: {:.2} s", last.as_secs_f64());
    println!("  seen: {:.2} s", whole.as_secs_f64());
    println!(
        "  work of this process: {:.2} s, after the last byte {:.2} s",
        cpu().as_secs_f64(),
        cpu().saturating_sub(worked).as_secs_f64()
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or(" not known");
    println!("  memory at most:{peak}");
}

/// Processor time of this process (Linux, `proc_pid_stat(5)`: fields 14 and 15, in hundredths of a second).
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
    Duration::from_millis(fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

fn region(name: &str, endpoint: &str) -> RegionSettings {
    let variables = Variables::default()
        .with("AWS_ENDPOINT_URL", endpoint)
        .with("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .with("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
    let s3 = S3Settings::from_variables(&variables).unwrap();
    RegionSettings { name: name.to_owned(), bucket: "archives".to_owned(), s3 }
}
