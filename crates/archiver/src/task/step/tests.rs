use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn subject() -> Subject {
    Subject {
        source: "hgmo".into(),
        url: "https://hg.mozilla.org/projects/ash/archive/42bf8560b395.tar.gz/".into(),
        key: "projects/ash-42bf8560b395.tar.gz".into(),
        suffix: "tar.gz".into(),
    }
}

fn pending() -> Task {
    Task::new("projects_ash-42bf8560b395.tar.gz", subject(), at(0))
}

fn started() -> Task {
    match pending().take(1, "one", at(1)) {
        Taken::Work(task) => *task,
        other => panic!("{other:?}"),
    }
}

fn retry() -> Task {
    started().retried(FailureCode::SourceUnavailable, "it was busy", Duration::from_secs(30), Duration::ZERO, at(10))
}

fn places(places: &[(&str, Place)]) -> BTreeMap<String, Place> {
    places.iter().map(|(name, place)| ((*name).to_owned(), place.clone())).collect()
}

fn success() -> Task {
    started().succeeded(7, None, places(&[("a", Place::Done), ("b", Place::Done)]), at(10))
}

fn incomplete() -> Task {
    started().succeeded(7, None, places(&[("a", Place::Done), ("b", Place::Missing("down".into()))]), at(10))
}

fn failure() -> Task {
    started().failed(FailureCode::SourceNotFound, "404", Duration::from_mins(1), at(10))
}

/// Every state with its name: what follows says something of each.
fn every_state() -> Vec<(&'static str, Task)> {
    vec![
        ("pending", pending()),
        ("started", started()),
        ("retry", retry()),
        ("success", success()),
        ("incomplete", incomplete()),
        ("failure", failure()),
        ("revoked", pending().revoked(at(10))),
    ]
}

/// For each state, one letter for each of some moments.
fn table(moments: &[i64], letter: impl Fn(&Task, Timestamp) -> char) -> Vec<String> {
    let row = |task: &Task| moments.iter().map(|second| letter(task, at(*second))).collect::<String>();
    every_state().iter().map(|(name, task)| format!("{name} {}", row(task))).collect()
}

const DAY: i64 = 24 * 3600;

#[test]
fn what_is_asked_for_begins_unless_it_is_under_way_or_failed_a_moment_ago() {
    let asked = table(&[11, 69, 70, DAY], |task, now| match task.ask(subject(), now) {
        Asked::Begin(next) => {
            assert_eq!((next.generation, next.state, next.attempts, next.asked), (2, State::Pending, 0, now));
            'B'
        }
        Asked::Live => 'L',
        Asked::Remembered(_) => 'R',
    });
    let expected = [
        "pending LLLL",
        "started LLLL",
        "retry LLLL",
        "success BBBB",
        "incomplete BBBB",
        "failure RRBB",
        "revoked BBBB",
    ];
    assert_eq!(asked, expected);
}

#[test]
fn one_worker_at_a_time_takes_a_task_and_only_when_it_is_time() {
    let taken = table(&[11, 34, 35, 65, 66, DAY], |task, now| match task.take(1, "two", now) {
        Taken::Work(next) => {
            let lease = next.lease.unwrap();
            assert_eq!((lease.owner.as_str(), lease.until), ("two", later(now, LEASE)));
            'W'
        }
        Taken::GiveUp(_) => 'G',
        Taken::Held => 'H',
        Taken::Over => 'O',
        Taken::Stale => 'S',
        Taken::Early => 'E',
    });
    let expected = [
        "pending WWWWWW",
        "started HHHHWW",
        "retry EEWWWW",
        "success OOOOOO",
        "incomplete WWWWWW",
        "failure OOOOOO",
        "revoked OOOOOO",
    ];
    assert_eq!(taken, expected);
}

#[test]
fn a_message_of_another_generation_is_nobodys_order() {
    for (name, task) in every_state() {
        assert_eq!(task.take(0, "two", at(DAY)), Taken::Stale, "{name}");
        assert_eq!(task.take(2, "two", at(DAY)), Taken::Stale, "{name}");
    }
}

