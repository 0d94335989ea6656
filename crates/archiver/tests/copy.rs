//! What is copied is what the source gave, whole, in every region; or it is not there. The source is Mercurial's own server,
//! or one that does as it is told; the regions are S3 servers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use buildhub_archiver::copy::{Checkpoint, Control, CopyError, Ended, INCOMING, PART, RegionEnd, copy, resume};
use buildhub_archiver::fetch::{self, Fault, Limits, Rest};
use buildhub_archiver::regions::Found;
use buildhub_archiver::request::Suffix;
use buildhub_archiver::task::{Subject, Task, Tasks};
use buildhub_core::store::ObjectStore as _;
use buildhub_testkit::mercurial::Mercurial;
use buildhub_testkit::source::{Archive, Misdeed, SourceServer};
use bytes::Bytes;
use futures::StreamExt as _;

use support::{
    Denied, KEY, Site, copied, fetcher, http, moto, s3s, west_busy_at, west_slow_at, west_that_hangs_at, west_without,
    west_without_before,
};

/// A repository whose archive has several parts.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let noise = Archive::gzip(18 << 20).bytes.to_vec();
    vec![
        ("large.bin", noise),
        ("testing/mozharness/run.py", b"print('hello')\n".to_vec()),
        ("README", b"ash\n".to_vec()),
    ]
}

/// Kept, rows 4 and 17: the bytes are those of the address with twelve digits, and the source's headers go with them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_every_region_is_byte_for_byte_what_mercurial_gives() {
    let hg = Mercurial::start("projects/ash", &files()).await.unwrap();
    let revision = &hg.revision()[..12];
    for (suffix, subdir) in [
        (Suffix::TarGz, ""),
        (Suffix::TarGz, "testing/mozharness"),
        (Suffix::TarBz2, "testing/mozharness"),
        (Suffix::Zip, ""),
        (Suffix::Zip, "testing"),
    ] {
        // In a folder's files, unlike in S3, no name stands below another.
        let site = s3s().await;
        let expected = hg.archive(revision, suffix.as_str(), subdir).await.unwrap();
        let url = hg.template().replace("{repo}", hg.path()).replace("{rev}", revision);
        let url = url.replace("{suffix}", suffix.as_str()).replace("{subdir}", subdir);
        let opened = fetcher(&url, Limits::default()).open(&url.parse().unwrap(), suffix).await.unwrap();
        let mut plan = site.plan();
        plan.key = format!("projects/ash-{revision}.{suffix}/{subdir}").trim_end_matches('/').to_owned();
        plan.suffix = suffix;
        plan.headers = opened.headers;
        let copied = copied(copy(opened.body, &plan, &Control::default()).await);
        assert_eq!(copied.whole.size, expected.len() as u64);
        for region in site.regions.iter() {
            assert!(site.read(&region.name, &plan.key).await == expected, "{suffix} {subdir} in {}", region.name);
            let headers = region.store.details(&plan.key).await.unwrap().headers;
            assert_eq!(headers.content_type.as_deref(), Some(suffix.content_type()));
            let name = format!("attachment; filename=ash-{revision}.{suffix}");
            assert_eq!(headers.content_disposition, Some(name));
            assert_eq!(headers.metadata["sha256"], copied.whole.sha256);
        }
        assert_eq!(site.left_behind().await, Vec::<String>::new());
    }
}

