//! The xz encoder: its name and version, its memory.

use std::io::Write;
use std::num::NonZeroU32;

use liblzma::stream::{Check, MtStreamBuilder};
use liblzma::write::XzEncoder;
use liblzma_sys::{LZMA_VERSION_MAJOR, LZMA_VERSION_MINOR, LZMA_VERSION_PATCH};

use super::ArchiveError;
use crate::lock::Encoder;

/// What `xz` uses by itself.
const PRESET: u32 = 6;
/// Three times the preset's dictionary, as `xz` has it.
const BLOCK_SIZE: u64 = 24 << 20;

/// This program's encoder, as a new lock names it.
pub fn encoder() -> Encoder {
    Encoder {
        name: "liblzma".into(),
        version: format!("{LZMA_VERSION_MAJOR}.{LZMA_VERSION_MINOR}.{LZMA_VERSION_PATCH}"),
        preset: PRESET,
        block_size: BLOCK_SIZE,
    }
}

/// Bytes of memory that so many threads need, as liblzma says; `None` where it cannot be done at all.
pub fn memory(encoder: &Encoder, threads: NonZeroU32) -> Option<u64> {
    Some(builder(encoder, threads).memusage()).filter(|bytes| *bytes < u64::MAX)
}

/// The most threads, up to `at_most`, that need no more than `bytes` of memory; one where even that is too much.
pub fn threads_within(encoder: &Encoder, bytes: u64, at_most: NonZeroU32) -> NonZeroU32 {
    let fit = |threads: &NonZeroU32| memory(encoder, *threads).is_some_and(|needed| needed <= bytes);
    (1..=at_most.get()).rev().filter_map(NonZeroU32::new).find(fit).unwrap_or(NonZeroU32::MIN)
}

/// Whether this program has the encoder that a lock names.
pub fn has(wanted: &Encoder) -> Result<(), ArchiveError> {
    let ours = encoder();
    if (&wanted.name, &wanted.version) == (&ours.name, &ours.version) {
        return Ok(());
    }
    Err(ArchiveError::OtherEncoder { wanted: Box::new(wanted.clone()), ours: Box::new(ours) })
}

/// An encoder as the lock names it, if this program has it.
pub(super) fn start<W: Write>(wanted: &Encoder, threads: NonZeroU32, out: W) -> Result<XzEncoder<W>, ArchiveError> {
    has(wanted)?;
    let stream = builder(wanted, threads).encoder().map_err(|error| ArchiveError::Start {
        preset: wanted.preset,
        block_size: wanted.block_size,
        threads,
        reason: error.to_string(),
    })?;
    Ok(XzEncoder::new_stream(out, stream))
}

fn builder(encoder: &Encoder, threads: NonZeroU32) -> MtStreamBuilder {
    let mut builder = MtStreamBuilder::new();
    builder.preset(encoder.preset).block_size(encoder.block_size).check(Check::Crc64).threads(threads.get());
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_more_needs_as_much_again_and_no_more_are_taken_than_fit() {
        let encoder = encoder();
        let needs = |threads| memory(&encoder, NonZeroU32::new(threads).unwrap()).unwrap();
        let each = needs(2) - needs(1);
        // The README and the function's memory count on it.
        assert!(each < 170 << 20, "{each}");
        let sixteen = NonZeroU32::new(16).unwrap();
        assert_eq!(threads_within(&encoder, needs(3) + each / 2, sixteen).get(), 3);
        assert_eq!(threads_within(&encoder, 1, sixteen).get(), 1);
        assert_eq!(threads_within(&encoder, u64::MAX, sixteen).get(), 16);
    }

    #[test]
    fn an_encoder_that_cannot_be_is_an_error() {
        let broken = Encoder { preset: 77, ..encoder() };
        assert_eq!(memory(&broken, NonZeroU32::MIN), None);
        let error = start(&broken, NonZeroU32::MIN, Vec::new()).err().unwrap();
        assert!(matches!(error, ArchiveError::Start { preset: 77, .. }), "{error}");
        let other = Encoder { version: "5.2.0".into(), ..encoder() };
        let error = start(&other, NonZeroU32::MIN, Vec::new()).err().unwrap().to_string();
        assert!(error.contains("liblzma 5.2.0"), "{error}");
    }
}
