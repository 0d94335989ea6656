//! The queues of a fanned-out run.

use buildhub_core::{SettingError, Variables};

/// Addresses of both queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanOutSettings {
    /// `PARTS_QUEUE_URL`: the queue of parts.
    pub parts: String,
    /// `BATCHES_QUEUE_URL`: the FIFO queue of batches.
    pub batches: String,
}

const PARTS: &str = "PARTS_QUEUE_URL";
const BATCHES: &str = "BATCHES_QUEUE_URL";

impl FanOutSettings {
    /// Reads them; `None` where neither is set. One without the other is refused.
    pub fn from_variables(vars: &Variables) -> Result<Option<Self>, SettingError> {
        let (parts, batches) = match (address(vars, PARTS)?, address(vars, BATCHES)?) {
            (None, None) => return Ok(None),
            (Some(parts), Some(batches)) => (parts, batches),
            (None, Some(_)) => return Err(missing(PARTS, "BATCHES_QUEUE_URL is set, and a run needs both")),
            (Some(_), None) => return Err(missing(BATCHES, "PARTS_QUEUE_URL is set, and a run needs both")),
        };
        if batches.strip_suffix(".fifo").is_none() {
            let allowed = "it is the address of a FIFO queue, whose name ends in .fifo";
            return Err(SettingError::invalid(BATCHES, &batches, allowed));
        }
        Ok(Some(Self { parts, batches }))
    }
}

fn address(vars: &Variables, name: &'static str) -> Result<Option<String>, SettingError> {
    match vars.get(name) {
        None => Ok(None),
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => Ok(Some(url.to_owned())),
        Some(other) => {
            let allowed = "it is a queue's address, like https://sqs.us-east-1.amazonaws.com/123456789012/parts";
            Err(SettingError::invalid(name, other, allowed))
        }
    }
}

fn missing(name: &'static str, allowed: &str) -> SettingError {
    SettingError::Missing { name, allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<FanOutSettings>, String> {
        let vars: Variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        FanOutSettings::from_variables(&vars).map_err(|error| error.to_string())
    }

    const BOTH: [(&str, &str); 2] = [(PARTS, "https://sqs/1/parts"), (BATCHES, "https://sqs/1/batches.fifo")];

    #[test]
    fn a_run_is_fanned_out_where_both_queues_are_named() {
        let both = FanOutSettings { parts: BOTH[0].1.into(), batches: BOTH[1].1.into() };
        assert_eq!(read(&BOTH), Ok(Some(both)));
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn one_queue_without_the_other_is_refused_by_the_name_of_the_other() {
        assert!(read(&BOTH[..1]).unwrap_err().starts_with(BATCHES));
        assert!(read(&BOTH[1..]).unwrap_err().starts_with(PARTS));
    }

    #[test]
    fn what_is_no_queue_is_refused() {
        assert!(read(&[(PARTS, "parts"), BOTH[1]]).unwrap_err().starts_with("PARTS_QUEUE_URL=\"parts\""));
        assert!(read(&[BOTH[0], (BATCHES, "https://sqs/1/batches")]).unwrap_err().contains("ends in .fifo"));
    }
}