/// Changelog, row 8: a body that broke off was kept for ever; and the rest of what a source can do.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_does_wrong_leaves_nothing_behind() {
    let source = SourceServer::start(Archive::gzip(18 << 20)).await.unwrap();
    let site = moto().await;
    let limits = Limits { size: 30 << 20, ..Limits::default() };
    let copy_with = async |misdeed: Misdeed| {
        source.next([misdeed.clone()]);
        let fetcher = fetcher(&source.url(), limits.clone());
        match fetcher.open(&source.url().parse().unwrap(), Suffix::TarGz).await {
            Ok(opened) => match copy(opened.body, &site.plan(), &Control::default()).await {
                Ok(end) => panic!("{misdeed:?}: {end:?} of {:?}", source.ranges()),
                Err(error) => error,
            },
            Err(error) => error.into(),
        }
    };
    let fault = |error: &CopyError| match error {
        CopyError::Source(error) => error.fault.clone(),
        other => panic!("{other}"),
    };
    for early in [9 << 20, 1 << 20] {
        let cut = copy_with(Misdeed::Cut(early)).await;
        assert!(matches!(fault(&cut), Fault::Truncated { read, .. } if read <= early), "{cut}");
        assert!(fault(&cut).is_transient());
        let short = copy_with(Misdeed::Short(early)).await;
        assert!(matches!(short, CopyError::Damaged(_)), "{short}");
    }
    let endless = copy_with(Misdeed::Endless).await;
    assert_eq!(fault(&endless), Fault::TooLarge { limit: limits.size });
    let page = copy_with(Misdeed::Type("text/html; charset=utf-8")).await;
    assert!(matches!(fault(&page), Fault::WrongType { .. }), "{page}");
    let encoded = copy_with(Misdeed::Encoding("gzip")).await;
    assert!(matches!(fault(&encoded), Fault::WrongType { .. }), "{encoded}");
    let missing = copy_with(Misdeed::Status(404, None)).await;
    assert_eq!(fault(&missing), Fault::NotFound { status: 404 });
    let forbidden = copy_with(Misdeed::Status(403, None)).await;
    assert!(!fault(&forbidden).is_transient(), "{forbidden}");
    assert_eq!(site.left_behind().await, Vec::<String>::new());
    assert!(matches!(site.regions.find(KEY, None).await, Found::Nowhere));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_stands_still_is_left() {
    let source = SourceServer::start(Archive::gzip(9 << 20)).await.unwrap();
    let url = source.url().parse().unwrap();
    source.next([Misdeed::Stall(4 << 20), Misdeed::Stall(4 << 20)]);
    let mut impatient = http();
    impatient.read_timeout = Duration::from_millis(200);
    let fetcher = fetch::Fetcher::new(&impatient, support::hosts(&source.url()), Limits::default()).unwrap();
    let site = s3s().await;
    let opened = fetcher.open(&url, Suffix::TarGz).await.unwrap();
    let error = copy(opened.body, &site.plan(), &Control::default()).await.unwrap_err();
    assert!(matches!(&error, CopyError::Source(error) if matches!(error.fault, Fault::Truncated { .. })), "{error}");
    let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
    let opened = support::fetcher(&source.url(), limits).open(&url, Suffix::TarGz).await.unwrap();
    let error = copy(opened.body, &site.plan(), &Control::default()).await.unwrap_err();
    assert!(matches!(&error, CopyError::Source(error) if matches!(error.fault, Fault::TooSlow { .. })), "{error}");
}

