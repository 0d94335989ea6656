//! Hashes as they are written: hexadecimal digits, lower case.

use std::fmt::Write as _;

/// The digits of a hash.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
