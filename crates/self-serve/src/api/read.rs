//! What there is: branches, builds, requests, jobs.

use std::collections::BTreeMap;
use std::ops::Range;

use buildhub_core::web::{Page, Response, StatusCode};
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan as _};
use serde::Serialize;

use super::fault::Fault;
use super::find::{branch_of, name_of, number_of, short, unreadable};
use super::format::Format;
use super::page::{self, Frame};
use super::paging::{BEFORE, Ends, with_next};
use super::route::Place;
use super::{Api, Asked};
use crate::action::{Action, Revision};
use crate::builds::{Build, End, Found, Request};
use crate::config::{Branch, Snapshot};
use crate::jobs::{Completion, Job};

/// The most that one answer lists. What is more has its next address in `Link` (RFC 8288).
pub(super) const LISTED_MAX: usize = 1000;
/// Jobs that one answer lists where nothing is said, as in the original.
const JOBS: usize = 100;
/// Builds and requests of a person that one answer lists of each kind where nothing is said, likewise.
const OF_USER: usize = 200;
/// How far back `offset` goes; `before` goes as far as one likes.
const OFFSET_MAX: usize = 1000;
/// Seconds for which a revision must have been quiet to count as done, where nothing is said.
const STABLE: u64 = 180;
/// The longest such time: a week.
const STABLE_MAX: u64 = 7 * 24 * 60 * 60;
/// Seconds after which a page of what is not over looks again.
const LOOK_AGAIN: u32 = 30;
/// The same of a job that was asked for within the last minute: somebody is waiting for it, and most take a moment.
const LOOK_SOON: u32 = 3;
const YOUNG: i64 = 60;

/// A build or a request that waits, in one list.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Item {
    Build(Build),
    Request(Request),
}

/// A job as its users see it.
#[derive(Debug, Serialize)]
struct JobView<'a> {
    id: u64,
    #[serde(flatten)]
    action: &'a Action,
    who: &'a str,
    when: i64,
    completed_at: Option<i64>,
    complete_data: Option<&'a Completion>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    steps: &'a serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'a str>,
}