#[test]
fn what_nobody_takes_is_sent_again_and_what_is_over_is_removed_after_a_day() {
    let due =
        table(&[65, 66, 119, 120, 159, 160, 310, DAY, DAY + 10, 8 * DAY], |task, now| match task.look_after(now) {
            Due::Later(due) => {
                assert!(due > now);
                '.'
            }
            Due::Send(next) => {
                assert_eq!((next.sends, next.sent, &next.state), (task.sends + 1, now, &task.state));
                'S'
            }
            Due::GiveUp(_) => 'G',
            Due::Remove => 'R',
        });
    let expected = [
        "pending ...SSSSSSS",
        "started .SSSSSSSSS",
        "retry .....SSSSS",
        "success ........RR",
        "incomplete ......SSSR",
        "failure ........RR",
        "revoked ........RR",
    ];
    assert_eq!(due, expected);
}

/// Changelog, row 5: a long queue is not made longer by those who wait.
#[test]
fn a_message_is_sent_again_less_and_less_often_and_then_the_task_is_given_up() {
    let (mut task, mut sent) = (pending(), Vec::new());
    let end = loop {
        match task.look_after(task.due()) {
            Due::Send(next) => {
                sent.push(next.sent.as_second() - 1_700_000_000);
                task = *next;
            }
            Due::GiveUp(next) => break *next,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(sent, [120, 360, 840, 1800, 3720, 7560]);
    assert_eq!(end.state, State::Revoked);
}

/// Changelog, row 6: a task that is worked on is never cleared away, however old it is.
#[test]
fn a_worker_that_renews_its_lease_is_left_alone() {
    let mut task = started();
    for minute in 1..500_i64 {
        task = task.renewed(minute.unsigned_abs(), at(minute * 60));
        assert!(matches!(task.look_after(at(minute * 60 + 59)), Due::Later(_)));
        assert_eq!(task.take(1, "two", at(minute * 60 + 59)), Taken::Held);
    }
}

#[test]
fn a_task_whose_workers_all_die_fails() {
    let mut task = pending();
    for attempt in 0..MAX_ATTEMPTS {
        match task.take(1, "mortal", at(i64::from(attempt) * 100)) {
            Taken::Work(next) => task = *next,
            other => panic!("{other:?}"),
        }
    }
    let Taken::GiveUp(end) = task.take(1, "next", at(1000)) else { panic!("it is given up") };
    assert!(matches!(end.state, State::Failure(Failure { code: FailureCode::WorkersLost, .. })));
}

#[test]
fn a_source_that_never_answers_is_given_up_after_the_last_attempt() {
    let (mut task, wait, memory) = (pending(), Duration::from_secs(5), Duration::from_mins(1));
    for attempt in 1..=MAX_ATTEMPTS {
        let Taken::Work(taken) = task.take(1, "one", at(i64::from(attempt) * 100)) else { panic!("attempt {attempt}") };
        task = taken.retried(FailureCode::SourceUnavailable, "it is busy", wait, memory, at(i64::from(attempt) * 100));
        assert_eq!(task.is_over(), attempt == MAX_ATTEMPTS, "attempt {attempt}");
    }
    let State::Failure(failure) = task.state else { panic!("it failed") };
    assert_eq!((failure.description.as_str(), failure.until), ("it is busy (4 times)", at(460)));
}

#[test]
fn a_repair_leaves_the_archive_where_it_is_and_comes_less_and_less_often() {
    let (mut task, mut waits) = (incomplete(), Vec::new());
    for _ in 0..6 {
        let due = task.due();
        waits.push(due.as_second() - task.sent.as_second());
        let Due::Send(sent) = task.look_after(due) else { panic!("it is sent") };
        let Taken::Work(taken) = sent.take(1, "one", due) else { panic!("it is taken") };
        assert!(matches!(taken.state, State::Success { .. }), "those who ask are told of success");
        task = taken.succeeded(7, None, taken.regions.clone(), due);
    }
    assert_eq!(waits, [300, 600, 1200, 2400, 3600, 3600]);
}

/// Changelog, row 3: every state has a text, and it is the original's where that had one.
#[test]
fn every_state_is_told_as_the_older_archiver_did() {
    let told: Vec<_> = every_state().iter().map(|(_, task)| (task.status().state, task.status().status)).collect();
    let nothing = "no status available at this point.";
    let url = subject().url;
    let expected = [
        ("PENDING", nothing.to_owned()),
        ("STARTED", format!("Downloading archive from {url}: 0 bytes so far")),
        ("RETRY", "it was busy. It is tried again at 2023-11-14T22:14:00Z.".to_owned()),
        ("SUCCESS", "Task completed! Check 's3_urls' for upload locations.".to_owned()),
        ("SUCCESS", "Task completed! Check 's3_urls' for upload locations.".to_owned()),
        ("FAILURE", format!("Could not get a valid response from src_url. Does {url} exist?")),
        ("REVOKED", "No worker did the task in time. Ask for the archive again.".to_owned()),
    ];
    assert_eq!(told, expected);
    assert_eq!(super::super::Status::unknown().status, nothing);
    let Due::Send(sent_again) = pending().look_after(at(300)) else { panic!("it is sent") };
    let text = "Task has expired from pending for too long. Re-creating task.";
    assert_eq!((sent_again.status().state, sent_again.status().status.as_str()), ("RETRY", text));
}

/// Those who wait see no way back while one worker hands over to the next.
#[test]
fn between_two_workers_it_is_as_far_as_the_first_one_came() {
    let copied = Checkpoint { bytes: 16 << 20, regions: Vec::new(), is_all: false };
    let paused = started().renewed(20 << 20, at(5)).paused(copied, "\"v1\"".into(), ".incoming/x".into(), at(10));
    assert_eq!(paused.status().bytes, Some(16 << 20));
    let Taken::Work(next) = paused.take(1, "two", at(11)) else { panic!("it is taken") };
    assert_eq!((next.status().state, next.status().bytes), ("STARTED", Some(16 << 20)));
    assert_eq!(next.renewed(30 << 20, at(12)).status().bytes, Some(30 << 20));
}

proptest::proptest! {
    #[test]
    fn whatever_happens_in_whatever_order_there_is_one_owner_and_attempts_are_few(
        events in proptest::collection::vec((0u8..7, 0i64..200), 1..60),
    ) {
        let (mut task, mut now) = (pending(), 0);
        for (number, (event, wait)) in events.into_iter().enumerate() {
            now += wait;
            let moment = at(now);
            let before = task.clone();
            match event {
                0 => if let Asked::Begin(next) = task.ask(subject(), moment) { task = *next; },
                1 => match task.take(task.generation, &number.to_string(), moment) {
                    Taken::Work(next) | Taken::GiveUp(next) => {
                        proptest::prop_assert!(!before.is_held(moment), "a live lease is not taken away");
                        task = *next;
                    }
                    _ => {}
                },
                2 => match task.look_after(moment) {
                    Due::Send(next) | Due::GiveUp(next) => {
                        proptest::prop_assert!(!before.is_held(moment));
                        task = *next;
                    }
                    _ => {}
                },
                // What only a worker does.
                _ if !task.is_held(moment) => {}
                3 => task = task.renewed(1, moment),
                4 => task = task.retried(FailureCode::SourceUnavailable, "x", Duration::from_secs(5), Duration::ZERO, moment),
                5 => task = task.failed(FailureCode::SourceError, "x", Duration::ZERO, moment),
                _ => task = task.succeeded(1, None, incomplete().regions, moment),
            }
            proptest::prop_assert!(task.attempts <= MAX_ATTEMPTS);
            proptest::prop_assert!(task.generation >= before.generation);
            let kept = serde_json::to_vec(&task).unwrap();
            proptest::prop_assert_eq!(&serde_json::from_slice::<Task>(&kept).unwrap(), &task);
        }
    }
}
