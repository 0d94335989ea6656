//! Reports: what they are asked for with, and how they are told.

use buildhub_core::web::{Response, StatusCode};
use serde_json::{Value, json};

use super::fault::Fault;
use super::find::{branch_of, name_of, unreadable};
use super::format::Format;
use super::paging::{Ends, with_next};
use super::read::{LISTED_MAX, looking_again, revision_of};
use super::route::Report;
use super::{Api, Asked, page};
use crate::builds::{Build, Cursors, Found, Request};
use crate::config::{Pool, Snapshot};
use crate::reports::span::Span;
use crate::reports::waits::{self, Blocks, Waits};
use crate::reports::{open, platform_in, runs};

/// How long after a span, in seconds, all builds are looked at for those that were asked for in it: a day. After that they
/// are looked for by their requests.
const LATER: i64 = 24 * 60 * 60;
/// In how many seconds a build begins once its request is taken: an hour, which is far more.
const TAKEN: i64 = 60 * 60;
/// The most builds that a report is made of: what is more is left out, and said to be.
const BUILDS_MAX: usize = 20_000;
/// The most blocks of waits beside the last one.
const BLOCKS_MAX: u32 = 48;
/// Builds that `recent` lists where nothing is said, as in the original.
const RECENT: usize = 25;
/// The branch of a report from end to end where none is said, as in the original.
const BRANCH: &str = "mozilla-central";

impl Api {
    pub(super) async fn report(&self, asked: &Asked<'_>, report: Report) -> Result<Response, Fault> {
        let snapshot = self.snapshot().await?;
        match report {
            Report::Pending(branch, platform) => {
                self.pending(asked, &snapshot, branch.as_deref(), platform.as_deref()).await
            }
            Report::Running(branch, platform) => {
                self.running(asked, &snapshot, branch.as_deref(), platform.as_deref()).await
            }
            Report::Revision(branch, revision) => self.all_of(asked, &snapshot, &branch, &revision).await,
            Report::Recent(worker) => self.recent(asked, &snapshot, worker.as_deref()).await,
            Report::WaitTimes(pool) => self.wait_times(asked, &snapshot, pool.as_deref()).await,
            Report::EndToEnd(branch) => self.end_to_end(asked, &snapshot, branch.as_deref().unwrap_or(BRANCH)).await,
        }
    }

    async fn pending(
        &self,
        asked: &Asked<'_>,
        snapshot: &Snapshot,
        branch: Option<&str>,
        platform: Option<&str>,
    ) -> Result<Response, Fault> {
        let (branches, count) = (spellings(snapshot, branch)?, everywhere(asked)?);
        let found = self.parts.builds.pending(branches.as_deref(), count, asked.cursor()?).await;
        let mut found = found.map_err(|error| unreadable(&error))?;
        let ends = Ends::default().only(found.len(), count, found.last().map(|request| request.request_id));
        let next = ends.next(asked, &[]);
        found.retain(|request| is_of(snapshot, &request.buildername, platform));
        let answer = match asked.format {
            Format::Json => {
                Response::json(StatusCode::OK, &json!({ "pending": open::pending(&found, &snapshot.branches) }))
            }
            Format::Html => {
                let page = page::pending(&self.frame(asked), &snapshot.branches, &found, next.as_deref());
                Response::page(StatusCode::OK, looking_again(page, true))
            }
        };
        Ok(with_next(asked, answer, next.as_deref()))
    }

    async fn running(
        &self,
        asked: &Asked<'_>,
        snapshot: &Snapshot,
        branch: Option<&str>,
        platform: Option<&str>,
    ) -> Result<Response, Fault> {
        let (branches, count) = (spellings(snapshot, branch)?, everywhere(asked)?);
        let found = self.parts.builds.running(branches.as_deref(), count, asked.cursor()?).await;
        let mut found = found.map_err(|error| unreadable(&error))?;
        let next = Ends::default().builds(&found, count).next(asked, &[]);
        found.retain(|build| is_of(snapshot, &build.buildername, platform));
        let answer = match asked.format {
            Format::Json => {
                Response::json(StatusCode::OK, &json!({ "running": open::running(&found, &snapshot.branches) }))
            }
            Format::Html => {
                let page = page::running(&self.frame(asked), &snapshot.branches, &found, next.as_deref());
                Response::page(StatusCode::OK, looking_again(page, true))
            }
        };
        Ok(with_next(asked, answer, next.as_deref()))
    }

