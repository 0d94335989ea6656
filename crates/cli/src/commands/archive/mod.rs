//! `buildhub archive`: what an archiver's users ask.

mod ask;
mod download;

use std::io::Write as _;
use std::time::Duration;

use buildhub_archiver::settings::address;
use buildhub_archiver::verify::Damage;
use buildhub_core::{SettingError, Variables};
use buildhub_http::{Http, HttpError, HttpSettings, Url};
use clap::ArgMatches;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::time::Instant;

use crate::CommandError;
use ask::{Answer, Archiver, State, Wanted};
use download::{Downloaded, Target};

/// Waits between two looks at how far a task is.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archiver, or the store it leads to, cannot be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The archiver does not take such a request.
    #[error("{0}")]
    Refused(String),
    /// There is no such archive, and there will be none.
    #[error("{status}{}", because(.reason.as_deref()))]
    Failed {
        /// What the task says of itself.
        status: String,
        /// Why, where it says so.
        reason: Option<String>,
    },
    /// The answer is not one of an archiver.
    #[error("{url} answers as no archiver does ({reason}); is {address} one?", address = "ARCHIVER_URL")]
    Strange {
        /// What was asked.
        url: String,
        /// What does not fit.
        reason: String,
    },
    /// It takes too long.
    #[error("after {} s it is not there yet ({state}: {status}); ask again, it goes on", waited.as_secs())]
    Late {
        /// How long was waited.
        waited: Duration,
        /// The task's state.
        state: String,
        /// What it says.
        status: String,
    },
    /// What came is not what was to come.
    #[error("what came is not the archive: {0}")]
    Damaged(#[from] Damage),
    /// It broke off where it cannot be begun anew.
    #[error("the download broke off, and the object is another now; with --output FILE it would begin anew")]
    Broken,
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

/// What became of it, for programs.
#[derive(Debug, Serialize)]
struct Summary {
    /// SUCCESS where the archive is there, else the task's state.
    state: String,
    /// A signed address of the archive, for some minutes; where it is not there yet, the address of its task.
    url: Url,
    #[serde(flatten)]
    file: Option<Downloaded>,
}

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let archiver = Archiver::new(http(vars)?, &base(vars)?)?;
    let wanted = Wanted::from_matches(matches)?;
    let target = matches.get_one::<String>("output").map(|name| Target::named(name));
    let patience = Duration::from_secs(matches.get_one::<u64>("patience").copied().unwrap_or_default());
    let is_waiting = target.is_some() || matches.get_flag("wait");
    let bar = bar();
    let answer = match archiver.ask(&wanted).await? {
        Answer::Coming { status } if is_waiting => {
            Answer::There(wait(&archiver, &wanted, status, patience, &bar).await?)
        }
        answer => answer,
    };
    let summary = match answer {
        Answer::Coming { status } => Summary { state: "PENDING".to_owned(), url: status, file: None },
        Answer::There(url) => {
            let file = match &target {
                Some(target) => Some(download::download(&archiver, &wanted, url.clone(), target, &bar).await?),
                None => None,
            };
            Summary { state: "SUCCESS".to_owned(), url, file }
        }
    };
    bar.finish_and_clear();
    show(&summary, matches.get_flag("json"), target.as_ref()).map_err(CommandError::Output)?;
    Ok(true)
}

/// Waits until the archive is there: a signed address of it.
async fn wait(
    archiver: &Archiver,
    wanted: &Wanted,
    mut status: Url,
    patience: Duration,
    bar: &ProgressBar,
) -> Result<Url, ArchiveError> {
    let begun = Instant::now();
    let mut pause = FIRST_WAIT;
    loop {
        let report = archiver.status(&status).await?;
        bar.set_message(report.state.clone());
        bar.set_position(report.bytes());
        tracing::debug!(state = report.state, status = report.status, "waiting");
        match report.kind() {
            State::Failed => {
                let reason = report.reason();
                return Err(ArchiveError::Failed { status: report.status, reason });
            }
            State::Done => match archiver.ask(wanted).await? {
                Answer::There(url) => return Ok(url),
                // The object went away again: another task makes it once more.
                Answer::Coming { status: next } => status = next,
            },
            State::Going => {}
        }
        if begun.elapsed() + pause > patience {
            let (state, status) = (report.state, report.status);
            return Err(ArchiveError::Late { waited: begun.elapsed(), state, status });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_WAIT);
    }
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    if !crate::is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = indicatif::ProgressStyle::with_template("{msg:10} {spinner} {bytes} {bytes_per_sec}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn show(summary: &Summary, json: bool, target: Option<&Target>) -> std::io::Result<()> {
    let text = match (&summary.file, json) {
        (_, true) => serde_json::to_string(summary)?,
        (None, false) => summary.url.to_string(),
        (Some(file), false) => file.to_string(),
    };
    // What was asked for may be on standard output already; only then it is all that is there.
    if target.is_some_and(Target::is_output) {
        writeln!(std::io::stderr(), "{text}")
    } else {
        writeln!(std::io::stdout(), "{text}")
    }
}

fn base(vars: &Variables) -> Result<String, SettingError> {
    let allowed = "it is the address of the archiver that is asked; --archiver names it too".to_owned();
    address(vars)?.ok_or(SettingError::Missing { name: "ARCHIVER_URL", allowed })
}

/// Redirections are answers here.
fn http(vars: &Variables) -> Result<Http, CommandError> {
    let retries = vars.parse("NB_RETRY_REQUEST", 3, "it is a whole number, 0 or more")?;
    let seconds = vars.parse("TIMEOUT_SECONDS", 300, "it is a whole number of seconds")?;
    let timeout = Duration::from_secs(seconds);
    let settings = HttpSettings { retries, timeout, redirects: 0, ..HttpSettings::default() };
    Ok(Http::new(&settings).map_err(ArchiveError::from)?)
}
