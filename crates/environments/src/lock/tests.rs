use super::*;

fn lock() -> Lock {
    Lock::parse(include_bytes!("../../tests/fixtures/lock/two-packages.json"), "two-packages.json").unwrap()
}

#[test]
fn the_key_follows_what_decides_the_bytes_and_nothing_else() {
    let first = lock();
    let key = first.key().unwrap();
    assert_eq!(key.len(), 64);

    let mut moved = first.clone();
    moved.provenance.addresses.insert("00".into(), "https://elsewhere.example/".into());
    assert_eq!(moved.key().unwrap(), key);

    let mut other = first;
    other.identity.packages[0].sha256 = "0".repeat(64);
    assert_ne!(other.key().unwrap(), key);
}

#[test]
fn a_lock_written_and_read_is_the_same_lock_and_the_same_bytes() {
    let bytes = lock().to_bytes().unwrap();
    let again = Lock::parse(&bytes, "again").unwrap();
    assert_eq!(again, lock());
    assert_eq!(again.to_bytes().unwrap(), bytes);
}

#[test]
fn a_lock_that_cannot_be_built_is_refused_with_its_reason() {
    let refused = |change: &dyn Fn(&mut Identity)| {
        let mut lock = lock();
        change(&mut lock.identity);
        Lock::parse(&lock.to_bytes().unwrap(), "a.json").unwrap_err().to_string()
    };
    assert!(refused(&|identity| identity.assembly = 7).contains("assembly = 7"));
    assert!(refused(&|identity| identity.packages[0].sha256 = "abc".into()).contains("\"abc\""));
    assert!(refused(&|identity| identity.packages.clear()).contains("rpm-repo has packages"));
    assert!(refused(&|identity| identity.packages.push(identity.packages[0].clone())).contains("twice"));
    assert!(Lock::parse(b"{", "a.json").unwrap_err().to_string().starts_with("a.json is no lock"));
}

#[test]
fn a_diff_tells_packages_added_removed_and_changed_and_decisions() {
    let first = lock();
    assert!(Diff::between(&first, &first).unwrap().is_empty());
    let mut second = first.clone();
    let gone = second.identity.packages.remove(0);
    second.identity.packages[0].release = "99".into();
    second.identity.packages[0].sha256 = "1".repeat(64);
    let mut come = gone.clone();
    come.name = "zzz".into();
    second.identity.packages.push(come.clone());
    second.identity.encoder.preset = 3;
    second.identity.excludes.push(Exclude { package: Some("ndk".into()), path: None, reason: "no".into() });
    let diff = Diff::between(&first, &second).unwrap();
    assert_eq!((diff.removed.clone(), diff.added.clone()), (vec![gone.nevra()], vec![come.nevra()]));
    assert_eq!((diff.changed.len(), diff.changed[0].rebuilt), (1, false));
    assert_eq!(diff.decisions.iter().map(|it| it.what.as_str()).collect::<Vec<_>>(), ["encoder", "excludes"]);
    let text = diff.to_string();
    assert!(text.contains(&format!("- {}\n", gone.nevra())) && text.contains("+ zzz-"), "{text}");

    let mut rebuilt = first.clone();
    rebuilt.identity.packages[0].sha256 = "2".repeat(64);
    assert!(Diff::between(&first, &rebuilt).unwrap().changed[0].rebuilt);
}