    async fn all_of(
        &self,
        asked: &Asked<'_>,
        snapshot: &Snapshot,
        branch: &str,
        revision: &str,
    ) -> Result<Response, Fault> {
        let known = branch_of(snapshot, branch)?;
        let revision = revision_of(revision)?;
        let report = |found: Found| {
            json!({
                "pending": open::pending(&found.pending, &snapshot.branches),
                "all": open::all(&found.builds, &snapshot.branches),
                "branch": branch,
                "revision": revision.to_string(),
            })
        };
        self.revision_as(asked, &known, &revision, |found| Response::json(StatusCode::OK, &report(found))).await
    }

    async fn recent(&self, asked: &Asked<'_>, snapshot: &Snapshot, worker: Option<&str>) -> Result<Response, Fault> {
        let count = asked.size("numbuilds", RECENT, LISTED_MAX)?;
        let worker = worker.or_else(|| asked.parameter("slave")).map(|name| name_of("worker", name)).transpose()?;
        let builds = self.parts.builds.recent(worker, count, asked.cursor()?).await;
        let builds = builds.map_err(|error| unreadable(&error))?;
        let next = Ends::default().builds(&builds, count).next(asked, &[]);
        let entry = |build: &Build| {
            json!({
                "id": build.build_id,
                "buildname": build.buildername,
                "buildername": build.buildername,
                "buildnumber": build.buildnumber,
                "starttime": build.starttime,
                "endtime": build.endtime,
                "result": build.status,
                "slavename": build.claimed_by_name,
                "master": build.master,
            })
        };
        let answer = match asked.format {
            Format::Json => Response::json(StatusCode::OK, &builds.iter().map(entry).collect::<Vec<_>>()),
            Format::Html => {
                let page = page::recent(&self.frame(asked), &snapshot.branches, worker, &builds, next.as_deref());
                Response::page(StatusCode::OK, page)
            }
        };
        Ok(with_next(asked, answer, next.as_deref()))
    }

    async fn wait_times(&self, asked: &Asked<'_>, snapshot: &Snapshot, pool: Option<&str>) -> Result<Response, Fault> {
        let span = span(asked)?;
        let pool: Option<Pool> =
            pool.map(str::parse).transpose().map_err(|error| Fault::bad(format!("Bad pool: {error}")))?;
        let masters = pool.map(|pool| snapshot.masters.of(pool));
        let blocks = blocks(asked)?;
        let is_in_percent = match asked.parameter("num") {
            None | Some("full") => false,
            Some("ptg") => true,
            Some(_) => return Err(Fault::bad("Bad num: it is full or ptg")),
        };
        let (mut builds, pending) = self.begun_since(&span, asked.now.as_second()).await?;
        let is_cut = builds.len() >= BUILDS_MAX || pending.len() >= BUILDS_MAX;
        if let Some(pool) = pool {
            builds.retain(|build| build.master.as_deref().is_some_and(|master| snapshot.masters.has(pool, master)));
        }
        let platform = |builder| platform_of(snapshot, builder);
        let waits = waits::waits(&builds, &pending, &span, blocks, asked.now.as_second(), platform);
        Ok(match asked.format {
            Format::Json => {
                let mut said = json!(waits);
                if let Value::Object(fields) = &mut said {
                    fields.insert("pool".to_owned(), json!(pool.map(|pool| pool.to_string())));
                    fields.insert("masters".to_owned(), json!(masters.unwrap_or_default()));
                    fields.insert("is_partial".to_owned(), json!(is_cut));
                    if is_in_percent {
                        in_percent(&waits, fields);
                    }
                }
                Response::json(StatusCode::OK, &said)
            }
            Format::Html => {
                let pool = pool.map_or_else(|| "all pools".to_owned(), |pool| pool.to_string());
                Response::page(StatusCode::OK, page::waits(&self.frame(asked), &pool, &waits, is_cut))
            }
        })
    }