/// Changelog, row 2: 503 was taken for an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_busy_is_asked_again() {
    let source = SourceServer::start(Archive::gzip(100)).await.unwrap();
    let url = source.url().parse().unwrap();
    source.next([Misdeed::Status(503, Some(0)), Misdeed::Status(429, None)]);
    let site = s3s().await;
    let opened = fetcher(&source.url(), Limits::default()).open(&url, Suffix::TarGz).await.unwrap();
    copied(copy(opened.body, &site.plan(), &Control::default()).await);
    assert_eq!(source.requests(), 3);
    assert_eq!(site.read("east", KEY).await, Archive::gzip(100).bytes);
    source.next((0..4).map(|_| Misdeed::Status(503, Some(0))));
    let error = fetcher(&source.url(), Limits::default()).open(&url, Suffix::TarGz).await.map(drop).unwrap_err();
    assert_eq!(error.fault.to_string(), "the server answered 503 Service Unavailable");
    assert!(matches!(error.fault, Fault::Transient { retry_after: Some(Duration::ZERO), .. }), "{error:?}");
    source.next([Misdeed::Status(503, Some(3600))]);
    let error = fetcher(&source.url(), Limits::default()).open(&url, Suffix::TarGz).await.map(drop).unwrap_err();
    let hour = Some(Duration::from_hours(1));
    assert!(matches!(error.fault, Fault::Transient { retry_after, .. } if retry_after == hour), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_sources_hosts_are_asked_and_private_ones_where_the_operator_named_them() {
    let (source, other) = (
        SourceServer::start(Archive::gzip(100)).await.unwrap(),
        SourceServer::start(Archive::gzip(100)).await.unwrap(),
    );
    let open = async |hosts: fetch::Hosts| {
        let fetcher = fetch::Fetcher::new(&http(), hosts, Limits::default()).unwrap();
        fetcher.open(&source.url().parse().unwrap(), Suffix::TarGz).await.map(drop).map_err(|error| error.fault)
    };
    let trusted = || support::hosts(&source.url());
    // Within the source it is followed, five times.
    source.next((0..5).map(|_| Misdeed::Redirect("/elsewhere".into())));
    open(trusted()).await.unwrap();
    assert_eq!(source.requests(), 6);
    source.next((0..6).map(|_| Misdeed::Redirect("/round".into())));
    let refused = |reason: &str| Err(Fault::Refused { reason: reason.to_owned() });
    assert_eq!(open(trusted()).await, refused("it redirects too often"));
    // Nowhere else.
    source.next([Misdeed::Redirect(other.url())]);
    assert!(matches!(open(trusted()).await, Err(Fault::Refused { .. })));
    source.next([Misdeed::Redirect("http://169.254.169.254/latest/meta-data/".into())]);
    let expected = "it leads to http://169.254.169.254, which is no address of this source";
    assert_eq!(open(trusted()).await, refused(expected));
    assert_eq!(other.requests(), 0);
    // A host that may be asked, but that nobody named as one of a private network.
    let before = source.requests();
    let public = fetch::Hosts { trusted: std::collections::BTreeSet::default(), ..trusted() };
    assert_eq!(open(public).await, refused("127.0.0.1 is the machine 127.0.0.1, which may not be connected to"));
    assert_eq!(source.requests(), before);
}

/// West fails at one step of the copy after the other; East has the archive each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_fails_at_any_step_does_not_keep_the_other_from_having_it() {
    let source = SourceServer::start(Archive::gzip(18 << 20)).await.unwrap();
    let expected = Archive::gzip(18 << 20).bytes;
    let fetcher = fetcher(&source.url(), Limits::default());
    for step in [
        "POST /west/.incoming/task/1-a?uploads",
        "PUT /west/.incoming/task/1-a?x-id=UploadPart&partNumber=2",
        "POST /west/.incoming/task/1-a?uploadId",
        "POST /west/projects/ash-42bf8560b395.tar.gz?uploads",
        "x-amz-copy-source",
        "POST /west/projects/ash-42bf8560b395.tar.gz?uploadId",
    ] {
        let (site, denied) = west_without(step).await;
        let opened = fetcher.open(&source.url().parse().unwrap(), Suffix::TarGz).await.unwrap();
        let copied = copied(copy(opened.body, &site.plan(), &Control::default()).await);
        assert!(denied.count() > 0, "{step} is a step");
        let ends: Vec<_> =
            copied.regions.iter().map(|region| (region.region.as_str(), region.end.is_there())).collect();
        assert_eq!(ends, [("east", true), ("west", false)], "{step}");
        assert!(site.read("east", KEY).await == expected);
        assert!(site.regions.get("west").unwrap().store.head(KEY).await.unwrap_err().is_not_found());
        assert_eq!(site.left_behind().await, Vec::<String>::new(), "{step}");
    }
}

/// AWS, "`AbortMultipartUpload`": a part that is under way when its upload is given up may be stored all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_fails_with_parts_on_their_way_keeps_none_of_them() {
    let source = SourceServer::start(Archive::gzip(18 << 20)).await.unwrap();
    let fetcher = fetcher(&source.url(), Limits::default());
    let part = |number: &str| format!("PUT /west/.incoming/task/1-a?x-id=UploadPart&partNumber={number}");
    let (failing, late) = (part("2").leak(), part("1").leak());
    let (site, denied) = west_without_before(failing, late).await;
    let opened = fetcher.open(&source.url().parse().unwrap(), Suffix::TarGz).await.unwrap();
    let copied = copied(copy(opened.body, &site.plan(), &Control::default()).await);
    assert!(denied.count() > 0);
    let ends: Vec<_> = copied.regions.iter().map(|region| region.end.is_there()).collect();
    assert_eq!(ends, [true, false]);
    denied.other_is_answered().await;
    assert_eq!(site.left_behind().await, Vec::<String>::new());
}

