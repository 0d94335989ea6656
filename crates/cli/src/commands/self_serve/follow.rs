//! A job, followed to its end.

use std::time::Duration;

use clap::ArgMatches;
use indicatif::ProgressBar;
use serde_json::Value;
use tokio::time::Instant;

use super::api::{Api, Path};
use super::{SelfServeError, show};
use crate::CommandError;

/// Waits between two looks.
const FIRST_WAIT: Duration = Duration::from_millis(300);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Shows a job, at its end where that is asked for; whether it was carried out, or still may be.
pub(super) async fn told(api: &Api, job: u64, matches: &ArgMatches) -> Result<bool, CommandError> {
    let found = if matches.get_flag("wait") {
        let patience = matches.get_one::<u64>("patience").copied().unwrap_or_default();
        follow(api, job, Duration::from_secs(patience)).await?
    } else {
        look(api, job).await?
    };
    show::show("job", &found, matches.get_flag("json")).map_err(CommandError::Output)?;
    Ok(found.pointer("/complete_data/body/errors").and_then(Value::as_bool) != Some(true))
}

async fn look(api: &Api, job: u64) -> Result<Value, SelfServeError> {
    api.get(&Path::new(&["self-serve", "jobs", &job.to_string()])).await
}

async fn follow(api: &Api, job: u64, patience: Duration) -> Result<Value, SelfServeError> {
    let bar = bar(job);
    let begun = Instant::now();
    let mut pause = FIRST_WAIT;
    loop {
        let found = look(api, job).await?;
        if !found.get("completed_at").is_none_or(Value::is_null) {
            bar.finish_and_clear();
            return Ok(found);
        }
        let trouble = found.get("trouble").and_then(Value::as_str).unwrap_or_default();
        bar.set_message(trouble.to_owned());
        tracing::debug!(job, trouble, "the job is open");
        if begun.elapsed() + pause > patience {
            return Err(SelfServeError::Late { job, waited: begun.elapsed() });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_WAIT);
    }
}

/// A spinner on a terminal, nothing elsewhere.
fn bar(job: u64) -> ProgressBar {
    if !crate::is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_prefix(format!("job {job}"));
    if let Ok(style) = indicatif::ProgressStyle::with_template("{prefix} {spinner} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
