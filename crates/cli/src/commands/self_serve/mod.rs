//! `buildhub self-serve`: what self-serve's users ask.

mod api;
mod follow;
mod show;
mod wish;

use std::io::Write as _;
use std::time::Duration;

use buildhub_core::{SettingError, Variables};
use buildhub_http::{Http, HttpError, HttpSettings, StatusCode, Url};
use clap::ArgMatches;
use serde_json::Value;

use crate::CommandError;
use api::{Api, Path};

/// How many of a person's builds are read where it is not said: some have asked for builds for years.
const OF_A_PERSON: usize = 1000;

/// Why self-serve's answer is none.
#[derive(Debug, thiserror::Error)]
pub enum SelfServeError {
    /// It cannot be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It refuses.
    #[error("{message} ({status})")]
    Refused {
        /// How.
        status: StatusCode,
        /// What it says.
        message: String,
    },
    /// The answer is not one of self-serve.
    #[error("{url} answers as no self-serve does ({reason}); is SELF_SERVE_URL one?")]
    Strange {
        /// What was asked.
        url: String,
        /// What does not fit.
        reason: String,
    },
    /// It takes too long.
    #[error("after {} s job {job} is still open; it goes on: buildhub self-serve job {job} --wait", waited.as_secs())]
    Late {
        /// The job.
        job: u64,
        /// How long was waited.
        waited: Duration,
    },
}

impl SelfServeError {
    /// Whether what was asked for makes no sense.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::BAD_REQUEST, .. })
    }
}

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(false) };
    let api = Api::new(http(vars)?, base(vars)?, vars.get("SELF_SERVE_TOKEN"))?;
    if let Some(wish) = wish::of(name, matches)? {
        let job = api.ask(wish, matches.get_one::<String>("key").map(String::as_str)).await?;
        return follow::told(&api, job, matches).await;
    }
    if name == "job" {
        let job = matches.get_one::<u64>("ID").copied().unwrap_or_default();
        return follow::told(&api, job, matches).await;
    }
    let question = question(name, matches);
    let found = if name == "builds" { builds(&api, question, matches).await? } else { api.get(&question).await? };
    show::show(name, &found, matches.get_flag("json")).map_err(CommandError::Output)?;
    Ok(name != "is-done" || found.get("job_complete").and_then(Value::as_bool) == Some(true))
}

/// All builds of a day or a revision, and as many of somebody's as are few, unless it is said how many.
async fn builds(api: &Api, question: Path, matches: &ArgMatches) -> Result<Value, CommandError> {
    let said = matches.get_one::<u64>("limit").and_then(|limit| usize::try_from(*limit).ok());
    let limit = said.or_else(|| matches.contains_id("user").then_some(OF_A_PERSON));
    let (found, is_more) = api.all(question, limit).await?;
    if let Some(limit) = limit.filter(|_| is_more) {
        let note = format!("These are the newest of each kind; there may be more: --limit NUMBER (now {limit})");
        writeln!(std::io::stderr(), "{note}").map_err(CommandError::Output)?;
    }
    Ok(found)
}

/// Where the answer to a question is.
fn question(name: &str, matches: &ArgMatches) -> Path {
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().map(String::as_str);
    let number = |name: &str| matches.try_get_one::<u64>(name).ok().flatten().map(u64::to_string);
    let branch = text("BRANCH").unwrap_or_default();
    let of_branch = |rest: &[&str]| Path::new(&["self-serve", branch]).and(rest);
    match name {
        "addresses" => Path::new(&["self-serve"]),
        "branches" => Path::new(&["self-serve", "branches"]),
        "builders" => of_branch(&["builders"]),
        "build" | "request" => of_branch(&[name, &number("ID").unwrap_or_default()]),
        "is-done" => of_branch(&["rev", text("REVISION").unwrap_or_default(), "is_done"])
            .with("stableDelay", number("stable-delay").as_deref()),
        "jobs" => Path::new(&["self-serve", "jobs"])
            .with("num", number("limit").as_deref())
            .with("before", number("before").as_deref()),
        "report" => {
            let of: Vec<&str> = matches.get_many::<String>("OF").into_iter().flatten().map(String::as_str).collect();
            let path = report(text("REPORT").unwrap_or_default(), &of);
            let path = path.with("starttime", text("from")).with("endtime", text("to"));
            let more = matches.get_many::<(String, String)>("with").into_iter().flatten();
            more.fold(path, |path, (name, value)| path.with(name, Some(value)))
        }
        _ => match (text("revision"), text("user")) {
            (Some(revision), _) => of_branch(&["rev", revision]),
            (_, Some(user)) => of_branch(&["user", user]),
            _ => of_branch(&[]).with("date", text("date")),
        },
    }
}

fn report(name: &str, of: &[&str]) -> Path {
    match name {
        "waittimes" | "endtoend" => Path::new(&["reports", name]).and(of),
        _ => Path::new(&[name]).and(of),
    }
}

fn base(vars: &Variables) -> Result<Url, SettingError> {
    const NAME: &str = "SELF_SERVE_URL";
    let allowed = "it is the address of the self-serve that is asked; --self-serve names it too";
    let text = vars.get(NAME).ok_or_else(|| SettingError::Missing { name: NAME, allowed: allowed.to_owned() })?;
    match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(SettingError::InvalidSecret { name: NAME, allowed: "it has no user and password in it".to_owned() })
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(SettingError::invalid(NAME, text, "it is an http:// or https:// address")),
    }
}

/// Redirections are answers here.
fn http(vars: &Variables) -> Result<Http, CommandError> {
    let retries = vars.parse("NB_RETRY_REQUEST", 3, "it is a whole number, 0 or more")?;
    let seconds = vars.parse("TIMEOUT_SECONDS", 60, "it is a whole number of seconds")?;
    let timeout = Duration::from_secs(seconds);
    let settings = HttpSettings { retries, timeout, redirects: 0, ..HttpSettings::default() };
    Ok(Http::new(&settings).map_err(SelfServeError::from)?)
}