/// 409 `ConditionalRequestConflict` (AWS, "How to prevent object overwrites with conditional writes"): it is tried again,
/// wherever it is said, and not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_was_writing_at_the_same_moment_is_written_again() {
    const LARGE: usize = 18 << 20;
    let hidden = "POST /west/.incoming/task/1-a?uploadId";
    let shown = "POST /west/projects/ash-42bf8560b395.tar.gz?uploadId";
    let small = "PUT /west/projects/ash-42bf8560b395.tar.gz?x-id=PutObject";
    for (step, size, times, is_there) in
        [(hidden, LARGE, 3, true), (shown, LARGE, 3, true), (small, 1000, 3, true), (shown, LARGE, 5, false)]
    {
        let source = SourceServer::start(Archive::gzip(size)).await.unwrap();
        let fetcher = fetcher(&source.url(), Limits::default());
        let (site, conflicts) = west_busy_at(step, times).await;
        let opened = fetcher.open(&source.url().parse().unwrap(), Suffix::TarGz).await.unwrap();
        let copied = copied(copy(opened.body, &site.plan(), &Control::default()).await);
        assert_eq!(conflicts.count(), times, "{step}");
        assert_eq!(copied.regions[1].end.is_there(), is_there, "{step}: {:?}", copied.regions[1].end);
        if is_there {
            assert!(site.read("west", KEY).await == Archive::gzip(size).bytes);
        }
        assert_eq!(site.left_behind().await, Vec::<String>::new(), "{step}");
    }
}

/// The same is true of a task.
#[tokio::test]
async fn a_task_that_another_was_writing_at_the_same_moment_is_made() {
    let (site, conflicts) = west_busy_at("PUT /west/ash.json?x-id=PutObject", 3).await;
    let tasks = Tasks::new(Arc::new(site.regions.get("west").unwrap().store.clone()));
    let subject = Subject { source: "hgmo".into(), url: "http://h/".into(), key: "ash".into(), suffix: "zip".into() };
    let task = Task::new("ash", subject, "2026-01-02T03:04:05Z".parse().unwrap());
    assert!(tasks.create(&task).await.unwrap());
    assert_eq!((conflicts.count(), tasks.load("ash").await.unwrap().unwrap().task), (3, task.clone()));
    assert!(!tasks.create(&task).await.unwrap(), "there is one now");
}

/// No region waits for another's: what is whole can be seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_hangs_while_it_puts_together_does_not_keep_the_other_from_showing_it() {
    let source = SourceServer::start(Archive::gzip(18 << 20)).await.unwrap();
    for step in ["POST /west/.incoming/task/1-a?uploadId", "x-amz-copy-source"] {
        let (site, hanging) = west_that_hangs_at(step).await;
        let fetcher = fetcher(&source.url(), Limits::default());
        let opened = fetcher.open(&source.url().parse().unwrap(), Suffix::TarGz).await.unwrap();
        let (plan, control) = (site.plan(), Control::default());
        let east = &site.regions.get("east").unwrap().store;
        let seen = async {
            while hanging.count() == 0 || east.head(KEY).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let ((), copied) = tokio::join!(
            async {
                tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap();
                // Its time is over.
                control.end();
            },
            async { copied(copy(opened.body, &plan, &control).await) }
        );
        let ends: Vec<_> = copied.regions.iter().map(|region| region.end.clone()).collect();
        let reason = "it was not through in the time that there was".to_owned();
        assert_eq!(ends, [RegionEnd::Done, RegionEnd::Failed(reason)], "{step}");
    }
}

/// Changelog, row 9: what has no room is not read. A region that stands still stops the reading, until it is left out.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_read_than_there_is_room_for() {
    let source = SourceServer::start(Archive { times: 30, ..Archive::gzip(8 << 20) }).await.unwrap();
    let (site, hanging) = west_that_hangs_at("PUT /west/.incoming/task/1-a?x-id=UploadPart").await;
    let opened = fetcher(&source.url(), Limits::default()).open(&source.url().parse().unwrap(), Suffix::TarGz).await;
    let (plan, control) = (site.plan(), Control::default());
    let copying = copy(opened.unwrap().body, &plan, &control);
    assert!(tokio::time::timeout(Duration::from_secs(5), copying).await.is_err(), "it waits for west");
    assert!(hanging.count() > 0);
    assert!(control.bytes() <= 5 * PART as u64, "{} bytes of {}", control.bytes(), 30 * (8 << 20));
}