    async fn end_to_end(&self, asked: &Asked<'_>, snapshot: &Snapshot, branch: &str) -> Result<Response, Fault> {
        let known = branch_of(snapshot, branch)?;
        let span = span(asked)?;
        let (branches, range) = (known.spellings(), &span.range);
        let found = self.parts.builds.of_day(&branches, range.clone(), BUILDS_MAX, Cursors::default());
        let never_built = self.parts.builds.never_built(&branches, range.clone(), BUILDS_MAX);
        let (found, never_built) = tokio::try_join!(found, never_built).map_err(|error| unreadable(&error))?;
        let is_cut =
            [found.builds.len(), found.pending.len(), never_built.len()].iter().any(|there| *there >= BUILDS_MAX);
        let runs = runs::runs(&found.builds, &found.pending, &never_built, asked.now.as_second());
        Ok(match asked.format {
            Format::Json => {
                let mut said = json!(runs);
                if let Value::Object(fields) = &mut said {
                    fields.insert("branch".to_owned(), json!(branch));
                    fields.insert("starttime".to_owned(), json!(span.range.start));
                    fields.insert("endtime".to_owned(), json!(span.range.end));
                    fields.insert("is_partial".to_owned(), json!(is_cut || found.unreadable > 0));
                }
                Response::json(StatusCode::OK, &said)
            }
            Format::Html => Response::page(StatusCode::OK, page::runs(&self.frame(asked), &known, &runs)),
        })
    }

    /// Builds that began in a span or later, since what was asked for in it may have waited long; and what was asked for in
    /// it and waits now. Builds that began soon are found by their beginnings, others by their requests: those are few.
    async fn begun_since(&self, span: &Span, now: i64) -> Result<(Vec<Build>, Vec<Request>), Fault> {
        let known = &self.parts.builds;
        let until = span.range.end.saturating_add(LATER);
        let late = async {
            if until > now {
                return Ok(Vec::new());
            }
            known.begun_late(span.range.clone(), until.saturating_sub(TAKEN), BUILDS_MAX).await
        };
        let soon = known.begun_between(span.range.start..until, BUILDS_MAX);
        let pending = known.pending_since(span.range.clone(), BUILDS_MAX);
        let found = tokio::try_join!(soon, late, pending);
        let (mut builds, late, pending) = found.map_err(|error| unreadable(&error))?;
        builds.extend(late);
        Ok((builds, pending))
    }
}

/// How many of all branches are asked for: a program gets all of it, a page so many as a person looks at.
fn everywhere(asked: &Asked<'_>) -> Result<usize, Fault> {
    let most = match asked.format {
        Format::Json => BUILDS_MAX,
        Format::Html => LISTED_MAX,
    };
    asked.count(most, most)
}

fn spellings(snapshot: &Snapshot, branch: Option<&str>) -> Result<Option<Vec<String>>, Fault> {
    branch.map(|name| branch_of(snapshot, name).map(|branch| branch.spellings())).transpose()
}

/// What a builder builds for: what its document says, or its name.
fn platform_of<'a>(snapshot: &'a Snapshot, builder: &'a str) -> Option<&'a str> {
    snapshot.builders.platform(builder).or_else(|| platform_in(builder))
}

fn is_of(snapshot: &Snapshot, builder: &str, platform: Option<&str>) -> bool {
    platform.is_none_or(|platform| platform_of(snapshot, builder) == Some(platform))
}

fn span(asked: &Asked<'_>) -> Result<Span, Fault> {
    let moment = |name: &str| match asked.parameter(name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| Fault::bad(format!("Bad {name}: it is seconds since 1970"))),
    };
    let interval = moment("int_size")?.unwrap_or(0);
    let span = Span::new(moment("starttime")?, moment("endtime")?, interval, asked.now.as_second());
    span.map_err(|error| Fault::bad(error.to_string()))
}

fn blocks(asked: &Asked<'_>) -> Result<Blocks, Fault> {
    let minutes = |name, default: u32| asked.number(name, default.into(), 24 * 60);
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let blocks = Blocks { minutes: narrow(minutes("mpb", waits::BLOCK)?), last: narrow(minutes("maxb", waits::LAST)?) };
    if blocks.minutes == 0 {
        return Err(Fault::bad("Bad mpb: it is 1 or more minutes"));
    }
    // Each is a list of intervals, for each platform.
    if blocks.last / blocks.minutes > BLOCKS_MAX {
        return Err(Fault::bad(format!("Bad maxb: it is at most {BLOCKS_MAX} times mpb")));
    }
    Ok(blocks)
}

/// The totals of the blocks as shares of all, in percent.
fn in_percent(waits: &Waits, fields: &mut serde_json::Map<String, Value>) {
    let share = |count: u64| {
        // Counts are far below 2⁵³.
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
        let (count, total) = (count as f64, waits.total.max(1) as f64);
        (count * 10_000.0 / total).round() / 100.0
    };
    let shares: serde_json::Map<String, Value> =
        waits.wt.iter().map(|(block, known)| (block.to_string(), json!(share(known.total)))).collect();
    fields.insert("ptg".to_owned(), Value::Object(shares));
}
