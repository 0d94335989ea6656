//! What a command asks for.

use buildhub_http::Method;
use clap::ArgMatches;
use serde_json::{Map, Value, json};

use super::api::{Path, Wish};
use crate::CommandError;

/// What is asked for by a command of that name; none by those that only look.
pub(super) fn of(name: &str, matches: &ArgMatches) -> Result<Option<Wish>, CommandError> {
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().map(String::as_str);
    let number = |name: &str| matches.try_get_one::<u64>(name).ok().flatten().copied();
    let priority = || matches.get_one::<i64>("priority").copied().unwrap_or_default();
    let of_branch = |rest: &[&str]| Path::new(&["self-serve", text("BRANCH").unwrap_or_default()]).and(rest);
    let post = |path, body| Wish { method: Method::POST, path, body };
    Ok(Some(match name {
        "rebuild" => {
            let count = matches.get_one::<u32>("count").copied().unwrap_or(1);
            match (number("build"), number("request")) {
                (Some(id), _) => {
                    post(of_branch(&["build"]), json!({ "build_id": id, "count": count, "priority": priority() }))
                }
                (None, id) => {
                    post(of_branch(&["request"]), json!({ "request_id": id, "count": count, "priority": priority() }))
                }
            }
        }
        "new" => {
            let revision = text("REVISION").unwrap_or_default();
            match text("builder") {
                Some(builder) => {
                    let files: Vec<&String> = matches.get_many("file").into_iter().flatten().collect();
                    let body = json!({ "priority": priority(), "properties": properties(matches)?, "files": files });
                    post(of_branch(&["builders", builder, revision]), body)
                }
                None if matches.get_flag("nightly") => {
                    post(of_branch(&["rev", revision, "nightly"]), json!({ "priority": priority() }))
                }
                None if matches.get_flag("pgo") => {
                    post(of_branch(&["rev", revision, "pgo"]), json!({ "priority": priority() }))
                }
                None => post(of_branch(&["rev", revision]), json!({})),
            }
        }
        "cancel" => {
            let id = |id: Option<u64>| id.map(|id| id.to_string()).unwrap_or_default();
            let path = match (number("build"), number("request"), text("revision")) {
                (build @ Some(_), ..) => of_branch(&["build", &id(build)]),
                (_, request @ Some(_), _) => of_branch(&["request", &id(request)]),
                (.., revision) => of_branch(&["rev", revision.unwrap_or_default()]),
            };
            Wish { method: Method::DELETE, path, body: json!({}) }
        }
        "reprioritize" => {
            let priority = matches.get_one::<i64>("PRIORITY").copied().unwrap_or_default();
            let id = number("ID").unwrap_or_default().to_string();
            Wish { method: Method::PUT, path: of_branch(&["request", &id]), body: json!({ "priority": priority }) }
        }
        _ => return Ok(None),
    }))
}

/// `NAME=VALUE`, a value that is JSON being that, and any other text.
fn properties(matches: &ArgMatches) -> Result<Map<String, Value>, CommandError> {
    let given = matches.get_many::<String>("property").into_iter().flatten();
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
            Ok((name.to_owned(), value))
        }
        _ => Err(CommandError::Usage(format!("--property {text:?} is not NAME=VALUE"))),
    };
    given.map(pair).collect()
}
