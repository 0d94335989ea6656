//! A folder of objects that are made together.

use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::flat::Flat;
use super::nightly::Nightly;
use super::noise::Noise;
use super::random::{between, mix, of_text};
use super::ship::Ship;
use super::{Body, Kind, Object};

/// A product, by the three names it has.
#[derive(Debug)]
pub(super) struct Product {
    /// As folders are called.
    pub(super) folder: &'static str,
    /// As files begin.
    pub(super) file: &'static str,
    /// As installers are called.
    pub(super) title: &'static str,
}

/// All objects of one folder, and below it.
#[derive(Debug)]
pub(super) struct Group {
    folder: String,
    /// The day its objects were written.
    day: Date,
    random: u64,
    layout: Layout,
}

/// What stands in a folder.
#[derive(Debug)]
pub(super) enum Layout {
    /// A candidate or a release.
    Ship(Ship),
    /// A nightly build, or its localised twin.
    Nightly(Nightly),
    /// A release from before there were platform folders.
    Flat(Flat),
    /// What the build farm leaves behind.
    Noise(Noise),
}

/// Called for each object: its key, what it is, and its number in the group.
pub(super) type Sink<'a> = dyn FnMut(&str, Kind, u64) + 'a;

/// Builds keys in one buffer and hands them on.
pub(super) struct Emitter<'a> {
    key: String,
    folder: usize,
    number: u64,
    sink: &'a mut Sink<'a>,
}

impl Emitter<'_> {
    /// One object, its key below the folder in pieces.
    pub(super) fn emit(&mut self, kind: Kind, pieces: &[&str]) {
        self.key.truncate(self.folder);
        for piece in pieces {
            self.key.push_str(piece);
        }
        (self.sink)(&self.key, kind, self.number);
        self.number += 1;
    }

    /// Something that is neither a build nor metadata.
    pub(super) fn other(&mut self, pieces: &[&str]) {
        self.emit(Kind::Other, pieces);
    }
}

/// Size, time of day and entity tag of an object.
pub(super) struct Attributes {
    pub(super) size: u64,
    /// Seconds since midnight.
    pub(super) second: u32,
    pub(super) etag: (u64, u64, u8),
}

impl Group {
    pub(super) fn new(seed: u64, folder: String, day: Date, layout: Layout) -> Self {
        Self { random: of_text(seed, &folder), folder, day, layout }
    }

    /// The folder's key, ending in `/`.
    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    pub(super) fn day(&self) -> Date {
        self.day
    }

    /// Calls `sink` for every object.
    pub(super) fn visit(&self, sink: &mut Sink<'_>) {
        let mut forward = |key: &str, kind: Kind, number: u64| sink(key, kind, number);
        let mut emitter =
            Emitter { key: self.folder.clone(), folder: self.folder.len(), number: 0, sink: &mut forward };
        match &self.layout {
            Layout::Ship(ship) => ship.visit(&mut emitter),
            Layout::Nightly(nightly) => nightly.visit(&mut emitter),
            Layout::Flat(flat) => flat.visit(&mut emitter),
            Layout::Noise(noise) => noise.visit(&mut emitter),
        }
    }

    /// How many objects there are.
    pub(super) fn count(&self) -> u64 {
        let mut count = 0;
        self.visit(&mut |_, _, _| count += 1);
        count
    }

    /// Every object, whole.
    pub(super) fn objects(&self) -> Vec<Object> {
        let mut objects = Vec::new();
        self.visit(&mut |key, kind, number| objects.push(self.object(key, kind, number)));
        objects
    }

    pub(super) fn object(&self, key: &str, kind: Kind, number: u64) -> Object {
        let Attributes { size, second, etag } = self.attributes(kind, number);
        let midnight = self.day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).unwrap_or_default();
        let last_modified = midnight + jiff::SignedDuration::from_secs(i64::from(second));
        let mut text = String::with_capacity(36);
        write_etag(&mut text, etag);
        Object { key: key.to_owned(), size, last_modified, etag: text, kind }
    }

    pub(super) fn attributes(&self, kind: Kind, number: u64) -> Attributes {
        let random = mix(self.random ^ number);
        let size = match kind {
            Kind::Build { .. } => between(random, 28_000_000, 95_000_000),
            Kind::Metadata => between(random, 700, 1_500),
            Kind::Other => 1 << between(random, 8, 26),
        };
        // A day has 86,400 seconds; metadata is written before the archives it describes.
        let second = match kind {
            Kind::Metadata => number % 3_600,
            _ => 7_200 + (number * 3 + random % 3) % 72_000,
        };
        let second = u32::try_from(second).unwrap_or(0);
        // One object in sixteen was uploaded in several pieces.
        let pieces = if random >> 60 == 0 { u8::try_from(random % 40).unwrap_or(0) + 2 } else { 0 };
        Attributes { size, second, etag: (mix(random), mix(random ^ 1), pieces) }
    }

    /// The body of one of its metadata files.
    pub(super) fn metadata(&self, key: &str) -> Option<Body> {
        let name = key.strip_prefix(self.folder.as_str())?;
        match &self.layout {
            Layout::Ship(ship) => ship.metadata(name),
            Layout::Nightly(nightly) => nightly.metadata(name),
            Layout::Flat(_) | Layout::Noise(_) => None,
        }
    }
}

/// An entity tag's text.
pub(super) fn write_etag(text: &mut String, (high, low, pieces): (u64, u64, u8)) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{high:016x}{low:016x}");
    if pieces > 0 {
        let _ = write!(text, "-{pieces}");
    }
}
