//! Which folders a sample has.
//!
//! A cycle has every kind of folder once, with versions and dates that follow from its number. Cycles follow each other
//! until the next folder would be too much, and leftovers of the build farm fill the rest.

use std::collections::HashMap;

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use super::SampleSpec;
use super::flat::Flat;
use super::group::{Group, Layout, Product};
use super::locales::LOCALES;
use super::nightly::{Form, Nightly};
use super::noise::Noise;
use super::random::{mix, of_text, revision};
use super::ship::{Era, Ship, Stage};

static FIREFOX: Product = Product { folder: "firefox", file: "firefox", title: "Firefox" };
static THUNDERBIRD: Product = Product { folder: "thunderbird", file: "thunderbird", title: "Thunderbird" };
static DEVEDITION: Product = Product { folder: "devedition", file: "firefox", title: "Firefox" };
static MOBILE: Product = Product { folder: "mobile", file: "fennec", title: "Fennec" };

const DESKTOP: &[&str] = &["linux-i686", "linux-x86_64", "mac", "win32", "win64"];
const BETA: &[&str] = &["linux-x86_64", "mac", "win32", "win32-EME-free", "win32-sha1", "win64"];
const OLD: &[&str] = &["linux-i686", "mac", "win32"];
const MODERN: &[&str] = &["linux-aarch64", "linux-x86_64", "mac", "win32", "win64", "win64-aarch64"];
const ANDROID: &[&str] = &["android-aarch64", "android-api-16", "android-x86"];

/// Plans the folders of a sample.
pub(super) fn groups(spec: SampleSpec) -> Vec<Group> {
    let locales = locales(spec);
    let mut groups = Vec::new();
    let mut counts = HashMap::new();
    let mut left = spec.rows;
    'cycles: for number in 0.. {
        let cycle = Cycle { seed: spec.seed, number, locales };
        for (index, group) in cycle.groups().into_iter().enumerate() {
            // Cycles differ in the names of things, every other one in what is lost, but not in anything else.
            let count = *counts.entry((index, number % 2)).or_insert_with(|| group.count());
            if count > left {
                break 'cycles;
            }
            left -= count;
            groups.push(group);
        }
    }
    if left > 0 {
        let folder = "pub/firefox/tinderbox-builds/mozilla-inbound-linux64/1542240000/".to_owned();
        groups.push(noise(spec.seed, folder, date(2018, 11, 15), left));
    }
    groups
}

/// The most locales with which one whole cycle fits.
fn locales(spec: SampleSpec) -> usize {
    let fits = |locales: usize| {
        let cycle = Cycle { seed: spec.seed, number: 0, locales };
        cycle.groups().iter().map(Group::count).sum::<u64>() <= spec.rows
    };
    if fits(LOCALES.len()) {
        return LOCALES.len();
    }
    let (mut low, mut high) = (2, LOCALES.len());
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}

fn noise(seed: u64, folder: String, day: Date, rows: u64) -> Group {
    Group::new(seed, folder, day, Layout::Noise(Noise { rows }))
}

/// One round of all kinds of folder.
#[derive(Debug, Clone, Copy)]
struct Cycle {
    seed: u64,
    number: u32,
    locales: usize,
}

