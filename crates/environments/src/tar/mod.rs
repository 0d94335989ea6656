//! The tar format: headers of 512 bytes as POSIX has them (`pax`, IEEE Std 1003.1, "pax Interchange Format"), with what
//! GNU tar does differently where it is read.

mod header;
mod member;
pub(crate) mod pax;

pub(crate) use header::Header;
pub(crate) use member::Member;

/// Everything in a tar archive begins at a multiple of this.
pub(crate) const BLOCK: usize = 512;

/// Bytes that fill the last block of so many.
pub(crate) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// What a header is the header of: its `typeflag`.
pub(crate) mod kind {
    pub(crate) const FILE: u8 = b'0';
    pub(crate) const HARDLINK: u8 = b'1';
    pub(crate) const SYMLINK: u8 = b'2';
    pub(crate) const CHARACTER_DEVICE: u8 = b'3';
    pub(crate) const BLOCK_DEVICE: u8 = b'4';
    pub(crate) const DIRECTORY: u8 = b'5';
    pub(crate) const PIPE: u8 = b'6';
    /// A file that should lie in one piece; a file.
    pub(crate) const CONTIGUOUS: u8 = b'7';
    /// A file, as archives older than POSIX have it.
    pub(crate) const OLD_FILE: u8 = 0;
    /// Records about the next member.
    pub(crate) const PAX: u8 = b'x';
    /// Records about all following members.
    pub(crate) const PAX_GLOBAL: u8 = b'g';
    pub(crate) const GNU_LONG_NAME: u8 = b'L';
    pub(crate) const GNU_LONG_LINK: u8 = b'K';
    pub(crate) const GNU_SPARSE: u8 = b'S';
}
