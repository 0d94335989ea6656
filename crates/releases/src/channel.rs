//! Channels: which one a key says, and which are accepted.

use crate::Product;
use crate::archive::Archive;
use crate::layout::{self, Place};

/// The channel of an archive by its key alone.
///
/// Nightly folders are `nightly`, or `aurora` when they say so. Otherwise the version decides: a `b` between two digits
/// is `beta` (`aurora` for the Developer Edition), a trailing `esr` is `esr`, anything else `release`. A candidate of an
/// ESR (`60.0esrrc1`) is therefore `release`, as in the records of the original Buildhub, whose ids carry it; its
/// metadata says `esr`. `-old-id` marks Android builds under the former signing identity.
pub(crate) fn of_archive(archive: &Archive<'_>) -> &'static str {
    match archive.place {
        Place::Nightly { branch, .. } if layout::is_plain_branch(branch) => "nightly",
        Place::Nightly { branch, .. } => {
            let base = if branch.contains("aurora") { "aurora" } else { "nightly" };
            if branch.contains("-old-id") { old_id(base) } else { base }
        }
        Place::Candidate { .. } => of_version(archive, false),
        Place::Release { .. } => of_version(archive, archive.version.ends_with("esr")),
    }
}

fn of_version(archive: &Archive<'_>, esr: bool) -> &'static str {
    let base = if is_beta(archive.version) {
        if archive.product == Product::Devedition { "aurora" } else { "beta" }
    } else if esr {
        "esr"
    } else {
        "release"
    };
    if archive.raw_platform.contains("-old-id") { old_id(base) } else { base }
}

fn is_beta(version: &str) -> bool {
    version
        .as_bytes()
        .windows(3)
        .any(|window| matches!(window, [before, b'b', after] if before.is_ascii_digit() && after.is_ascii_digit()))
}

fn old_id(base: &'static str) -> &'static str {
    match base {
        "nightly" => "nightly-old-id",
        "aurora" => "aurora-old-id",
        "beta" => "beta-old-id",
        "esr" => "esr-old-id",
        _ => "release-old-id",
    }
}

/// The channels that records may have: `^(release|aurora|beta|esr|nightly)(-old-id)?$`.
pub const CHANNELS: [&str; 10] = [
    "release",
    "release-old-id",
    "beta",
    "beta-old-id",
    "aurora",
    "aurora-old-id",
    "esr",
    "esr-old-id",
    "nightly",
    "nightly-old-id",
];

/// [`CHANNELS`] in words.
pub(crate) const ALLOWED: &str = "release, aurora, beta, esr or nightly, each also with -old-id";

/// Whether a channel is one that records may have.
pub(crate) fn is_accepted(channel: &str) -> bool {
    CHANNELS.contains(&channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_accepted_by_the_rule() {
        for base in ["release", "aurora", "beta", "esr", "nightly"] {
            assert!(is_accepted(base) && is_accepted(old_id(base)) && ALLOWED.contains(base), "{base}");
        }
        for channel in ["", "default", "Release", "-old-id", "nightly-old-id-old-id", "release-cck-x"] {
            assert!(!is_accepted(channel), "{channel}");
        }
    }

    #[test]
    fn a_b_between_digits_is_a_beta() {
        assert!(is_beta("50.0b11") && is_beta("38.0.5b1-2"));
        assert!(!is_beta("3.6-EUballot") && !is_beta("60.0") && !is_beta("b1"));
    }
}
