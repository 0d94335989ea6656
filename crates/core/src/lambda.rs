//! A Lambda function's `main`: settings with their secrets, telemetry, context, and then one event after the other.
//!
//! Whatever a handler does, Lambda gets an answer, and the process goes on with the next event. An error is reported and
//! handed to Lambda, with its kind. A panic is reported before it unwinds, is delivered before the answer goes out (a
//! function that has answered is frozen), and is an error of kind `Panic`: a queue sends the whole batch again.
//!
//! ```no_run
//! # #[derive(Debug, thiserror::Error)]
//! # #[error("no")]
//! # struct Error;
//! # impl From<Error> for lambda_runtime::Diagnostic {
//! #     fn from(error: Error) -> Self {
//! #         Self { error_type: "No".into(), error_message: error.to_string() }
//! #     }
//! # }
//! use std::process::ExitCode;
//!
//! use buildhub_core::{Deadline, SettingError, Variables, lambda};
//! use serde_json::Value;
//!
//! struct Context;
//!
//! impl Context {
//!     fn from_variables(_: &Variables) -> Result<Self, SettingError> {
//!         Ok(Self)
//!     }
//! }
//!
//! async fn handler(payload: Value, _: &Context, _: Deadline) -> Result<Value, Error> {
//!     Ok(payload)
//! }
//!
//! #[tokio::main]
//! async fn main() -> ExitCode {
//!     lambda::run("echo", Variables::from_process(), Context::from_variables, handler).await
//! }
//! ```

use std::any::Any;
use std::error::Error;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;

use crate::aws::secrets;
use crate::telemetry::{LogFormat, Telemetry, TelemetrySettings};
use crate::{Deadline, Variables};

type AnyError = Box<dyn Error + Send + Sync>;

/// Runs a function until Lambda ends it. `name` is the function's, for what is said before there is a log.
///
/// `context` makes of the settings what all invocations share, and refuses what none could use: the function does not
/// start then, and says why.
pub async fn run<C, S, A, E>(
    name: &str,
    variables: Variables,
    context: impl FnOnce(&Variables) -> Result<C, S>,
    handler: impl AsyncFn(Value, &C, Deadline) -> Result<A, E>,
) -> ExitCode
where
    S: Error + Send + Sync + 'static,
    A: Serialize,
    E: Error + Into<Diagnostic> + 'static,
{
    match Box::pin(serve(variables, context, handler)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Lambda shows standard error of a function that does not start.
            let _ = writeln!(std::io::stderr(), "{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve<C, S, A, E>(
    variables: Variables,
    context: impl FnOnce(&Variables) -> Result<C, S>,
    handler: impl AsyncFn(Value, &C, Deadline) -> Result<A, E>,
) -> Result<(), AnyError>
where
    S: Error + Send + Sync + 'static,
    A: Serialize,
    E: Error + Into<Diagnostic> + 'static,
{
    let variables = secrets::resolve(variables).await?;
    let telemetry = Telemetry::start(&TelemetrySettings::from_variables(&variables, LogFormat::Json)?)?;
    let context = context(&variables).inspect_err(|error| telemetry.report(error))?;
    let (telemetry, context, handler) = (&telemetry, &context, &handler);
    Box::pin(lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let deadline = deadline(&event.context);
        let work = handler(event.payload, context, deadline);
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                telemetry.report(&error);
                Err(error.into())
            }
            // It was reported by the time it came here.
            Err(panic) => Err(panicked(panic.as_ref())),
        }
    })))
    .await
}

/// When Lambda stops an invocation.
fn deadline(context: &lambda_runtime::Context) -> Deadline {
    let left = context.deadline().duration_since(SystemTime::now());
    Deadline::after(left.unwrap_or(Duration::ZERO))
}

fn panicked(panic: &(dyn Any + Send)) -> Diagnostic {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("something unprintable");
    Diagnostic { error_type: "Panic".to_owned(), error_message: format!("the function panicked: {said}") }
}
