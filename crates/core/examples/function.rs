//! A Lambda function that does what its event says: `{"fail": "why"}`, `{"panic": "why"}`, `{"log": "text"}`,
//! `{"remaining": true}` (answers with the seconds until its deadline); else it answers with the event.

use std::process::ExitCode;

use buildhub_core::{Deadline, Secret, SettingError, Variables, lambda};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

#[derive(Debug, thiserror::Error)]
#[error("it was told to fail: {0}")]
struct Failure(String);

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: "Failure".to_owned(), error_message: failure.to_string() }
    }
}

struct Context {
    auth: Secret,
}

impl Context {
    fn from_variables(variables: &Variables) -> Result<Self, SettingError> {
        match variables.get("AUTH") {
            Some(auth) => Ok(Self { auth: Secret::new(auth) }),
            None => Err(SettingError::Missing { name: "AUTH", allowed: "it is user:password".to_owned() }),
        }
    }
}

#[expect(clippy::panic, reason = "it is told to")]
async fn handler(payload: Value, context: &Context, deadline: Deadline) -> Result<Value, Failure> {
    let text = |name| payload.get(name).and_then(Value::as_str).map(str::to_owned);
    tracing::info!(auth = %context.auth, "begun");
    if let Some(why) = text("fail") {
        return Err(Failure(why));
    }
    if let Some(why) = text("panic") {
        panic!("{why}");
    }
    if let Some(line) = text("log") {
        tracing::warn!("{line}");
    }
    if payload.get("remaining").is_some() {
        return Ok(json!(deadline.remaining().map(|left| left.as_secs())));
    }
    Ok(payload)
}

#[tokio::main]
async fn main() -> ExitCode {
    lambda::run("function", Variables::from_process(), Context::from_variables, handler).await
}
