use proptest::prelude::*;

use super::*;

fn build(lock: &str, created: i64) -> Build {
    Build {
        name: format!("{lock}.tar.xz"),
        lock: lock.into(),
        sha256: lock.into(),
        size: 1,
        created: at(created),
        source: SourceKind::ChrootTar,
        arch: "x86_64".into(),
        licences: String::new(),
        sbom: String::new(),
        sources: String::new(),
        oci: None,
        exclusions: Vec::new(),
    }
}

fn label(branch: &str) -> Label {
    Label { branch: branch.into(), platform: "p".into(), product: "f".into(), build_type: None, channel: None }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn claim<'a>(definition: &'a str, labels: &'a [Label], seconds: i64) -> Claim<'a> {
    Claim { definition, labels, at: at(seconds) }
}

fn held(index: &Index, branch: &str) -> String {
    index.holder(&label(branch)).map(|(listed, _)| listed.build.lock.clone()).unwrap_or_default()
}

#[test]
fn a_definitions_labels_move_to_what_it_means_now_and_what_it_meant_stays_listed() {
    let labels = [label("central"), label("beta")];
    let first = Index::empty().with(&build("a", 1), Some(&claim("linux", &labels, 1)), at(1)).unwrap();
    let second = first.with(&build("b", 2), Some(&claim("linux", &labels[..1], 2)), at(2)).unwrap();
    assert_eq!((held(&second, "central").as_str(), held(&second, "beta").as_str()), ("b", ""));
    let locks: Vec<_> = second.environments.iter().map(|listed| listed.build.lock.as_str()).collect();
    assert_eq!(locks, ["b", "a"], "the newest first, and none is lost");
    assert!(second.environments[1].labels.is_empty());
}

#[test]
fn the_same_again_changes_nothing_whenever_it_comes() {
    let labels = [label("central")];
    let first = Index::empty().with(&build("a", 1), Some(&claim("linux", &labels, 1)), at(1)).unwrap();
    assert_eq!(first.with(&build("a", 1), Some(&claim("linux", &labels, 900)), at(900)), None);
    assert_eq!(first.with(&build("a", 1), None, at(900)), None, "nobody's claim takes no label away");
}

#[test]
fn who_resolved_earlier_and_comes_later_takes_no_label_from_who_published_meanwhile() {
    let labels = [label("central")];
    let newer = Index::empty().with(&build("b", 2), Some(&claim("linux", &labels, 20)), at(21)).unwrap();
    let late = newer.with(&build("a", 1), Some(&claim("linux", &labels, 10)), at(30)).unwrap();
    assert_eq!(held(&late, "central"), "b");
}

#[test]
fn who_resolved_earlier_and_comes_later_takes_no_label_that_was_given_up_meanwhile() {
    let labels = [label("central")];
    let first = Index::empty().with(&build("a", 1), Some(&claim("linux", &labels, 1)), at(1)).unwrap();
    let given_up = first.with(&build("b", 2), Some(&claim("linux", &[], 20)), at(21)).unwrap();
    let late = given_up.with(&build("c", 3), Some(&claim("linux", &labels, 10)), at(30)).unwrap();
    assert_eq!(held(&late, "central"), "");
    assert_eq!(held(&late.with(&build("c", 3), Some(&claim("mac", &labels, 10)), at(31)).unwrap(), "central"), "c");
    assert_eq!(held(&late.with(&build("c", 3), Some(&claim("linux", &labels, 22)), at(32)).unwrap(), "central"), "c");
}

#[test]
fn what_was_in_use_or_just_published_is_kept_for_ever() {
    let labels = [label("central")];
    let index = Index::empty().with(&build("a", 1), Some(&claim("linux", &labels, 1)), at(1)).unwrap();
    let index = index.with(&build("b", 2), Some(&claim("linux", &labels, 2)), at(2)).unwrap();
    let index = index.with(&build("c", 3), None, at(3)).unwrap();
    let locks: Vec<_> = index.in_use().environments.into_iter().map(|listed| listed.build.lock).collect();
    assert_eq!(locks, ["c", "b"]);
}

proptest! {
    /// Whatever publishers do in whatever order: dates grow, no label is at two places, no build is lost.
    #[test]
    fn a_label_is_in_one_place_and_nothing_is_lost(
        steps in prop::collection::vec((0..5u8, 0..3u8, prop::collection::vec(0..4u8, 0..4), 0..50i64), 1..40)
    ) {
        let (mut index, mut published) = (Index::empty(), std::collections::BTreeSet::new());
        for (lock, definition, mut branches, time) in steps {
            branches.sort_unstable();
            branches.dedup();
            let labels: Vec<_> = branches.iter().map(|branch| label(&branch.to_string())).collect();
            let build = build(&lock.to_string(), i64::from(lock));
            let definition = definition.to_string();
            let claim = claim(&definition, &labels, time);
            published.insert(build.lock.clone());
            if let Some(next) = index.with(&build, Some(&claim), at(time)) {
                prop_assert!(next.updated > index.updated);
                index = next;
            }
            prop_assert_eq!(index.with(&build, Some(&claim), at(time)), None);
            let mut uses: Vec<_> =
                index.environments.iter().flat_map(|listed| &listed.labels).map(|one| one.label.clone()).collect();
            let all = uses.len();
            uses.sort_unstable();
            uses.dedup();
            prop_assert_eq!(uses.len(), all);
            let listed: std::collections::BTreeSet<_> =
                index.environments.iter().map(|listed| listed.build.lock.clone()).collect();
            prop_assert_eq!(&listed, &published);
        }
    }
}