impl Cycle {
    fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        self.ships(&mut groups);
        self.nightlies(&mut groups);
        self.old_nightlies(&mut groups);
        self.android_nightlies(&mut groups);
        self.noise(&mut groups);
        groups
    }

    /// A share of the locales, two at least.
    fn share(&self, percent: usize) -> usize {
        (self.locales * percent / 100).max(2)
    }

    fn day(&self, year: i16) -> Date {
        date(year, 1, 2).saturating_add(i64::from(self.number).days())
    }

    /// Candidates and releases. A release may come before or behind its candidates, and a version's highest candidate
    /// before the others: an inventory promises no order.
    fn ships(&self, groups: &mut Vec<Group>) {
        let n = self.number;
        let classic = Ship {
            product: &FIREFOX,
            version: format!("{}.0", 45 + n),
            previous: format!("{}.0", 44 + n),
            stage: Stage::Bare,
            platforms: DESKTOP,
            locales: self.locales,
            era: Era::Classic,
            tree: "releases/mozilla-release",
            channel: "release",
            day: self.day(2016),
            seed: self.seed,
        };
        self.ship(groups, &classic, &[Stage::Candidate(2), Stage::Release(2), Stage::Candidate(1)]);
        let beta = Ship {
            version: format!("{}.0b{}", 46 + n, 1 + n % 14),
            previous: format!("{}.0b{}", 45 + n, 1 + n % 14),
            platforms: BETA,
            tree: "releases/mozilla-beta",
            channel: "beta",
            ..classic.clone()
        };
        self.ship(groups, &beta, &[Stage::Release(3), Stage::Candidate(3)]);
        let esr = Ship {
            version: format!("45.{n}.0esr"),
            previous: "44.0esr".to_owned(),
            platforms: OLD,
            locales: self.share(40),
            tree: "releases/mozilla-esr45",
            channel: "esr",
            ..classic.clone()
        };
        self.ship(groups, &esr, &[Stage::Candidate(9), Stage::Candidate(10), Stage::Release(10)]);
        let thunderbird = Ship {
            product: &THUNDERBIRD,
            version: format!("{}.2.1", 38 + n),
            previous: format!("{}.2.0", 38 + n),
            platforms: OLD,
            locales: self.share(60),
            tree: "releases/comm-esr38",
            ..classic.clone()
        };
        self.ship(groups, &thunderbird, &[Stage::Candidate(1), Stage::Release(1)]);
        let devedition = Ship {
            product: &DEVEDITION,
            version: format!("{}.0b{}", 61 + n, 1 + n % 14),
            previous: format!("{}.0b1", 60 + n),
            locales: self.share(80),
            tree: "releases/mozilla-beta",
            channel: "aurora",
            day: self.day(2018),
            ..classic.clone()
        };
        self.ship(groups, &devedition, &[Stage::Release(12), Stage::Candidate(12)]);
        let modern = Ship {
            version: format!("136.0.{}", n + 1),
            previous: format!("136.0.{n}"),
            platforms: MODERN,
            era: Era::Modern,
            day: self.day(2025),
            ..classic.clone()
        };
        self.ship(groups, &modern, &[Stage::Candidate(1), Stage::Release(1)]);
        let android = Ship {
            product: &MOBILE,
            version: format!("{}.0.1", 50 + n),
            platforms: ANDROID,
            locales: self.share(50),
            era: Era::Android,
            day: self.day(2017),
            ..classic.clone()
        };
        self.ship(groups, &android, &[Stage::Candidate(1), Stage::Candidate(12), Stage::Release(12)]);
        let bare = Ship {
            version: format!("2.0.0.{}", n + 1),
            previous: format!("2.0.0.{n}"),
            platforms: OLD,
            locales: 2,
            day: self.day(2006),
            ..classic
        };
        self.ship(groups, &bare, &[Stage::Bare]);
        let flat = Flat { version: format!("1.5.0.{}", n + 1), locales: 2 };
        groups.push(Group::new(self.seed, flat.folder(), self.day(2005), Layout::Flat(flat)));
    }

    fn ship(&self, groups: &mut Vec<Group>, ship: &Ship, stages: &[Stage]) {
        for stage in stages {
            let ship = Ship { stage: *stage, ..ship.clone() };
            let days = match stage {
                Stage::Candidate(build) => i64::from(*build),
                Stage::Release(_) => 20,
                Stage::Bare => 0,
            };
            let day = ship.day.saturating_add(days.days());
            groups.push(Group::new(self.seed, ship.folder(), day, Layout::Ship(ship)));
        }
    }

    /// Today's nightlies: five a day for Firefox (one in a small sample), one of them localised, and one of Thunderbird.
    fn nightlies(&self, groups: &mut Vec<Group>) {
        let day = self.day(2017);
        let hours: &[u64] = if self.locales < 20 { &[10] } else { &[10, 4, 13, 16, 22] };
        for hour in hours {
            let locales = if *hour == 10 { self.share(90) } else { 0 };
            let version = format!("{}.0a1", 53 + self.number / 42);
            let firefox = self.nightly(&FIREFOX, &version, day, *hour, "mozilla-central");
            self.with_twin(groups, &firefox, day, locales);
        }
        let version = format!("{}.0a1", 53 + self.number / 42);
        let thunderbird = Nightly {
            platforms: OLD,
            tree: "comm-central",
            ..self.nightly(&THUNDERBIRD, &version, day, 3, "comm-central")
        };
        self.with_twin(groups, &thunderbird, day, self.share(30));
    }

    fn nightly(&self, product: &'static Product, version: &str, day: Date, hour: u64, branch: &str) -> Nightly {
        let random = of_text(self.seed, &format!("{branch} {day} {hour}"));
        let (minute, second) = (random % 60, random / 60 % 60);
        let (year, month, of_month) = (day.year(), day.month(), day.day());
        let stamp = format!("{year}-{month:02}-{of_month:02}-{hour:02}-{minute:02}-{second:02}");
        Nightly {
            product,
            version: version.to_owned(),
            base: format!("pub/{}/nightly/{year}/{month:02}/{stamp}-{branch}", product.folder),
            platforms: DESKTOP,
            locales: 0,
            form: Form::Json,
            id: stamp.replace('-', ""),
            tree: "mozilla-central",
            channel: "nightly",
            lost: None,
            seed: self.seed,
        }
    }

    /// A nightly's folder, and that of its localised builds if it has any.
    fn with_twin(&self, groups: &mut Vec<Group>, base: &Nightly, day: Date, locales: usize) {
        let twin = Nightly { locales, ..base.clone() };
        for nightly in [Some(base.clone()), (locales > 0).then_some(twin)].into_iter().flatten() {
            groups.push(Group::new(self.seed, nightly.folder(), day, Layout::Nightly(nightly)));
        }
    }

    /// Nightlies of 2011 and after, whose folders have but an hour, and whose metadata is text.
    fn old_nightlies(&self, groups: &mut Vec<Group>) {
        let day = self.day(2011);
        let (year, month, of_month) = (day.year(), day.month(), day.day());
        let id = format!("{year}{month:02}{of_month:02}0304");
        let nightly = Nightly {
            base: format!("pub/firefox/nightly/{year}/{month:02}/{year}-{month:02}-{of_month:02}-03-mozilla-central"),
            platforms: OLD,
            form: Form::Txt,
            // A few build ids have no seconds.
            id: if self.number % 4 == 3 { id } else { format!("{id}05") },
            lost: self.number.is_multiple_of(2).then_some("mac"),
            ..self.nightly(&FIREFOX, "4.0b2pre", day, 3, "mozilla-central")
        };
        self.with_twin(groups, &nightly, day, self.share(20));
    }

    fn android_nightlies(&self, groups: &mut Vec<Group>) {
        let day = self.day(2017);
        let version = format!("{}.0a1", 53 + self.number / 42);
        let branches: [(&str, &'static [&'static str], usize, &'static str); 4] = [
            ("mozilla-central-android-api-16", &["android-api-16"], self.share(50), "nightly"),
            ("mozilla-central-android-aarch64", &["android-aarch64"], 0, "nightly"),
            ("mozilla-central-android-api-16-old-id", &["android-api-16"], 0, "nightly-old-id"),
            ("mozilla-central-android-x86", &["android-x86"], self.share(10), "nightly"),
        ];
        for (branch, platforms, locales, channel) in branches {
            let nightly = Nightly { platforms, channel, ..self.nightly(&MOBILE, &version, day, 10, branch) };
            self.with_twin(groups, &nightly, day, locales);
        }
    }

    /// Folders that hold no builds, though much in them is named like one.
    fn noise(&self, groups: &mut Vec<Group>) {
        let day = self.day(2016);
        let (year, month, of_month) = (day.year(), day.month(), day.day());
        let n = self.number;
        let user = n % 90;
        let pushed = revision(mix(self.seed ^ u64::from(n)));
        let rows = (self.locales as u64) * 2;
        for folder in [
            format!("pub/firefox/try-builds/user{user}@mozilla.com-{pushed}/try-linux64/"),
            format!("pub/firefox/tinderbox-builds/mozilla-central-linux64/{}/", 1_450_000_000 + n),
            format!("pub/mobile/tinderbox-builds/mozilla-inbound-android-api-15/{}/", 1_450_000_000 + n),
            format!("pub/firefox/nightly/{year}/{month:02}/{year}-{month:02}-{of_month:02}-06-07-20-date/"),
            format!("pub/firefox/nightly/{year}/{month:02}/{year}-{month:02}-{of_month:02}-00-40-02-mozilla-aurora/"),
            format!("pub/firefox/nightly/latest-mozilla-central-{n}/"),
            format!("pub/firefox/nightly/contrib/{n}/"),
            format!("pub/firefox/candidates/34.{n}-candidates/build1/partner-repacks/google/v2/"),
            format!("pub/firefox/nightly/experimental/{n}/"),
            format!("pub/security/nss/{year}-{month:02}-{of_month:02}/"),
        ] {
            groups.push(noise(self.seed, folder, day, rows));
        }
    }
}
