//! What a master makes of a change that a job told of: each scheduler what it makes of a push, once.

use std::collections::BTreeMap;

use buildhub_self_serve::backend::{Backend as _, BackendError, Change, Outcome, Request, Start};
use buildhub_self_serve::buildbot::Buildbot;
use buildhub_testkit::buildbot::{self as testkit, Release, Settings};

use crate::support::until;
use crate::{change, client, over, running, start};

/// Builds what is pushed at once.
const PUSHED: &str = "try linux64 build";
/// Builds it when it has been quiet.
const QUIET: &str = "try linux64 nightly";

/// All requests of a revision.
async fn all_of(server: &testkit::Buildbot, client: &Buildbot, revision: &str) -> Vec<Request> {
    let mut found = Vec::new();
    for request in server.get("buildrequests").await.unwrap()["buildrequests"].as_array().unwrap() {
        let request = client.request(request["buildrequestid"].as_u64().unwrap()).await.unwrap().unwrap();
        if request.revision.as_deref() == Some(revision) {
            found.push(request);
        }
    }
    found
}

/// How many requests there are of a revision, by their builders' names.
async fn requests_of(server: &testkit::Buildbot, client: &Buildbot, revision: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for request in all_of(server, client, revision).await {
        *found.entry(request.builder).or_insert(0) += 1;
    }
    found
}

