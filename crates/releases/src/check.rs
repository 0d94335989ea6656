//! Which records are accepted.

use crate::record::Record;
use crate::{Os, channel, layout, locale, platform};

/// Why a record is not accepted. The first fault found is the one reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {id:?} is refused: {field} is {value:?}; allowed is {allowed}")]
pub struct Refusal {
    /// The record's id.
    pub id: String,
    /// The field, as a path: `target.channel`.
    pub field: &'static str,
    /// What it holds; empty when it is absent.
    pub value: String,
    /// What it may hold.
    pub allowed: &'static str,
}

impl Record {
    /// Checks what the original Buildhub demanded of a record, and that its id is one that Kinto takes
    /// (`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`).
    pub fn check(&self) -> Result<(), Refusal> {
        let target = &self.target;
        let build_id = self.build.as_ref().and_then(|build| build.id.as_deref()).unwrap_or_default();
        self.demand("id", &self.id, is_id(&self.id), "letters, digits, _ and -, the first a letter or digit")?;
        self.demand("build.id", build_id, !build_id.is_empty(), "a build id; the metadata of this build has none yet")?;
        let accepted = channel::is_accepted(&target.channel);
        self.demand("target.channel", &target.channel, accepted, channel::ALLOWED)?;
        self.demand(
            "target.platform",
            &target.platform,
            platform::is_platform(&target.platform),
            "a platform of win, mac, linux, android, maemo or eabi",
        )?;
        let os = target.os.map_or("", Os::as_str);
        let fits = target.os == Os::of_platform(&target.platform);
        self.demand("target.os", os, fits, "the operating system of the platform")?;
        let is_locale = locale::parse(&target.locale).is_some_and(|parsed| parsed == target.locale);
        self.demand("target.locale", &target.locale, is_locale, "a locale such as fr, en-US, ja-JP-mac or multi")?;
        let is_version = layout::is_version(&target.version);
        self.demand("target.version", &target.version, is_version, "a version: a digit, then letters, digits, . and -")
    }

    fn demand(&self, field: &'static str, value: &str, holds: bool, allowed: &'static str) -> Result<(), Refusal> {
        if holds {
            return Ok(());
        }
        Err(Refusal { id: self.id.clone(), field, value: value.to_owned(), allowed })
    }
}

fn is_id(id: &str) -> bool {
    id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        serde_json::from_value(serde_json::json!({
            "id": "firefox_beta_50-0b11_macosx_el",
            "source": {"product": "firefox"},
            "target": {"platform": "macosx", "os": "mac", "version": "50.0b11", "channel": "beta", "locale": "el"},
            "build": {"id": "20161027110534"},
            "download": {"url": "https://archive.mozilla.org/x.dmg", "mimetype": "x/y", "size": 1, "date": "2016-10-28T00:56:42Z"}
        }))
        .unwrap()
    }

    fn refused(change: impl FnOnce(&mut Record)) -> Refusal {
        let mut record = record();
        change(&mut record);
        record.check().unwrap_err()
    }

    #[test]
    fn a_whole_record_is_accepted() {
        assert_eq!(record().check(), Ok(()));
    }

    #[test]
    fn each_fault_is_named_with_its_value_and_what_is_allowed() {
        let refusals = [
            ("id", refused(|record| record.id = "firefox_60.0".into())),
            ("id", refused(|record| record.id = "_x".into())),
            ("id", refused(|record| record.id = String::new())),
            ("build.id", refused(|record| record.build = None)),
            ("build.id", refused(|record| record.build = Some(crate::Build::default()))),
            ("target.channel", refused(|record| record.target.channel = "default".into())),
            ("target.platform", refused(|record| record.target.platform = "darwin".into())),
            ("target.os", refused(|record| record.target.os = Some(Os::Win))),
            ("target.locale", refused(|record| record.target.locale = "source".into())),
            ("target.version", refused(|record| record.target.version = "60.0,1".into())),
        ];
        for (field, refusal) in refusals {
            assert_eq!(refusal.field, field);
            let text = refusal.to_string();
            assert!(text.contains(field) && text.contains(&refusal.value) && text.contains(refusal.allowed), "{text}");
        }
    }
}
