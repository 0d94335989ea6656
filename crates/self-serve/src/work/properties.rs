//! Properties of builds: which are the build system's own, and which a job gives.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::WorkError;
use crate::jobs::Job;

/// Begins the name of the properties that say of which changes a build is made.
const MADE_OF: &str = "selfserve_change_";

/// Properties that a build gets from the build system or from its job: nobody gives it others.
const RESERVED: [&str; 21] = [
    "basedir",
    "branch",
    "builddir",
    "builderid",
    "buildername",
    "buildnumber",
    "change",
    "codebase",
    "extra",
    "got_revision",
    "owner",
    "owners",
    "project",
    "reason",
    "repository",
    "requester",
    "revision",
    "scheduler",
    "selfserve_again",
    "selfserve_job",
    "workername",
];

/// Whether a property is one that a build gets from the build system or from its job, and that nobody gives it.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with(MADE_OF)
}

/// What a request asked for has when it is made again: all but what is of the first.
pub(super) fn copied(properties: &Map<String, Value>) -> Map<String, Value> {
    properties
        .iter()
        .filter(|(name, _)| !is_reserved(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What new builds have: when they were asked for as their `buildid`, and a number that no other has. The same of a job
/// each time.
pub(super) fn fresh(job: &Job) -> Map<String, Value> {
    let when = Timestamp::from_second(job.when).unwrap_or(Timestamp::UNIX_EPOCH);
    let name = format!("self-serve {} {} {}", job.number, job.when, job.who);
    let unique = Sha256::digest(name).iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let given = json!({
        "buildid": when.strftime("%Y%m%d%H%M%S").to_string(),
        "builduid": unique,
        "source": "self-serve",
    });
    given.as_object().cloned().unwrap_or_default()
}

/// What somebody asks for, laid over what new builds have.
pub(super) fn asked(
    job: &Job,
    properties: &Map<String, Value>,
    files: &[String],
) -> Result<Map<String, Value>, WorkError> {
    if let Some(name) = properties.keys().find(|name| is_reserved(name)) {
        return Err(WorkError::Reserved(name.clone()));
    }
    let mut given = fresh(job);
    if !files.is_empty() {
        given.insert("files".to_owned(), json!(files));
    }
    given.extend(properties.clone());
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;

    #[test]
    fn what_is_asked_for_stands_over_what_new_builds_have_but_not_over_what_is_the_build_systems() {
        let job = Job::new(7, Action::CancelBuild { bid: 1 }, "alice", 1_480_000_000);
        let given = fresh(&job);
        assert_eq!((given["buildid"].as_str(), given["source"].as_str()), (Some("20161124150640"), Some("self-serve")));
        assert_eq!(given["builduid"].as_str().unwrap().len(), 32);
        assert_eq!(given, fresh(&job), "a job that is carried out twice asks for the same");
        let properties = json!({ "buildid": "1", "x": [1] });
        let all = asked(&job, properties.as_object().unwrap(), &["a.txt".to_owned()]).unwrap();
        assert_eq!((&all["buildid"], &all["x"], &all["files"]), (&json!("1"), &json!([1]), &json!(["a.txt"])));
        for name in RESERVED.into_iter().chain(["selfserve_change_12"]) {
            let properties = Map::from_iter([(name.to_owned(), json!("mine"))]);
            assert!(matches!(asked(&job, &properties, &[]), Err(WorkError::Reserved(_))), "{name}");
            assert!(copied(&properties).is_empty(), "{name}");
        }
    }
}