async fn a_change_is_built_once_whenever_the_master_dies(release: Release) {
    let settings = Settings { release, more_schedulers: true, ..Settings::default() };
    let mut server = testkit::Buildbot::start(settings).await.unwrap();
    let client = client(&server, server.auth());
    let all = BTreeMap::from([(PUSHED.to_owned(), 1), (QUIET.to_owned(), 1)]);

    // The change is stored, and no scheduler has made anything of it that is built at once.
    server.hold_changes("try").unwrap();
    let first = change(1, "aaaaaaaaaaaa");
    let told = tokio::select! {
        told = client.change(&first) => panic!("told of before anything is made of it: {told:?}"),
        there = until("the change is stored", async || {
            server.get("changes").await.unwrap()["changes"][0]["changeid"].as_u64()
        }) => there,
    };
    server.kill().await.unwrap();
    server.release_changes("try").unwrap();
    server.start_again().await.unwrap();
    assert_eq!(client.change(&first).await.unwrap(), told);
    assert_eq!(requests_of(&server, &client, "aaaaaaaaaaaa").await.get(PUSHED), Some(&1), "it is built after all");

    // One that was taken, by one scheduler at once and by another that still waits, is not taken again by a master that has
    // forgotten that it was.
    server.hold_quiet().unwrap();
    let second = change(2, "bbbbbbbbbbbb");
    let told = client.change(&second).await.unwrap();
    for _ in 0..2 {
        assert_eq!(requests_of(&server, &client, "bbbbbbbbbbbb").await, BTreeMap::from([(PUSHED.to_owned(), 1)]));
        server.kill().await.unwrap();
        server.start_again().await.unwrap();
        assert_eq!(client.change(&second).await.unwrap(), told);
    }
    server.kill().await.unwrap();
    server.release_quiet().unwrap();
    server.start_again().await.unwrap();
    until("it has been quiet", async || (requests_of(&server, &client, "bbbbbbbbbbbb").await == all).then_some(()))
        .await;
    server.kill().await.unwrap();
    server.start_again().await.unwrap();
    assert_eq!(client.change(&second).await.unwrap(), told);

    // Of the same revision another job tells again: what it asked for is made once too.
    client.change(&change(3, "bbbbbbbbbbbb")).await.unwrap();
    client.change(&change(3, "bbbbbbbbbbbb")).await.unwrap();
    let both = BTreeMap::from([(PUSHED.to_owned(), 2), (QUIET.to_owned(), 2)]);
    until("it has been quiet", async || (requests_of(&server, &client, "bbbbbbbbbbbb").await == both).then_some(()))
        .await;
    assert_eq!(server.get("changes").await.unwrap()["changes"].as_array().unwrap().len(), 3);

    // One scheduler fails: the others do not, and the change does not count as told of before that one has it too.
    server.database("ALTER TABLE scheduler_changes RENAME TO elsewhere;").await.unwrap();
    let third = change(4, "cccccccccccc");
    let error = client.change(&third).await.unwrap_err();
    assert!(matches!(&error, BackendError::Failed { reason, .. } if reason.contains("try-quiet: ")), "{error}");
    assert_eq!(requests_of(&server, &client, "cccccccccccc").await, BTreeMap::from([(PUSHED.to_owned(), 1)]));
    server.database("ALTER TABLE elsewhere RENAME TO scheduler_changes;").await.unwrap();
    client.change(&third).await.unwrap();
    until("it has been quiet", async || (requests_of(&server, &client, "cccccccccccc").await == all).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_built_once_whenever_the_newest_buildbot_dies() {
    Box::pin(a_change_is_built_once_whenever_the_master_dies(Release::Newest)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_built_once_whenever_an_older_buildbot_dies() {
    Box::pin(a_change_is_built_once_whenever_the_master_dies(Release::Old)).await;
}

/// One builder's requests of a revision, when there are as many.
async fn as_many(
    server: &testkit::Buildbot,
    client: &Buildbot,
    (builder, revision): (&str, &str),
    count: usize,
) -> Vec<Request> {
    until("as many are asked for", async || {
        let mut found = all_of(server, client, revision).await;
        found.retain(|request| request.builder == builder);
        assert!(found.len() <= count, "{count} of {revision} for {builder}: {found:?}");
        (found.len() == count).then_some(found)
    })
    .await
}

/// How many changes wait until it is quiet.
const WAITING: &str = "SELECT count(*) FROM scheduler_changes";

/// Starts the master again, and lets it find quiet: what waited for that is asked for.
async fn quiet_at_last(server: &mut testkit::Buildbot) {
    server.kill().await.unwrap();
    server.release_quiet().unwrap();
    server.start_again().await.unwrap();
    until("it has been quiet", async || (server.number(WAITING).await.unwrap() == 0).then_some(())).await;
}

/// Of changes that come one after the other a scheduler that waits for quiet builds the newest, and is known by it alone.
async fn what_came_within_one_time_of_quiet_is_built_once(release: Release) {
    let settings = Settings { release, more_schedulers: true, ..Settings::default() };
    let mut server = testkit::Buildbot::start(settings).await.unwrap();
    let client = client(&server, server.auth());
    server.hold_quiet().unwrap();
    let (first, second, third) = (change(1, "aaaaaaaaaaaa"), change(2, "bbbbbbbbbbbb"), change(3, "cccccccccccc"));
    for told in [&first, &second] {
        client.change(told).await.unwrap();
    }
    quiet_at_last(&mut server).await;
    let built = as_many(&server, &client, (QUIET, "bbbbbbbbbbbb"), 1).await.remove(0);
    let name = |number: u64| format!("selfserve_change_{number}");
    assert_eq!((&built.properties[&name(1)], &built.properties[&name(2)]), (&"1.1".into(), &"2.1".into()));
    assert_eq!(built.properties["owner"], "bob");

    // Neither is built again by a master that has forgotten it: not where it is told again, and not where it died when
    // it had made the set and not yet noted that, also with another beside them.
    server.hold_quiet().unwrap();
    client.change(&third).await.unwrap();
    server.kill().await.unwrap();
    let noted = "INSERT OR IGNORE INTO scheduler_changes (schedulerid, changeid, important)
        SELECT schedulers.id, changes.changeid, 1 FROM schedulers, changes WHERE schedulers.name = 'try-quiet';";
    server.database(noted).await.unwrap();
    assert_eq!(server.number(WAITING).await.unwrap(), 3);
    quiet_at_last(&mut server).await;
    for told in [&first, &second, &third] {
        client.change(told).await.unwrap();
    }
    assert_eq!(server.number(WAITING).await.unwrap(), 0, "none waits to be built again");
    as_many(&server, &client, (QUIET, "aaaaaaaaaaaa"), 0).await;
    as_many(&server, &client, (QUIET, "bbbbbbbbbbbb"), 1).await;
    let built = as_many(&server, &client, (QUIET, "cccccccccccc"), 1).await.remove(0);
    assert_eq!((built.properties.get(&name(2)), &built.properties[&name(3)]), (None, &"3.1".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_within_one_time_of_quiet_is_built_once_by_the_newest_buildbot() {
    Box::pin(what_came_within_one_time_of_quiet_is_built_once(Release::Newest)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_within_one_time_of_quiet_is_built_once_by_an_older_buildbot() {
    Box::pin(what_came_within_one_time_of_quiet_is_built_once(Release::Old)).await;
}

/// All changes of a revision share one source, and what is built of it has the properties of its newest change.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_its_authors_and_what_a_job_tells_of_the_same_revision_is_built_too() {
    let mut server = testkit::Buildbot::start(Settings { more_schedulers: true, ..Settings::default() }).await.unwrap();
    let client = client(&server, server.auth());
    server.hold_quiet().unwrap();
    let told = change(1, "aaaaaaaaaaaa");
    server.push(&told.repository, "try", "aaaaaaaaaaaa", "alice").await.unwrap();
    let pushed = as_many(&server, &client, (PUSHED, "aaaaaaaaaaaa"), 1).await.remove(0);
    assert_eq!((pushed.author.as_deref(), pushed.properties.get("owner")), (Some("alice"), None));
    client.change(&told).await.unwrap();
    let both = as_many(&server, &client, (PUSHED, "aaaaaaaaaaaa"), 2).await;
    assert_eq!(both[1].properties["owner"], "bob");

    // A master that dies before the scheduler that waits for quiet has what the job told of.
    until("both wait", async || (server.number(WAITING).await.unwrap() == 2).then_some(())).await;
    server.kill().await.unwrap();
    server.database("DELETE FROM scheduler_changes WHERE changeid = 2;").await.unwrap();
    quiet_at_last(&mut server).await;
    let quiet = as_many(&server, &client, (QUIET, "aaaaaaaaaaaa"), 1).await.remove(0);
    assert_eq!(quiet.properties["requester"], "bob", "though it is alice's push");
    assert_eq!((quiet.author.as_deref(), quiet.properties.get("owner")), (Some("alice"), None));
    client.change(&told).await.unwrap();
    let quiet = as_many(&server, &client, (QUIET, "aaaaaaaaaaaa"), 2).await;
    assert_eq!(quiet[1].properties["owner"], "bob");
    assert_eq!(server.number(WAITING).await.unwrap(), 0);
}

/// What nobody pushed, and of which it is not said who asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_what_several_told_of_is_whoevers_who_told_of_it_last_before() {
    let mut server = testkit::Buildbot::start(Settings::default()).await.unwrap();
    let client = client(&server, server.auth());
    client.change(&change(1, "aaaaaaaaaaaa")).await.unwrap();
    let carols = Change { requester: "carol".to_owned(), ..change(2, "aaaaaaaaaaaa") };
    client.change(&carols).await.unwrap();
    let later = "DELETE FROM buildset_properties WHERE property_name = 'owner';
        UPDATE changes SET when_timestamp = 100 WHERE changeid = 1; UPDATE changes SET when_timestamp = 200 WHERE changeid = 2;
        UPDATE buildrequests SET submitted_at = 150 WHERE id = 1; UPDATE buildrequests SET submitted_at = 250 WHERE id = 2;";
    server.kill().await.unwrap();
    server.database(later).await.unwrap();
    server.start_again().await.unwrap();
    let authors = async || {
        let (first, second) = (client.request(1).await.unwrap().unwrap(), client.request(2).await.unwrap().unwrap());
        (first.author.unwrap(), second.author.unwrap())
    };
    assert_eq!(authors().await, ("bob".to_owned(), "carol".to_owned()));
    server.push(&carols.repository, "try", "aaaaaaaaaaaa", "alice").await.unwrap();
    server.push(&carols.repository, "try", "aaaaaaaaaaaa", "dave").await.unwrap();
    until("both are there", async || (server.number("SELECT count(*) FROM changes").await.unwrap() == 4).then_some(()))
        .await;
    assert_eq!(authors().await, ("alice".to_owned(), "alice".to_owned()), "whoever pushed it first");
}

/// A set of what a job told of and of a push, which is the newer one: it is the job's too.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_told_of_is_built_beside_a_push_also_where_a_master_collapses_requests() {
    let settings = Settings { builds: 1, collapse: true, more_schedulers: true, ..Settings::default() };
    let mut server = testkit::Buildbot::start(settings).await.unwrap();
    let client = client(&server, server.auth());
    server.hold(QUIET).unwrap();
    let busy = Start { builders: vec![QUIET.to_owned()], branch: Some("try".to_owned()), ..start(9, 1) };
    let busy = *client.start(&busy).await.unwrap().requests.values().next().unwrap();
    running(&client, busy).await;
    server.hold_quiet().unwrap();
    let told = change(1, "aaaaaaaaaaaa");
    client.change(&told).await.unwrap();
    server.push(&told.repository, "try", "bbbbbbbbbbbb", "alice").await.unwrap();
    until("both wait", async || (server.number(WAITING).await.unwrap() == 2).then_some(())).await;
    quiet_at_last(&mut server).await;
    let both = as_many(&server, &client, (QUIET, "bbbbbbbbbbbb"), 1).await.remove(0);
    assert_eq!((both.author.as_deref(), &both.properties["selfserve_change_1"]), (Some("alice"), &"1.1".into()));
    server.push(&told.repository, "try", "cccccccccccc", "alice").await.unwrap();
    let newer = as_many(&server, &client, (QUIET, "cccccccccccc"), 1).await.remove(0);
    server.release(QUIET).unwrap();
    for id in [both.id, newer.id] {
        over(&client, id).await;
        assert_eq!(client.builds_of(id).await.unwrap()[0].result, Some(Outcome::Success));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_again_where_a_master_reads_its_configuration() {
    for release in [Release::Newest, Release::Old] {
        let settings = Settings { release, more_schedulers: true, ..Settings::default() };
        let mut server = testkit::Buildbot::start(settings).await.unwrap();
        let client = client(&server, server.auth());
        server.hold_configuration().await.unwrap();
        let error = client.change(&change(1, "aaaaaaaaaaaa")).await.unwrap_err();
        assert!(matches!(&error, BackendError::Failed { reason, .. } if reason.contains("configuration")), "{error}");
        assert!(error.is_transient());

        server.release_configuration().unwrap();
        until("it is told of", async || client.change(&change(1, "aaaaaaaaaaaa")).await.ok()).await;
        as_many(&server, &client, (PUSHED, "aaaaaaaaaaaa"), 1).await;

        // One whose schedulers are told already may have been missed by one that was set up anew.
        server.hold_changes("try").unwrap();
        let second = change(2, "bbbbbbbbbbbb");
        let meanwhile = async {
            until("the change is stored", async || {
                (server.number("SELECT count(*) FROM changes").await.unwrap() == 2).then_some(())
            })
            .await;
            server.hold_configuration().await.unwrap();
            server.release_changes("try").unwrap();
        };
        let (told, ()) = tokio::join!(client.change(&second), meanwhile);
        let error = told.unwrap_err();
        assert!(error.to_string().contains("configuration"), "{error}");
        server.release_configuration().unwrap();
        until("it is told of", async || client.change(&second).await.ok()).await;
        as_many(&server, &client, (PUSHED, "bbbbbbbbbbbb"), 1).await;
        as_many(&server, &client, (QUIET, "bbbbbbbbbbbb"), 1).await;
    }
}

/// Two stores without a name count alike.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_told_of_by_the_same_number_is_not_taken_for_ones_own() {
    let server = testkit::Buildbot::start(Settings::default()).await.unwrap();
    let client = client(&server, server.auth());
    let first = change(1, "aaaaaaaaaaaa");
    client.change(&first).await.unwrap();
    for other in [
        Change { requester: "mallory".to_owned(), ..first.clone() },
        Change { branch: "mozilla-central".to_owned(), ..first },
    ] {
        let error = client.change(&other).await.unwrap_err();
        assert!(matches!(&error, BackendError::Refused { reason, .. } if reason.contains("another's")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_on_which_the_scheduler_does_not_run_is_not_asked() {
    let mut server = testkit::Buildbot::start(Settings::default()).await.unwrap();
    let client = client(&server, server.auth());
    server.kill().await.unwrap();
    let other = "INSERT INTO masters (id, name, name_hash, active, last_active)
            VALUES (99, 'other', 'other', 1, CAST(strftime('%s', 'now') AS INTEGER));
        DELETE FROM scheduler_masters;
        INSERT INTO scheduler_masters SELECT id, 99 FROM schedulers WHERE name = 'self-serve';";
    server.database(other).await.unwrap();
    server.start_again().await.unwrap();
    let error = client.change(&change(1, "aaaaaaaaaaaa")).await.unwrap_err();
    let said = "does not run on this master";
    assert!(matches!(&error, BackendError::Failed { reason, .. } if reason.contains(said)), "{error}");
    assert!(error.is_transient());
}
