//! How what a job starts is named.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One thing that a job starts: the job's number, and the number of the thing in it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Piece {
    /// The store that counts the job; none for one of before stores had names.
    pub store: Option<StoreId>,
    /// The job.
    pub job: u64,
    /// Which of its things.
    pub number: u32,
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.job, self.number)?;
        match self.store {
            Some(store) => write!(f, "@{store}"),
            None => Ok(()),
        }
    }
}

/// Which store a job is of: a number by chance. Two stores that ask one build system each count their jobs from 1, and so
/// does one that was made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreId(u64);

/// What is no name of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a store: it is 16 hexadecimal digits")]
pub struct StoreIdError(String);

impl StoreId {
    /// One that no other store has.
    pub fn new() -> Self {
        Self(fastrand::u64(..))
    }
}

impl Default for StoreId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for StoreId {
    type Err = StoreIdError;

    fn from_str(text: &str) -> Result<Self, StoreIdError> {
        let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().filter(|_| is_one);
        number.map(Self).ok_or_else(|| StoreIdError(text.chars().take(32).collect()))
    }
}

impl TryFrom<String> for StoreId {
    type Error = StoreIdError;

    fn try_from(text: String) -> Result<Self, StoreIdError> {
        text.parse()
    }
}

impl From<StoreId> for String {
    fn from(store: StoreId) -> Self {
        store.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_says_of_which_store_it_is_where_that_has_a_name() {
        let store: StoreId = "00000000000000ff".parse().unwrap();
        assert_eq!(Piece { store: Some(store), job: 42, number: 1 }.to_string(), "42.1@00000000000000ff");
        assert_eq!(Piece { store: None, job: 42, number: 1 }.to_string(), "42.1");
        assert_ne!(StoreId::new(), StoreId::new());
        for wrong in ["", "ff", "00000000000000fg", "+0000000000000ff"] {
            assert!(wrong.parse::<StoreId>().is_err(), "{wrong}");
        }
    }
}
