//! The sample archive is what it says it is.

use std::collections::HashSet;

use buildhub_testkit::sample::{Sample, SampleSpec};

#[test]
fn a_sample_has_exactly_as_many_rows_as_asked_and_no_key_twice() {
    for rows in [1, 500, 2_000, 70_001] {
        let sample = Sample::new(SampleSpec::of(rows));
        let keys: HashSet<String> = sample.objects().map(|object| object.key).collect();
        assert_eq!(keys.len() as u64, rows);
        assert_eq!(sample.summary().rows, rows);
    }
}

#[test]
fn a_large_sample_has_the_archives_proportions() {
    let summary = Sample::new(SampleSpec::of(1_000_000)).summary();
    println!("{summary:?}");
    let share = summary.builds * 1000 / summary.rows;
    assert!((130..=150).contains(&share), "{share} ‰ are builds");
    assert!((1_800..=2_200).contains(&summary.metadata), "{} metadata files", summary.metadata);
    assert!(summary.builds_without_metadata * 100 < summary.builds, "almost all builds have metadata: {summary:?}");
}
