//! What an examination found.

use std::fmt;

use serde::Serialize;

use super::DoctorSettings;

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It could not be told.
    Unknown,
    /// It works, and somebody should look at it.
    Warning,
    /// Buildhub does not work with it, or not safely.
    Fault,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Fault => "fault",
        })
    }
}

/// What is looked at. [`Display`](fmt::Display) and JSON have the same names: `own-address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Something answers at the address.
    Reachable,
    /// It is a Kinto, and the address is that of its interface.
    Kinto,
    /// Its version is one that Buildhub was proven with.
    Version,
    /// It knows by which address it is reached: it leads from page to page by that.
    OwnAddress,
    /// Its parts are well.
    Heartbeat,
    /// How long its answers take.
    Latency,
    /// Its clock agrees with ours.
    Clock,
    /// What its operator tells every client (`Backoff`, `Alert`).
    Messages,
    /// It takes writes.
    ReadOnly,
    /// How many records go in a batch.
    Batches,
    /// How many records go on a page.
    Pages,
    /// Whether anybody can empty it.
    Flush,
    /// Whether its conditional writes hold when two come at once.
    Writers,
    /// Whether it keeps a history of every write.
    History,
    /// It knows who asks.
    Credentials,
    /// Bucket and collection are there.
    Collection,
    /// The collection's schema is the one that Buildhub ships.
    Schema,
    /// The server checks records against the schema.
    Validation,
    /// Everyone may read.
    Reading,
    /// Who may write, and whether that includes us.
    Writing,
    /// A record that is no build is refused. Only when trial writes are allowed.
    BadRecord,
    /// A record is stored, guarded by its conditions, and removed. Only when trial writes are allowed.
    GoodRecord,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reachable => "reachable",
            Self::Kinto => "kinto",
            Self::Version => "version",
            Self::OwnAddress => "own-address",
            Self::Heartbeat => "heartbeat",
            Self::Latency => "latency",
            Self::Clock => "clock",
            Self::Messages => "messages",
            Self::ReadOnly => "read-only",
            Self::Batches => "batches",
            Self::Pages => "pages",
            Self::Flush => "flush",
            Self::Writers => "writers",
            Self::History => "history",
            Self::Credentials => "credentials",
            Self::Collection => "collection",
            Self::Schema => "schema",
            Self::Validation => "validation",
            Self::Reading => "reading",
            Self::Writing => "writing",
            Self::BadRecord => "bad-record",
            Self::GoodRecord => "good-record",
        })
    }
}

/// How one thing stands, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it stands.
    pub state: State,
    /// What was seen, for a person to read. What a server said is quoted, its control characters escaped.
    pub seen: String,
    /// What a person can do; empty where nothing is to be done.
    pub advice: String,
}

/// What the server is like, for programs that compare servers. What could not be learnt is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// Kinto's version: `26.5.0`.
    pub version: Option<String>,
    /// The version of its interface: `1.23`.
    pub interface: Option<String>,
    /// Its plugins and features, by name, sorted.
    pub capabilities: Vec<String>,
    /// Whether it takes no writes.
    pub readonly: Option<bool>,
    /// Most requests in a batch.
    pub batch_max: Option<usize>,
    /// Most records on a page. Only a collection of more than a page shows it.
    pub page_max: Option<usize>,
    /// Who we are to the server.
    pub user: Option<String>,
    /// How far the server's clock is ahead of ours, in seconds; negative where it is behind.
    pub clock_ahead_s: Option<f64>,
    /// How long an answer took, the median of the requests made, in milliseconds.
    pub latency_ms: Option<u64>,
}

/// What was found, in the order in which a person would look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The server's address, without credentials.
    pub server: String,
    /// The records' bucket.
    pub bucket: String,
    /// The records' collection.
    pub collection: String,
    /// The worst of the states.
    pub state: State,
    /// What the server is like.
    pub facts: Facts,
    /// How each thing stands. A check that could not even be tried, because one before it failed, is not in it.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn of(settings: &DoctorSettings) -> Self {
        let mut server = settings.client.server.clone();
        // An address that can carry no credentials refuses to have them removed.
        let _ = server.set_username("");
        let _ = server.set_password(None);
        Self {
            server: server.into(),
            bucket: settings.bucket.clone(),
            collection: settings.collection.clone(),
            state: State::Ok,
            facts: Facts::default(),
            findings: Vec::new(),
        }
    }

    /// The finding of a check, if it was made.
    pub fn finding(&self, check: Check) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check == check)
    }

    /// How many findings have this state.
    pub fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }

    pub(super) fn ok(&mut self, check: Check, seen: impl Into<String>) {
        self.add(check, State::Ok, seen, "");
    }

    pub(super) fn unknown(&mut self, check: Check, seen: impl Into<String>, advice: impl Into<String>) {
        self.add(check, State::Unknown, seen, advice);
    }

    pub(super) fn warning(&mut self, check: Check, seen: impl Into<String>, advice: impl Into<String>) {
        self.add(check, State::Warning, seen, advice);
    }

    pub(super) fn fault(&mut self, check: Check, seen: impl Into<String>, advice: impl Into<String>) {
        self.add(check, State::Fault, seen, advice);
    }

    /// In place of what was found before of this check, a fault.
    pub(super) fn replace(&mut self, check: Check, seen: impl Into<String>, advice: impl Into<String>) {
        self.findings.retain(|finding| finding.check != check);
        self.fault(check, seen, advice);
    }

    fn add(&mut self, check: Check, state: State, seen: impl Into<String>, advice: impl Into<String>) {
        self.state = self.state.max(state);
        // A server's words end up on a terminal.
        let printable = |text: String| text.chars().flat_map(escape).collect();
        let (seen, advice) = (printable(seen.into()), printable(advice.into()));
        self.findings.push(Finding { check, state, seen, advice });
        self.findings.sort_by_key(|finding| finding.check);
    }
}

/// The character, or what stands for it where it would move a terminal's cursor.
fn escape(letter: char) -> impl Iterator<Item = char> {
    let escaped = letter.is_control().then(|| letter.escape_default());
    let plain = escaped.is_none().then_some(letter);
    escaped.into_iter().flatten().chain(plain)
}

#[cfg(test)]
pub(super) mod tests_support {
    use super::*;

    /// A report of nothing yet.
    pub(in crate::doctor) fn blank() -> Report {
        let client = crate::ClientSettings::new("http://localhost/v1".parse().unwrap(), crate::Auth::Anonymous);
        let (bucket, collection) = ("build-hub".to_owned(), "releases".to_owned());
        let manifest = crate::Manifest::default();
        Report::of(&DoctorSettings { client, bucket, collection, manifest, write: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checks_name_is_the_same_on_a_terminal_and_in_json() {
        for check in [Check::OwnAddress, Check::ReadOnly, Check::GoodRecord, Check::Kinto] {
            assert_eq!(serde_json::to_value(check).unwrap(), check.to_string());
        }
        assert_eq!(serde_json::to_value(State::Unknown).unwrap(), State::Unknown.to_string());
    }

    #[test]
    fn what_a_server_says_cannot_move_a_terminals_cursor() {
        let shown: String = "a\u{1b}[2Jé\n".chars().flat_map(escape).collect();
        assert_eq!(shown, "a\\u{1b}[2Jé\\n");
    }
}