/// What one region takes slowly, the other need not wait for: it is copied there afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_much_slower_than_the_other_is_left_out_and_the_other_has_the_archive() {
    let archive = Archive { times: 10, ..Archive::gzip(8 << 20) };
    let source = SourceServer::start(archive.clone()).await.unwrap();
    let (site, slow) = west_slow_at("PUT /west/.incoming/task/1-a?x-id=UploadPart", 3 << 20).await;
    let opened = fetcher(&source.url(), Limits::default()).open(&source.url().parse().unwrap(), Suffix::TarGz).await;
    let control = Control::default().with_patience(Duration::from_millis(300));
    let copied = copied(copy(opened.unwrap().body, &site.plan(), &control).await);
    assert_eq!(copied.regions[0].end, RegionEnd::Done);
    let RegionEnd::Failed(reason) = &copied.regions[1].end else { panic!("{copied:?}") };
    assert!(reason.contains("the region west is much slower than another"), "{reason}");
    assert!(slow.count() < 10, "the rest is not sent there");
    assert_eq!((copied.whole.size, source.requests()), (archive.size(), 1));
    assert_eq!(site.left_behind().await, Vec::<String>::new());
}

/// Neither is behind the other.
#[tokio::test(flavor = "multi_thread")]
async fn regions_that_are_slow_together_are_both_waited_for() {
    let archive = Archive { times: 5, ..Archive::gzip(8 << 20) };
    let source = SourceServer::start(archive).await.unwrap();
    let (site, slow) = west_slow_at("PUT /", 6 << 20).await;
    let opened = fetcher(&source.url(), Limits::default()).open(&source.url().parse().unwrap(), Suffix::TarGz).await;
    let control = Control::default().with_patience(Duration::from_millis(50));
    let copied = copied(copy(opened.unwrap().body, &site.plan(), &control).await);
    let ends: Vec<_> = copied.regions.into_iter().map(|region| region.end).collect();
    assert_eq!(ends, [RegionEnd::Done, RegionEnd::Done]);
    assert!(slow.count() > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_no_region_takes_says_why_of_each() {
    let source = SourceServer::start(Archive::gzip(18 << 20)).await.unwrap();
    // s3s-fs takes parts for a bucket that it does not have, and makes it.
    let site = moto().await;
    let regions = site.reopened("missing").await;
    let opened = fetcher(&source.url(), Limits::default()).open(&source.url().parse().unwrap(), Suffix::TarGz).await;
    let mut plan = site.plan();
    plan.regions = regions.iter().cloned().collect();
    let error = copy(opened.unwrap().body, &plan, &Control::default()).await.unwrap_err();
    let CopyError::Regions { reasons } = &error else { panic!("{error}") };
    assert_eq!(reasons.iter().map(|(region, _)| region.as_str()).collect::<Vec<_>>(), ["east", "west"]);
}

/// Two workers that both believe the task to be theirs: S3 decides, and both are content.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_at_the_same_time_one_is_seen_and_it_is_whole() {
    for size in [18 << 20, 1000] {
        let source = SourceServer::start(Archive::gzip(size)).await.unwrap();
        let site = moto().await;
        let fetcher = fetcher(&source.url(), Limits::default());
        let run = async |owner: &str| {
            let opened = fetcher.open(&source.url().parse().unwrap(), Suffix::TarGz).await.unwrap();
            let mut plan = site.plan();
            plan.staging = format!("{INCOMING}task/1-{owner}");
            copied(copy(opened.body, &plan, &Control::default()).await)
        };
        let (one, other) = tokio::join!(run("one"), run("other"));
        assert_eq!(one.whole, other.whole);
        for (one, other) in one.regions.iter().zip(&other.regions) {
            let ends = [&one.end, &other.end];
            assert!(ends.contains(&&RegionEnd::Done) && ends.contains(&&RegionEnd::Exists), "{ends:?}");
            assert!(site.read(&one.region, KEY).await == Archive::gzip(size).bytes);
        }
        assert_eq!(site.left_behind().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_stopped_aborts_what_it_began() {
    let source = SourceServer::start(Archive::gzip(20 << 20)).await.unwrap();
    source.next([Misdeed::Stall(17 << 20)]);
    let site = moto().await;
    let opened = fetcher(&source.url(), Limits::default()).open(&source.url().parse().unwrap(), Suffix::TarGz).await;
    let control = Control::default();
    let plan = site.plan();
    let (end, ()) = tokio::join!(copy(opened.unwrap().body, &plan, &control), async {
        until(|| control.bytes() >= 17 << 20).await;
        control.stop();
    });
    assert_eq!(end.unwrap_err(), CopyError::Stopped);
    assert_eq!(site.left_behind().await, Vec::<String>::new());
}

/// Its lease is another's by then, and that one goes on from the same place.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_taken_up_again_and_is_stopped_leaves_what_the_next_goes_on_with() {
    let source = SourceServer::start(Archive { etag: Some("\"v1\""), ..Archive::gzip(36 << 20) }).await.unwrap();
    source.next([Misdeed::Stall(17 << 20), Misdeed::Stall(9 << 20)]);
    let (url, fetcher) = (source.url().parse().unwrap(), fetcher(&source.url(), Limits::default()));
    let (site, control) = (moto().await, Control::unhurried(true));
    let plan = site.plan();
    let opened = fetcher.open(&url, Suffix::TarGz).await.unwrap();
    let validator = opened.validator.clone().unwrap();
    let (end, ()) = tokio::join!(copy(opened.body, &plan, &control), async {
        until(|| control.bytes() >= 17 << 20).await;
        control.pause();
    });
    let Ended::Paused(checkpoint) = end.unwrap() else { panic!("it is paused") };
    let rest = Rest { from: checkpoint.bytes, validator };
    let control = Control::unhurried(true);
    let opened = fetcher.resume(&url, Suffix::TarGz, &rest).await.unwrap();
    let (end, ()) = tokio::join!(resume(opened.body, &plan, checkpoint.clone(), &control), async {
        until(|| control.bytes() >= 25 << 20).await;
        control.stop();
    });
    assert_eq!(end.unwrap_err(), CopyError::Stopped);
    let opened = fetcher.resume(&url, Suffix::TarGz, &rest).await.unwrap();
    let copied = copied(resume(opened.body, &plan, checkpoint, &Control::default()).await);
    assert!(copied.regions.iter().all(|region| region.end == RegionEnd::Done), "{copied:?}");
    assert_eq!(site.left_behind().await, Vec::<String>::new());
}

/// The source gives ranges and a strong `ETag`, so another invocation goes on where the time of the first was over.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_paused_is_taken_up_again_and_checked_as_a_whole() {
    let mut archive = Archive::gzip(20 << 20);
    archive.etag = Some("\"v1\"");
    archive.has_length = true;
    let expected: Bytes = archive.bytes.clone();
    let source = SourceServer::start(archive).await.unwrap();
    source.next([Misdeed::Stall(17 << 20)]);
    let (url, fetcher) = (source.url().parse().unwrap(), fetcher(&source.url(), Limits::default()));
    let site = moto().await;
    let plan = site.plan();

    let opened = fetcher.open(&url, Suffix::TarGz).await.unwrap();
    let validator = opened.validator.clone().unwrap();
    assert_eq!(opened.size, Some(expected.len() as u64));
    let control = Control::unhurried(true);
    let (end, ()) = tokio::join!(copy(opened.body, &plan, &control), async {
        until(|| control.bytes() >= 17 << 20).await;
        control.pause();
    });
    let Ended::Paused(checkpoint) = end.unwrap() else { panic!("it is paused") };
    assert_eq!(checkpoint.bytes, 16 << 20);
    let checkpoint = serde_json::from_str(&serde_json::to_string(&checkpoint).unwrap()).unwrap();

    let rest = Rest { from: 16 << 20, validator };
    let changed = Rest { validator: "\"v0\"".into(), ..rest.clone() };
    assert_eq!(fetcher.resume(&url, Suffix::TarGz, &changed).await.map(drop).unwrap_err().fault, Fault::Changed);
    source.next([Misdeed::NoRange]);
    assert_eq!(fetcher.resume(&url, Suffix::TarGz, &rest).await.map(drop).unwrap_err().fault, Fault::Changed);
    let opened = fetcher.resume(&url, Suffix::TarGz, &rest).await.unwrap();
    assert_eq!(opened.size, Some(expected.len() as u64));
    copied(resume(opened.body, &plan, checkpoint, &Control::default()).await);
    for region in site.regions.iter() {
        assert!(site.read(&region.name, KEY).await == expected, "{}", region.name);
    }
    assert_eq!(site.left_behind().await, Vec::<String>::new());
    assert_eq!(source.ranges().last().unwrap().as_deref(), Some("bytes=16777216-"));
}

/// One part is as good as many.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_paused_with_the_first_part_that_came() {
    let source = SourceServer::start(Archive { etag: Some("\"v1\""), ..Archive::gzip(20 << 20) }).await.unwrap();
    source.next([Misdeed::Stall(9 << 20)]);
    let (url, fetcher) = (source.url().parse().unwrap(), fetcher(&source.url(), Limits::default()));
    let (site, control) = (moto().await, Control::unhurried(true));
    let plan = site.plan();
    let opened = fetcher.open(&url, Suffix::TarGz).await.unwrap();
    let validator = opened.validator.clone().unwrap();
    let (end, ()) = tokio::join!(copy(opened.body, &plan, &control), async {
        until(|| control.bytes() >= 9 << 20).await;
        control.pause();
    });
    let Ended::Paused(checkpoint) = end.unwrap() else { panic!("it is paused") };
    assert_eq!((checkpoint.bytes, checkpoint.regions.len()), (PART as u64, 2));
    let rest = fetcher.resume(&url, Suffix::TarGz, &Rest { from: checkpoint.bytes, validator }).await.unwrap();
    copied(resume(rest.body, &plan, checkpoint, &Control::default()).await);
    assert_eq!(site.left_behind().await, Vec::<String>::new());
}

/// A copy that was paused, and read to its end by another, who had no time to read it back.
async fn read_to_its_end(source: &SourceServer, site: &Site, hanging: &Denied) -> Checkpoint {
    let (url, fetcher) = (source.url().parse().unwrap(), fetcher(&source.url(), Limits::default()));
    source.next([Misdeed::Stall(17 << 20)]);
    let (opened, control) = (fetcher.open(&url, Suffix::TarGz).await.unwrap(), Control::unhurried(true));
    let (validator, plan) = (opened.validator.clone().unwrap(), site.plan());
    let (end, ()) = tokio::join!(copy(opened.body, &plan, &control), async {
        until(|| control.bytes() >= 17 << 20).await;
        control.pause();
    });
    let Ended::Paused(checkpoint) = end.unwrap() else { panic!("it is paused") };
    let rest = Rest { from: checkpoint.bytes, validator };
    let opened = fetcher.resume(&url, Suffix::TarGz, &rest).await.unwrap();
    let control = Control::unhurried(true);
    let (end, ()) = tokio::join!(resume(opened.body, &plan, checkpoint, &control), async {
        until(|| hanging.count() > 0).await;
        control.end();
    });
    let Ended::Paused(checkpoint) = end.unwrap() else { panic!("it is paused again") };
    serde_json::from_str(&serde_json::to_string(&checkpoint).unwrap()).unwrap()
}

/// What several workers read is read back as a whole; where the last of them has no time for that, another does it, and the
/// source is not read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_read_to_its_end_is_checked_by_another_where_no_time_is_left() {
    let archive = Archive { etag: Some("\"v1\""), has_length: true, ..Archive::gzip(20 << 20) };
    let (expected, source) = (archive.bytes.clone(), SourceServer::start(archive).await.unwrap());
    let (mut site, hanging) = west_that_hangs_at("GET /").await;
    let checkpoint = read_to_its_end(&source, &site, &hanging).await;
    assert_eq!((checkpoint.bytes, checkpoint.is_all), (expected.len() as u64, true));

    site.regions = site.directly().await;
    let nothing = futures::stream::empty().boxed();
    let copied = copied(resume(nothing, &site.plan(), checkpoint, &Control::default()).await);
    assert_eq!(copied.whole.size, expected.len() as u64);
    for region in ["east", "west"] {
        assert!(site.read(region, KEY).await == expected);
    }
    assert_eq!(site.left_behind().await, Vec::<String>::new());
}

