//! How long builds waited: from the request to the beginning of its first build, in blocks of minutes.
//!
//! What somebody asked for by hand says nothing of how a push fares, and is left out, as in the original. So is the time
//! before the request: a build system says when it was asked, not when the change was pushed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::span::Span;
use crate::builds::{Build, Request};
use crate::reason;

/// Minutes of a block where nothing is said.
pub const BLOCK: u32 = 15;
/// The last block where nothing is said: whatever waited longer is in it.
pub const LAST: u32 = 120;
/// Where a builder is put whose platform is not known.
const OTHER: &str = "other";

/// Blocks of waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// The minutes of each.
    pub minutes: u32,
    /// The last one, in minutes.
    pub last: u32,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { minutes: BLOCK, last: LAST }
    }
}

impl Blocks {
    /// The block of a wait in seconds, by its first minute.
    fn of(self, wait: i64) -> u32 {
        let minutes = u32::try_from(wait.max(0) / 60).unwrap_or(u32::MAX);
        let step = self.minutes.max(1);
        (minutes / step).saturating_mul(step).min(self.last)
    }
}

/// A block's waits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Block {
    /// How many.
    pub total: u64,
    /// How many in each interval of the time, by when the request was made.
    pub intervals: Vec<u64>,
}

/// The waits of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Platform {
    /// How many.
    pub total: u64,
    /// By their blocks.
    pub wt: BTreeMap<u32, Block>,
}

/// The waits of some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// Where the time begins, in seconds since 1970.
    pub starttime: i64,
    /// Where it ends.
    pub endtime: i64,
    /// The length of an interval, in seconds.
    pub int_size: i64,
    /// Minutes of a block.
    pub mpb: u32,
    /// The last block.
    pub maxb: u32,
    /// Builds that somebody asked for by hand; they are not in the rest.
    pub no_changes: u64,
    /// Builds of a platform that is not known.
    pub otherplatforms: u64,
    /// What was asked for in that time and still waits, each with the seconds that it has waited so far.
    pub pending: Vec<StillWaiting>,
    /// How many waited.
    pub total: u64,
    /// By their blocks.
    pub wt: BTreeMap<u32, Block>,
    /// By their platforms.
    pub platforms: BTreeMap<String, Platform>,
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StillWaiting {
    /// What is to be built.
    pub buildername: String,
    /// For how many seconds it has waited.
    pub waited: i64,
}

/// The waits of builds whose requests were made in a span. `builds` may hold several of one request: the first counts.
/// `platform` says what a builder builds for.
pub fn waits<'a>(
    builds: &'a [Build],
    pending: &[Request],
    span: &Span,
    blocks: Blocks,
    now: i64,
    platform: impl Fn(&'a str) -> Option<&'a str>,
) -> Waits {
    let mut waits = Waits {
        starttime: span.range.start,
        endtime: span.range.end,
        int_size: span.interval,
        mpb: blocks.minutes,
        maxb: blocks.last,
        no_changes: 0,
        otherplatforms: 0,
        pending: still_waiting(pending, span, now),
        total: 0,
        wt: BTreeMap::new(),
        platforms: BTreeMap::new(),
    };
    for (build, request) in first_of_each(builds) {
        let Some(interval) = span.interval_of(request.submittime) else { continue };
        if reason::is_by_hand(&request.reason) {
            waits.no_changes += 1;
            continue;
        }
        let block = blocks.of(build.starttime - request.submittime);
        let name = platform(&build.buildername);
        waits.otherplatforms += u64::from(name.is_none());
        let of_platform = waits.platforms.entry(name.unwrap_or(OTHER).to_owned()).or_default();
        of_platform.total += 1;
        waits.total += 1;
        for blocks in [&mut of_platform.wt, &mut waits.wt] {
            let block = blocks.entry(block).or_default();
            block.intervals.resize(span.intervals(), 0);
            block.total += 1;
            if let Some(count) = block.intervals.get_mut(interval) {
                *count += 1;
            }
        }
    }
    waits
}

/// The first build of each request.
fn first_of_each(builds: &[Build]) -> impl Iterator<Item = (&Build, &Request)> {
    let mut first = BTreeMap::<u64, (&Build, &Request)>::new();
    for build in builds {
        for request in &build.requests {
            let known = first.entry(request.request_id).or_insert((build, request));
            if build.starttime < known.0.starttime {
                *known = (build, request);
            }
        }
    }
    first.into_values()
}

fn still_waiting(pending: &[Request], span: &Span, now: i64) -> Vec<StillWaiting> {
    let asked_for = pending.iter().filter(|request| span.range.contains(&request.submittime));
    let by_change = asked_for.filter(|request| !reason::is_by_hand(&request.reason));
    let waiting = by_change.map(|request| StillWaiting {
        buildername: request.buildername.clone(),
        waited: (now - request.submittime).max(0),
    });
    waiting.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::samples::{build, request};

    #[test]
    fn builds_are_counted_by_how_long_their_first_one_waited_by_platform_and_interval() {
        let span = Span::new(Some(0), Some(7200), 3600, 0).unwrap();
        let builds = [
            build(1, &request(1, 0), 60, Some(100)),
            build(2, &request(2, 10), 10 + 16 * 60, None),
            // Tried again: only the first one waited.
            build(3, &request(2, 10), 4000, None),
            build(4, &request(3, 3600), 3600 + 9 * 3600, None),
            build(5, &Request { reason: reason::rebuilt("alice"), ..request(4, 20) }, 30, None),
            build(6, &request(5, 7200), 7300, None),
        ];
        let by_hand = Request { reason: reason::requested("bob"), ..request(7, 100) };
        let pending = [request(6, 100), by_hand, request(8, 7200), request(9, -1)];
        let platform = |_: &str| Some("linux");
        let found = waits(&builds, &pending, &span, Blocks::default(), 400, platform);
        assert_eq!((found.total, found.no_changes, found.otherplatforms), (3, 1, 0));
        let blocks: Vec<_> =
            found.wt.iter().map(|(block, known)| (*block, known.total, known.intervals.clone())).collect();
        assert_eq!(
            blocks,
            [(0, 1, vec![1, 0]), (15, 1, vec![1, 0]), (120, 1, vec![0, 1])],
            "the last block takes the rest"
        );
        assert_eq!((found.platforms["linux"].total, found.platforms.len()), (3, 1));
        let waiting = StillWaiting { buildername: "linux build".to_owned(), waited: 300 };
        assert_eq!(found.pending, [waiting], "of the time that the report is about");
        let unknown = waits(&builds, &[], &span, Blocks { minutes: 10, last: 10 }, 400, |_| None);
        assert_eq!((unknown.otherplatforms, unknown.platforms["other"].total), (3, 3));
        assert_eq!(unknown.wt.keys().copied().collect::<Vec<_>>(), [0, 10]);
    }
}
