//! Decompression, where there is something to decompress.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;

/// The first two bytes of a gzip member (RFC 1952, 2.3.1).
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads `input` decompressed if it begins as gzip does, all its members, and as it is otherwise. Nothing is read
/// before it is asked for.
///
/// Every member's checksum and length are verified, and an input that ends within a member is an `UnexpectedEof`.
pub fn gzip_or_plain(input: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(Sniffed::Unknown(Some(input)))
}

/// Bytes already looked at, and the rest behind them.
type Rejoined<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// An input that decides at its first byte what it is.
enum Sniffed<R> {
    Unknown(Option<R>),
    Gzip(Box<MultiGzDecoder<Rejoined<R>>>),
    Plain(Rejoined<R>),
}

impl<R: Read> Read for Sniffed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Self::Gzip(decoder) => return decoder.read(buffer),
                Self::Plain(input) => return input.read(buffer),
                Self::Unknown(input) => match input.take() {
                    Some(input) => *self = Self::sniff(input)?,
                    // The first bytes could not be read; there is nothing to go on with.
                    None => return Err(io::ErrorKind::BrokenPipe.into()),
                },
            }
        }
    }
}

impl<R: Read> Sniffed<R> {
    fn sniff(mut input: R) -> io::Result<Self> {
        let mut start = Vec::with_capacity(MAGIC.len());
        input.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start)?;
        let is_gzip = start == MAGIC;
        let rejoined = Cursor::new(start).chain(input);
        Ok(if is_gzip { Self::Gzip(Box::new(MultiGzDecoder::new(rejoined))) } else { Self::Plain(rejoined) })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        gzip_or_plain(Cursor::new(bytes)).read_to_end(&mut text).map(|_| text)
    }

    #[test]
    fn all_members_are_read_defect_13() {
        let members = [gzip(b"one\n"), gzip(b""), gzip(b"two\n")].concat();
        assert_eq!(read(members).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn what_is_not_gzip_is_read_as_it_is() {
        assert_eq!(read(b"plain".to_vec()).unwrap(), b"plain");
        assert_eq!(read(b"p".to_vec()).unwrap(), b"p");
        assert_eq!(read(Vec::new()).unwrap(), b"");
    }

    #[test]
    fn a_member_cut_anywhere_is_an_error_defect_13() {
        let whole = gzip(b"some text that is worth compressing, some text");
        for end in 2..whole.len() {
            let error = read(whole[..end].to_vec()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {end}");
        }
    }
}