/// Whoever does nothing else has all the time that there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_read_back_in_a_whole_workers_time_fails_and_leaves_nothing() {
    let archive = Archive { etag: Some("\"v1\""), has_length: true, ..Archive::gzip(20 << 20) };
    let source = SourceServer::start(archive).await.unwrap();
    let (mut site, hanging) = west_that_hangs_at("GET /").await;
    let checkpoint = read_to_its_end(&source, &site, &hanging).await;
    let (control, plan, before) = (Control::unhurried(true), site.plan(), hanging.count());
    let (end, ()) = tokio::join!(resume(futures::stream::empty().boxed(), &plan, checkpoint, &control), async {
        until(|| hanging.count() > before).await;
        control.end();
    });
    assert!(matches!(end.unwrap_err(), CopyError::OutOfTime { .. }));
    site.regions = site.directly().await;
    assert_eq!(site.left_behind().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_continued_says_how_far_it_came() {
    let source = SourceServer::start(Archive::gzip(20 << 20)).await.unwrap();
    source.next([Misdeed::Stall(17 << 20)]);
    let site = moto().await;
    let opened = fetcher(&source.url(), Limits::default()).open(&source.url().parse().unwrap(), Suffix::TarGz).await;
    let opened = opened.unwrap();
    assert_eq!(opened.validator, None, "a source without ranges cannot be continued");
    let (control, plan) = (Control::unhurried(false), site.plan());
    let (end, ()) = tokio::join!(copy(opened.body, &plan, &control), async {
        until(|| control.bytes() >= 17 << 20).await;
        control.pause();
    });
    assert!(matches!(end.unwrap_err(), CopyError::OutOfTime { bytes, .. } if bytes == 17 << 20));
    assert_eq!(site.left_behind().await, Vec::<String>::new());
}

/// A region that lacks an archive gets it from one that has it, not from the source.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_repaired_from_another() {
    let source = SourceServer::start(Archive::gzip(18 << 20)).await.unwrap();
    let site = s3s().await;
    let opened = fetcher(&source.url(), Limits::default()).open(&source.url().parse().unwrap(), Suffix::TarGz).await;
    let mut plan = site.plan();
    let all = std::mem::take(&mut plan.regions);
    plan.regions = all[..1].to_vec();
    plan.headers = opened.as_ref().unwrap().headers.clone();
    let first = copied(copy(opened.unwrap().body, &plan, &Control::default()).await);
    let opened = fetch::object(&all[0].store, KEY).await.unwrap();
    plan.regions = all[1..].to_vec();
    plan.headers = opened.headers;
    plan.expected.size = Some(first.whole.size);
    plan.expected.sha256 = plan.headers.metadata.get("sha256").cloned();
    let second = copied(copy(opened.body, &plan, &Control::default()).await);
    assert_eq!(second.whole, first.whole);
    assert_eq!(source.requests(), 1);
    let [east, west] = [&all[0], &all[1]].map(|region| region.store.details(KEY));
    assert_eq!(east.await.unwrap().headers, west.await.unwrap().headers);
    plan.expected.sha256 = Some("00".into());
    let opened = fetch::object(&all[0].store, KEY).await.unwrap();
    assert!(matches!(copy(opened.body, &plan, &Control::default()).await, Err(CopyError::Damaged(_))));
}

