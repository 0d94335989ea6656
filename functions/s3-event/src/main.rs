//! The Lambda function `s3-event`: telemetry, settings, context, run.

use std::io::Write as _;
use std::process::ExitCode;

use buildhub_core::Variables;
use buildhub_core::telemetry::{LogFormat, Telemetry, TelemetrySettings};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use s3_event::{Context, deadline, handler};
use serde_json::Value;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(serve()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Lambda shows standard error of a function that does not start.
            let _ = writeln!(std::io::stderr(), "s3-event: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    let variables = Variables::from_process();
    let telemetry = Telemetry::start(&TelemetrySettings::from_variables(&variables, LogFormat::Json)?)?;
    let context = Context::from_variables(&variables)?;
    let (telemetry, context) = (&telemetry, &context);
    Box::pin(lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let outcome = handler(event.payload, context, deadline(&event.context)).await;
        outcome.inspect_err(|error| telemetry.report(error))
    })))
    .await
}
