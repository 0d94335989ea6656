//! Which masters build what.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The masters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Masters(Vec<Master>);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Master {
    name: String,
    /// What the build system itself calls it: `HOST:FOLDER`.
    #[serde(default)]
    db_name: Option<String>,
    #[serde(default)]
    role: Option<String>,
}

/// Masters that share one queue of work, by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// `buildpool`: they build.
    Build,
    /// `trybuildpool`: they build what people try out.
    Try,
    /// `testpool`: they test.
    Test,
}

/// A text that names no pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pool is buildpool, trybuildpool or testpool")]
pub struct PoolError;

impl Pool {
    /// The role that its masters have.
    fn role(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Try => "try",
            Self::Test => "tests",
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Build => "buildpool",
            Self::Try => "trybuildpool",
            Self::Test => "testpool",
        })
    }
}

impl FromStr for Pool {
    type Err = PoolError;

    fn from_str(text: &str) -> Result<Self, PoolError> {
        [Self::Build, Self::Try, Self::Test].into_iter().find(|pool| pool.to_string() == text).ok_or(PoolError)
    }
}

impl Masters {
    /// The names of a pool's masters.
    pub fn of(&self, pool: Pool) -> Vec<&str> {
        let its = self.0.iter().filter(|master| master.role.as_deref() == Some(pool.role()));
        its.map(|master| master.name.as_str()).collect()
    }

    /// Whether one of a pool's masters is what the build system calls so.
    pub fn has(&self, pool: Pool, called: &str) -> bool {
        let is_called = |master: &Master| master.db_name.as_ref().unwrap_or(&master.name) == called;
        self.0.iter().any(|master| master.role.as_deref() == Some(pool.role()) && is_called(master))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pool_is_the_masters_of_one_role() {
        let document = json!([
            { "name": "bm1", "hostname": "h", "http_port": 8001, "pb_port": 9001, "db_name": "h:/m1", "role": "build" },
            { "name": "bm2", "role": "try" },
            { "name": "bm3", "role": "tests" },
            { "name": "bm4", "role": "build" },
            { "name": "bm5" }
        ]);
        let masters: Masters = serde_json::from_value(document).unwrap();
        assert_eq!(masters.of("buildpool".parse().unwrap()), ["bm1", "bm4"]);
        assert_eq!(masters.of("trybuildpool".parse().unwrap()), ["bm2"]);
        assert_eq!(masters.of("testpool".parse().unwrap()), ["bm3"]);
        assert!("pool".parse::<Pool>().is_err());
        let has = |called| masters.has(Pool::Build, called);
        assert!(has("h:/m1") && has("bm4"), "by the name in the build system, where the document says it");
        assert!(!has("bm1") && !has("bm2") && !has("bm5"));
    }
}