/// Changelog, rows 7 and 15: the original looked in one region, taken by chance.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_found_in_the_nearest_region_that_has_it() {
    let site = s3s().await;
    let found = async |site: &Site, preferred: Option<&str>| match site.regions.find(KEY, preferred).await {
        Found::In(region, _) => region.name.clone(),
        Found::Nowhere => "nowhere".to_owned(),
        Found::Silent { reasons } => format!("silent: {}", reasons.len()),
    };
    assert_eq!(found(&site, None).await, "nowhere");
    site.regions.get("west").unwrap().store.put(KEY, Bytes::from_static(b"x")).await.unwrap();
    for preferred in [None, Some("east"), Some("west"), Some("elsewhere")] {
        assert_eq!(found(&site, preferred).await, "west");
    }
    site.regions.get("east").unwrap().store.put(KEY, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(found(&site, None).await, "east");
    assert_eq!(found(&site, Some("west")).await, "west");
    assert_eq!(found(&site, Some("elsewhere")).await, "east");
    let (half, _denied) = west_without("HEAD /west/").await;
    assert_eq!(found(&half, Some("west")).await, "nowhere");
    half.regions.get("east").unwrap().store.put(KEY, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(found(&half, Some("west")).await, "east");
    let (silent, _denied) = west_without("HEAD /").await;
    assert_eq!(found(&silent, None).await, "silent: 2");
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
