//! What is compressed by gzip or bzip2 is decompressed into nothing.

use std::fmt;
use std::io::{self, Write};

use bzip2::write::BzDecoder;
use flate2::write::MultiGzDecoder;

use super::Damage;
use crate::request::Suffix;

/// The most that a byte may become, on the average, beyond [`ALLOWANCE`]. A tar archive of sources becomes four to ten
/// times as large; the formats could make it a thousand times and more.
const GROWTH: u64 = 300;
/// What any archive may become: small ones are all headers, which shrink to next to nothing.
const ALLOWANCE: u64 = 256 << 20;

/// A compressed archive that goes by.
pub(super) struct Compressed {
    suffix: Suffix,
    decoder: Decoder,
    read: u64,
}

enum Decoder {
    Gzip(Box<MultiGzDecoder<Count>>),
    /// With whether anything of the present stream was read: behind a whole one another may follow, or nothing.
    Bzip2(BzDecoder<Count>, bool),
}

/// Counts what is written to it.
#[derive(Debug, Default)]
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Compressed {
    pub(super) fn new(suffix: Suffix) -> Self {
        let decoder = match suffix {
            Suffix::TarBz2 => Decoder::Bzip2(BzDecoder::new(Count::default()), false),
            Suffix::TarGz | Suffix::Zip => Decoder::Gzip(Box::new(MultiGzDecoder::new(Count::default()))),
        };
        Self { suffix, decoder, read: 0 }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        // In pieces, so that what one of them becomes is bounded too.
        for piece in bytes.chunks(64 << 10) {
            self.decoder.push(piece).map_err(|error| self.damage(&error))?;
            self.read += piece.len() as u64;
            let limit = ALLOWANCE.saturating_add(self.read.saturating_mul(GROWTH));
            if self.decoder.written() > limit {
                return Err(Damage::Bomb { at: self.read, limit });
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), Damage> {
        let end = match &mut self.decoder {
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Bzip2(_, false) if self.read > 0 => Ok(()),
            Decoder::Bzip2(decoder, _) => decoder.try_finish(),
        };
        end.map_err(|error| self.damage(&error))
    }

    fn damage(&self, error: &io::Error) -> Damage {
        Damage::Compressed { suffix: self.suffix, at: self.read, reason: error.to_string() }
    }
}

impl Decoder {
    fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.write_all(bytes),
            Self::Bzip2(decoder, begun) => {
                while !bytes.is_empty() {
                    let read = decoder.write(bytes)?;
                    bytes = bytes.get(read..).unwrap_or_default();
                    *begun |= read > 0;
                    // It takes no more: its stream is at its end, and what follows is another's.
                    if read == 0 {
                        let count = decoder.finish()?;
                        (*decoder, *begun) = (BzDecoder::new(count), false);
                    }
                }
                Ok(())
            }
        }
    }

    fn written(&self) -> u64 {
        match self {
            Self::Gzip(decoder) => decoder.get_ref().0,
            Self::Bzip2(decoder, _) => decoder.get_ref().0,
        }
    }
}

impl fmt::Debug for Compressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressed").field("suffix", &self.suffix).field("read", &self.read).finish_non_exhaustive()
    }
}