impl<'a> From<&'a Job> for JobView<'a> {
    fn from(job: &'a Job) -> Self {
        let Job { number, action, who, when, completed_at, complete_data, steps, trouble, .. } = job;
        let (complete_data, trouble) = (complete_data.as_ref(), trouble.as_deref());
        Self { id: *number, action, who, when: *when, completed_at: *completed_at, complete_data, steps, trouble }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct IsDone {
    stable_delay: u64,
    #[serde(rename = "job_complete")]
    complete: bool,
    #[serde(rename = "job_passed")]
    passed: bool,
}

impl Api {
    pub(super) async fn read(&self, asked: &Asked<'_>, name: &str, place: Place) -> Result<Response, Fault> {
        let snapshot = self.snapshot().await?;
        let branch = branch_of(&snapshot, name)?;
        match place {
            Place::Day => self.day(asked, &branch).await,
            Place::Build(id) => self.build(asked, &branch, &id).await,
            Place::Request(id) => self.request(asked, &branch, &id).await,
            Place::Revision(revision) => self.revision(asked, &branch, &revision).await,
            Place::IsDone(revision) => self.is_done(asked, &branch, &revision).await,
            Place::Builders => self.builders(asked, &snapshot, &branch).await,
            Place::User(user) => self.user(asked, &branch, &user).await,
            // Their only method is `POST`, which the door has seen to.
            Place::Builds | Place::Requests | Place::Pgo(_) | Place::Nightly(_) | Place::Builder(..) => {
                Err(Fault::missing("there is nothing to be read at this address"))
            }
        }
    }

    /// What is around every page.
    pub(super) fn frame<'a>(&'a self, asked: &'a Asked<'_>) -> Frame<'a> {
        let person = self.settings.identity.person(asked.request, asked.now).ok().flatten();
        Frame { base: &asked.request.base, now: asked.now, person: person.map(|person| person.name) }
    }

    pub(super) fn home(&self, asked: &Asked<'_>) -> Response {
        match asked.format {
            Format::Json => Response::json(StatusCode::OK, &page::ENDPOINTS),
            Format::Html => Response::page(StatusCode::OK, page::home(&self.frame(asked))),
        }
    }

    pub(super) async fn branches(&self, asked: &Asked<'_>) -> Result<Response, Fault> {
        let snapshot = self.snapshot().await?;
        Ok(match asked.format {
            Format::Json => Response::json(StatusCode::OK, &snapshot.branches),
            Format::Html => {
                let names: Vec<&str> = snapshot.branches.names().collect();
                Response::page(StatusCode::OK, page::branches(&self.frame(asked), &names))
            }
        })
    }

    pub(super) async fn jobs(&self, asked: &Asked<'_>) -> Result<Response, Fault> {
        let count = asked.count(JOBS, LISTED_MAX)?;
        let offset = asked.size("offset", 0, OFFSET_MAX)?;
        let before = asked.before(BEFORE)?;
        let newest = self.parts.jobs.newest(count + offset, before).await.map_err(|error| unreadable(&error))?;
        let there = newest.jobs.len() + usize::try_from(newest.unreadable).unwrap_or(usize::MAX);
        let jobs: Vec<Job> = newest.jobs.into_iter().skip(offset).collect();
        let ends = Ends::default().only(there, count + offset, newest.last);
        let next = ends.next(asked, &[]);
        let answer = match asked.format {
            Format::Json => Response::json(StatusCode::OK, &jobs.iter().map(JobView::from).collect::<Vec<_>>()),
            Format::Html => Response::page(StatusCode::OK, page::jobs(&self.frame(asked), &jobs, next.as_deref())),
        };
        Ok(with_next(asked, answer, next.as_deref()))
    }

    pub(super) async fn job(&self, asked: &Asked<'_>, id: &str) -> Result<Response, Fault> {
        let missing = || Fault::missing(format!("Job {} not found", short(id)));
        let number = number_of(id).ok_or_else(missing)?;
        let job = self.parts.jobs.find(number).await.map_err(|error| unreadable(&error))?.ok_or_else(missing)?;
        Ok(match asked.format {
            Format::Json => Response::json(StatusCode::OK, &JobView::from(&job)),
            Format::Html => {
                // Without the list of branches nothing is linked, and the job is told all the same.
                let snapshot = self.snapshot().await.unwrap_or_default();
                let started = self.started(&job).await?;
                let page = page::job(&self.frame(asked), &snapshot.branches, &job, &started);
                let is_young = asked.now.as_second().saturating_sub(job.when) < YOUNG;
                let page =
                    if job.is_open() && is_young { page.again(LOOK_SOON) } else { looking_again(page, job.is_open()) };
                Response::page(StatusCode::OK, page)
            }
        })
    }

    /// The branches of the requests that a job's steps name, by the requests' numbers.
    async fn started(&self, job: &Job) -> Result<BTreeMap<u64, String>, Fault> {
        let named = job.steps.values().filter_map(|step| step.get("requests").unwrap_or(step).as_array()).flatten();
        let ids: Vec<u64> = named.filter_map(serde_json::Value::as_u64).take(LISTED_MAX).collect();
        self.parts.builds.branches_of(&ids).await.map_err(|error| unreadable(&error))
    }

    async fn day(&self, asked: &Asked<'_>, branch: &Branch<'_>) -> Result<Response, Fault> {
        let today = asked.now.to_zoned(self.settings.zone.clone()).date();
        let date: Date = match asked.parameter("date") {
            Some(text) => text.parse().map_err(|_| Fault::bad("Bad date: it is a day as YYYY-MM-DD"))?,
            None => today,
        };
        let (count, from) = (asked.count(LISTED_MAX, LISTED_MAX)?, asked.cursors()?);
        let span = self.span(date)?;
        let found = self.parts.builds.of_day(&branch.spellings(), span, count, from).await;
        let found = found.map_err(|error| unreadable(&error))?;
        let next = ends(&found, count).next(asked, &[("date", date.to_string())]);
        let answer = match asked.format {
            Format::Json => Response::json(StatusCode::OK, &items(found)),
            Format::Html => {
                let is_open = is_open(&found);
                let page = page::day(&self.frame(asked), branch, date, &found, &from, next.as_deref());
                Response::page(StatusCode::OK, looking_again(page, date == today && is_open))
            }
        };
        Ok(with_next(asked, answer, next.as_deref()))
    }

    /// A day's moments, in seconds since 1970.
    fn span(&self, date: Date) -> Result<Range<i64>, Fault> {
        let out_of_time = |_| Fault::bad("Bad date: that day is out of this calendar");
        let begin = date.to_zoned(self.settings.zone.clone()).map_err(out_of_time)?;
        let end = begin.checked_add(1.day()).map_err(out_of_time)?;
        Ok(begin.timestamp().as_second()..end.timestamp().as_second())
    }

    async fn build(&self, asked: &Asked<'_>, branch: &Branch<'_>, id: &str) -> Result<Response, Fault> {
        let id = number_of(id).ok_or_else(|| Fault::missing(format!("Build {} not found", short(id))))?;
        let build = self.build_of(branch, id).await?;
        Ok(match asked.format {
            Format::Json => Response::json(StatusCode::OK, &build),
            Format::Html => {
                let page = page::build(&self.frame(asked), branch, &build);
                Response::page(StatusCode::OK, looking_again(page, build.endtime.is_none()))
            }
        })
    }

    async fn request(&self, asked: &Asked<'_>, branch: &Branch<'_>, id: &str) -> Result<Response, Fault> {
        let id = number_of(id).ok_or_else(|| Fault::missing(format!("Request {} not found", short(id))))?;
        let request = self.request_of(branch, id).await?;
        Ok(match asked.format {
            Format::Json => Response::json(StatusCode::OK, &request),
            Format::Html => {
                let page = page::request(&self.frame(asked), branch, &request);
                Response::page(StatusCode::OK, looking_again(page, request.complete == 0))
            }
        })
    }

    async fn revision(&self, asked: &Asked<'_>, branch: &Branch<'_>, revision: &str) -> Result<Response, Fault> {
        let revision = revision_of(revision)?;
        self.revision_as(asked, branch, &revision, |found| Response::json(StatusCode::OK, &items(found))).await
    }

    /// All of a revision: a page, or as `json` writes it.
    pub(super) async fn revision_as(
        &self,
        asked: &Asked<'_>,
        branch: &Branch<'_>,
        revision: &Revision,
        json: impl FnOnce(Found) -> Response,
    ) -> Result<Response, Fault> {
        let (count, from) = (asked.count(LISTED_MAX, LISTED_MAX)?, asked.cursors()?);
        let found = self.parts.builds.of_revision_from(&branch.spellings(), revision, count, from).await;
        let found = found.map_err(|error| unreadable(&error))?;
        let next = ends(&found, count).next(asked, &[]);
        let answer = match asked.format {
            Format::Json => json(found),
            Format::Html => {
                let page = page::revision(&self.frame(asked), branch, revision, &found, &from, next.as_deref());
                Response::page(StatusCode::OK, looking_again(page, is_open(&found)))
            }
        };
        Ok(with_next(asked, answer, next.as_deref()))
    }

    async fn is_done(&self, asked: &Asked<'_>, branch: &Branch<'_>, revision: &str) -> Result<Response, Fault> {
        let revision = revision_of(revision)?;
        let stable_delay = asked.number("stableDelay", STABLE, STABLE_MAX)?;
        let delay = SignedDuration::from_secs(i64::try_from(stable_delay).unwrap_or(i64::MAX));
        let quiet_since = asked.now.checked_sub(delay).map_or(i64::MIN, jiff::Timestamp::as_second);
        let end = self.parts.builds.end_of(&branch.spellings(), &revision, quiet_since).await;
        let End { is_over, is_passed } = end.map_err(|error| unreadable(&error))?;
        let is_done = IsDone { stable_delay, complete: is_over, passed: is_passed };
        Ok(match asked.format {
            Format::Json => Response::json(StatusCode::OK, &is_done),
            Format::Html => {
                let said = (is_done.complete, is_done.passed, stable_delay);
                let page = page::is_done(&self.frame(asked), branch, &revision, said);
                Response::page(StatusCode::OK, looking_again(page, !is_done.complete))
            }
        })
    }

    async fn builders(&self, asked: &Asked<'_>, snapshot: &Snapshot, branch: &Branch<'_>) -> Result<Response, Fault> {
        let revision = asked.parameter("revision").map(revision_of).transpose()?;
        let builders = snapshot.builders_of(branch, self.parts.backend.as_ref()).await;
        let builders = builders.map_err(|error| unreadable(&error))?;
        Ok(match asked.format {
            Format::Json => Response::json(StatusCode::OK, &builders),
            Format::Html => {
                let page = page::builders(&self.frame(asked), branch, &builders, revision.as_ref());
                Response::page(StatusCode::OK, page)
            }
        })
    }

    async fn user(&self, asked: &Asked<'_>, branch: &Branch<'_>, user: &str) -> Result<Response, Fault> {
        let (count, from) = (asked.count(OF_USER, LISTED_MAX)?, asked.cursors()?);
        let found = self.parts.builds.of_user(&branch.spellings(), name_of("user", user)?, count, from).await;
        let found = found.map_err(|error| unreadable(&error))?;
        let ends = Ends::default().builds(&found.builds, count).running(&found.running, count);
        let next = ends.pending(&found.pending, count).next(asked, &[]);
        let answer = match asked.format {
            Format::Json => {
                let crate::builds::OfUser { builds, running, pending } = found;
                let said = serde_json::json!({ "builds": builds, "running": running, "pending": pending });
                Response::json(StatusCode::OK, &said)
            }
            Format::Html => {
                let is_open = !found.running.is_empty() || !found.pending.is_empty();
                let page = page::user(&self.frame(asked), branch, user, &found, &from, next.as_deref());
                Response::page(StatusCode::OK, looking_again(page, is_open))
            }
        };
        Ok(with_next(asked, answer, next.as_deref()))
    }
}

/// Where an answer's lists of builds and of waiting requests end.
fn ends(found: &Found, count: usize) -> Ends {
    Ends::default().builds(&found.builds, count).pending(&found.pending, count)
}

/// A revision as addresses have it.
pub(super) fn revision_of(text: &str) -> Result<Revision, Fault> {
    text.parse().map_err(|error| Fault::bad(format!("Bad revision: {error}")))
}

fn items(found: Found) -> Vec<Item> {
    let Found { builds, pending, .. } = found;
    builds.into_iter().map(Item::Build).chain(pending.into_iter().map(Item::Request)).collect()
}

fn is_open(found: &Found) -> bool {
    !found.pending.is_empty() || found.builds.iter().any(|build| build.endtime.is_none())
}

/// A page looks again by itself while something is not over.
pub(super) fn looking_again(page: Page, is_open: bool) -> Page {
    if is_open { page.again(LOOK_AGAIN) } else { page }
}
