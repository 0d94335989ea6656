//! What nobody works on any more: found, and sent again or ended; and what is known of builds, made true.

use std::time::Duration;

use buildhub_core::Deadline;
use jiff::Timestamp;
use serde::Serialize;

use super::{Agent, LEAST, Message, WorkError};
use crate::builds::refresh::Reconciled;
use crate::jobs::{Job, Listed};

/// How long nothing may come of a message before it is sent again; twice as long each time, to at most [`LONGEST`].
const FIRST: Duration = Duration::from_mins(2);
const LONGEST: Duration = Duration::from_mins(15);
/// How old an open job becomes.
const OLDEST: Duration = Duration::from_hours(24);
/// Jobs that one turn looks at: the oldest ones.
const TURN: usize = 1000;

/// What a turn did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Swept {
    /// Open jobs that were looked at.
    pub open: u64,
    /// Of those, how many messages were sent again.
    pub sent: u64,
    /// Of those, how many are over, for nobody could carry them out within a day.
    pub expired: u64,
    /// What could not be done, each with its reason in the log.
    pub faults: u64,
    /// What was found of builds.
    pub builds: Reconciled,
}

/// What is to be done about an open job.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Later,
    Send,
    End,
}

impl Agent {
    /// One turn: jobs first, then builds. An error only where the jobs cannot be listed.
    pub async fn sweep(&self, now: Timestamp, deadline: Deadline) -> Result<Swept, WorkError> {
        let mut swept = Swept::default();
        self.sweep_jobs(now.as_second(), deadline, &mut swept).await?;
        match deadline.allow(LEAST, self.refresher.reconcile(deadline)).await {
            Some(Ok(builds)) => {
                swept.faults += builds.faults;
                swept.builds = builds;
            }
            Some(Err(error)) => {
                tracing::error!(%error, "what is known of builds cannot be compared with the build system");
                swept.faults += 1;
            }
            None => swept.builds.is_partial = true,
        }
        Ok(swept)
    }

    async fn sweep_jobs(&self, now: i64, deadline: Deadline, swept: &mut Swept) -> Result<(), WorkError> {
        let Listed { jobs, unreadable, .. } = self.jobs.open(TURN).await?;
        swept.faults += unreadable;
        for job in jobs {
            if deadline.is_within(LEAST) {
                break;
            }
            swept.open += 1;
            let done = match due(&job, now) {
                Due::Later => continue,
                Due::Send => self.send_again(&job, now).await.map(|()| swept.sent += 1),
                Due::End => self.give_up(&job, now).await.map(|()| swept.expired += 1),
            };
            if let Err(error) = done {
                tracing::error!(job = job.number, %error, "an open job cannot be looked after");
                swept.faults += 1;
            }
        }
        Ok(())
    }

    /// Writes first, so that of what cannot be sent now there is no more sent the next time.
    async fn send_again(&self, job: &Job, now: i64) -> Result<(), WorkError> {
        let job = self.jobs.sent_again(job.number, now).await?;
        if job.is_open() {
            // A turn's own time makes it another message than the first, and than those of other turns.
            let message = Message::outgoing(&job, now.unsigned_abs());
            self.queue.send(vec![message]).await?;
            tracing::info!(job = job.number, sent = ?job.sent, trouble = job.trouble, "sent again");
        }
        Ok(())
    }

    async fn give_up(&self, job: &Job, now: i64) -> Result<(), WorkError> {
        let why = job.trouble.as_deref().unwrap_or("no agent took it");
        let message = format!("Not carried out within a day, and given up: {why}");
        tracing::error!(job = job.number, why, "a job is given up");
        self.jobs.complete(job.number, true, &message, now).await?;
        Ok(())
    }
}

fn due(job: &Job, now: i64) -> Due {
    let passed = |since: i64| Duration::from_secs(now.saturating_sub(since).max(0).unsigned_abs());
    if passed(job.when) >= OLDEST {
        return Due::End;
    }
    let (times, last) = job.sent.map_or((0, job.when), |sent| (sent.times, sent.last));
    let wait = FIRST.saturating_mul(1 << times.min(10)).min(LONGEST);
    if passed(last) >= wait { Due::Send } else { Due::Later }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::jobs::Sent;

    #[test]
    fn an_open_job_is_sent_again_less_and_less_often_and_given_up_after_a_day() {
        let mut job = Job::new(1, Action::CancelBuild { bid: 1 }, "alice", 0);
        let minutes = |minutes: i64| minutes * 60;
        assert_eq!([due(&job, minutes(2) - 1), due(&job, minutes(2))], [Due::Later, Due::Send]);
        job.sent = Some(Sent { times: 1, last: minutes(2) });
        assert_eq!([due(&job, minutes(6) - 1), due(&job, minutes(6))], [Due::Later, Due::Send]);
        job.sent = Some(Sent { times: 99, last: minutes(100) });
        assert_eq!([due(&job, minutes(115) - 1), due(&job, minutes(115))], [Due::Later, Due::Send]);
        assert_eq!(due(&job, 24 * minutes(60)), Due::End);
        job.when = minutes(60);
        assert_eq!(due(&Job { sent: None, ..job }, 0), Due::Later, "a clock that is behind sends nothing");
    }
}
