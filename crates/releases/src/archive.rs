//! An archive of a build: what its key says.

use std::borrow::Cow;

use crate::channel;
use crate::cut;
use crate::date;
use crate::extension::Extension;
use crate::layout::Place;
use crate::metadata::Metadata;
use crate::rank::{self, Rank};
use crate::record::{self, Download, Record, Source, Target};
use crate::{Os, Product};

/// An archive of a build. All of it follows from the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive<'a> {
    /// The key, decoded: `pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe`.
    pub key: &'a str,
    /// The product.
    pub product: Product,
    /// Where it lies.
    pub place: Place<'a>,
    /// The version as the archive names it, without `rc<N>`; see [`target_version`](Self::target_version).
    pub version: &'a str,
    /// The platform as records have it: `macosx`, `win32-eme-free`.
    pub platform: Cow<'a, str>,
    /// The locale as records have it: `fr-FR`.
    pub locale: Cow<'a, str>,
    /// The extension of the file.
    pub extension: Extension,
    /// The name of the file.
    pub file: &'a str,
    /// The platform as the archive writes it.
    pub(crate) raw_platform: &'a str,
    /// The platform in the file's name, where it has one.
    pub(crate) file_platform: Option<&'a str>,
}

/// What is known of an object beside its key.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The base of all urls; ends in `/`.
    pub archive_url: &'a str,
    /// Size in bytes.
    pub size: u64,
    /// The object's `LastModified`; records have whole seconds.
    pub date: jiff::Timestamp,
}

impl Archive<'_> {
    /// The id of the record this archive would be.
    ///
    /// `{product}_{channel_}{version}_{platform}_{locale}`: the channel is left out for releases, a nightly's version
    /// is prefixed by the stamp of its folder, dots become dashes, all in lower case. It is a function of the key
    /// alone; what metadata says of the channel does not change it. Several archives may have one id, see [`Rank`].
    pub fn id(&self) -> String {
        let mut id = String::with_capacity(64);
        self.write_id(&mut id);
        id
    }

    /// Appends the [`id`](Self::id) to a text.
    pub fn write_id(&self, out: &mut String) {
        let start = out.len();
        out.push_str(self.product.name());
        out.push('_');
        let channel = self.channel();
        if channel != "release" {
            out.push_str(channel);
            out.push('_');
        }
        if let Place::Nightly { stamp, .. } = self.place {
            out.push_str(stamp);
            out.push('_');
        }
        let mut version = self.version;
        while let Some((part, after)) = cut::first(version, b'.') {
            out.push_str(part);
            out.push('-');
            version = after;
        }
        out.push_str(version);
        self.write_candidate(out);
        out.push('_');
        out.push_str(&self.platform);
        out.push('_');
        out.push_str(&self.locale);
        if let Some(id) = out.get_mut(start..) {
            id.make_ascii_lowercase();
        }
    }

    /// The id of the record that this archive would be of the beta channel too, if its key says that it is a release of
    /// Firefox; see [`Record::as_beta`].
    pub fn beta_id(&self) -> Option<String> {
        let is_release = self.product == Product::Firefox && self.channel() == "release";
        // A candidate of an extended support release says so in its version only.
        let is_release = is_release && !self.version.ends_with("esr");
        is_release.then(|| self.id()).and_then(|id| id.strip_prefix("firefox_").map(record::beta_id))
    }

    /// The channel that the key says: `release`, `beta`, `nightly-old-id`.
    pub fn channel(&self) -> &'static str {
        channel::of_archive(self)
    }

    /// `target.version`: `50.0b11`, for a candidate `50.0b11rc2`, for a funnelcake `49.0.1rc3-funnelcake90`.
    pub fn target_version(&self) -> String {
        let mut version = String::with_capacity(self.version.len() + 4);
        version.push_str(self.version);
        self.write_candidate(&mut version);
        version
    }

    /// What follows the version proper: `rc<N>`, `-funnelcakeNN`.
    fn write_candidate(&self, out: &mut String) {
        let funnelcake = match self.place {
            Place::Nightly { .. } => None,
            Place::Candidate { build, funnelcake } => {
                out.push_str("rc");
                write_number(out, build);
                funnelcake
            }
            Place::Release { funnelcake } => funnelcake,
        };
        if let Some(funnelcake) = funnelcake {
            out.push('-');
            out.push_str(funnelcake);
        }
    }

    /// The operating system.
    pub fn os(&self) -> Option<Os> {
        Os::of_platform(&self.platform)
    }

    /// The rank among archives that share an id: the greatest is the record. See [`Rank`].
    pub fn rank(&self) -> Rank {
        rank::of_key(self.key)
    }

    /// For a release, its product and version: its metadata lies with the highest candidate of that version.
    pub fn release_of(&self) -> Option<(Product, &str)> {
        matches!(self.place, Place::Release { .. }).then_some((self.product, self.version))
    }

    /// For a candidate, what it teaches: product, version and the number of a build that exists.
    pub fn candidate_of(&self) -> Option<(Product, &str, u32)> {
        match self.place {
            Place::Candidate { build, .. } => Some((self.product, self.version, build)),
            _ => None,
        }
    }

    /// The record of this archive. Without metadata it has no `build`, and [`Record::check`] refuses it.
    pub fn record(&self, facts: &Facts<'_>, metadata: Option<&Metadata>) -> Record {
        let channel = metadata.and_then(|metadata| metadata.channel.as_deref()).unwrap_or(self.channel());
        let origin = metadata.map(|metadata| metadata.source.clone()).unwrap_or_default();
        let mut url = String::with_capacity(facts.archive_url.len() + self.key.len());
        url.push_str(facts.archive_url);
        url.push_str(self.key);
        Record {
            id: self.id(),
            source: Source {
                product: self.product.name().to_owned(),
                tree: origin.tree,
                repository: origin.repository,
                revision: origin.revision,
            },
            target: Target {
                platform: self.platform.clone().into_owned(),
                os: self.os(),
                version: self.target_version(),
                channel: channel.to_owned(),
                locale: self.locale.clone().into_owned(),
            },
            build: metadata.map(|metadata| metadata.build.clone()),
            download: Download {
                url,
                mimetype: self.extension.mimetype().to_owned(),
                size: facts.size,
                date: date::rfc3339(facts.date),
            },
        }
    }
}

/// Appends a number without the detour through the formatting machinery.
fn write_number(out: &mut String, number: u32) {
    if number >= 10 {
        write_number(out, number / 10);
    }
    out.push(char::from(b'0' + u8::try_from(number % 10).unwrap_or_default()));
}
