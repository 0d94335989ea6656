//! Lists that are longer than one answer: each is followed by the address of the next (RFC 8288, `rel="next"`), which names
//! the last thing of each of its lists. A list that came to its end is not named, and not in the next answer.

use buildhub_core::web::Response;
use buildhub_core::web::header::LINK;
use url::form_urlencoded::Serializer;

use super::fault::Fault;
use super::{Asked, page};
use crate::builds::{Build, Cursor, Cursors, Request};

/// Behind which build, or, where builds are not listed, behind which request or job.
pub(super) const BEFORE: &str = "before";
/// Behind which build, of those that run.
const RUNNING: &str = "running_before";
/// Behind which request, of those that wait.
const PENDING: &str = "pending_before";
/// How many of each list.
pub(super) const COUNT: &str = "num";
/// The greatest number of anything.
pub(super) const NUMBER_MAX: u64 = i64::MAX as u64;

/// An answer's lists, with the numbers of their last things where there may be more.
#[derive(Debug, Default)]
pub(super) struct Ends(Vec<(&'static str, u64)>);

impl Ends {
    /// Where a list of builds ends that was asked to have so many.
    pub(super) fn builds(self, builds: &[Build], asked_for: usize) -> Self {
        self.list(BEFORE, builds.len(), asked_for, builds.last().map(|build| build.build_id))
    }

    /// Likewise, of builds that run beside others.
    pub(super) fn running(self, builds: &[Build], asked_for: usize) -> Self {
        self.list(RUNNING, builds.len(), asked_for, builds.last().map(|build| build.build_id))
    }

    /// Likewise, of requests that wait beside builds.
    pub(super) fn pending(self, requests: &[Request], asked_for: usize) -> Self {
        self.list(PENDING, requests.len(), asked_for, requests.last().map(|request| request.request_id))
    }

    /// Likewise, of the only list.
    pub(super) fn only(self, there: usize, asked_for: usize, last: Option<u64>) -> Self {
        self.list(BEFORE, there, asked_for, last)
    }

    fn list(mut self, name: &'static str, there: usize, asked_for: usize, last: Option<u64>) -> Self {
        self.0.extend(last.filter(|_| there >= asked_for).map(|last| (name, last)));
        self
    }

    /// The address of the next answer, below the API's base: the one that was asked, but for where its lists begin, and
    /// with what else it must say.
    pub(super) fn next(&self, asked: &Asked<'_>, more: &[(&str, String)]) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let path: Vec<String> = asked.request.segments().iter().map(|name| page::encoded(name)).collect();
        let is_said = |name: &str| {
            [BEFORE, RUNNING, PENDING, "offset"].contains(&name) || more.iter().any(|(known, _)| *known == name)
        };
        let kept = asked.request.query.iter().filter(|(name, _)| !is_said(name));
        let mut query = Serializer::new(String::new());
        query.extend_pairs(kept).extend_pairs(more);
        query.extend_pairs(self.0.iter().map(|(name, last)| (*name, last.to_string())));
        Some(format!("/{}?{}", path.join("/"), query.finish()))
    }
}

/// The answer, with the address of the next one.
pub(super) fn with_next(asked: &Asked<'_>, answer: Response, next: Option<&str>) -> Response {
    match next {
        Some(next) => answer.with(LINK, &format!("<{}{next}>; rel=\"next\"", asked.request.base)),
        None => answer,
    }
}

impl Asked<'_> {
    /// Where the only list begins.
    pub(super) fn cursor(&self) -> Result<Cursor, Fault> {
        Ok(self.before(BEFORE)?.map_or(Cursor::Newest, Cursor::Before))
    }

    /// Where each of several lists begins: where none is named, with the newest; else those that are not named have ended.
    pub(super) fn cursors(&self) -> Result<Cursors, Fault> {
        let [builds, running, pending] = [self.before(BEFORE)?, self.before(RUNNING)?, self.before(PENDING)?];
        if builds.or(running).or(pending).is_none() {
            return Ok(Cursors::default());
        }
        let cursor = |before: Option<u64>| before.map_or(Cursor::End, Cursor::Before);
        Ok(Cursors { builds: cursor(builds), running: cursor(running), pending: cursor(pending) })
    }

    /// How many of each list are asked for.
    pub(super) fn count(&self, default: usize, most: usize) -> Result<usize, Fault> {
        self.size(COUNT, default, most)
    }

    /// The same, by a name of its own.
    pub(super) fn size(&self, name: &str, default: usize, most: usize) -> Result<usize, Fault> {
        let number = self.number(name, default as u64, most as u64)?;
        Ok(usize::try_from(number).unwrap_or(most))
    }

    pub(super) fn before(&self, name: &str) -> Result<Option<u64>, Fault> {
        self.parameter(name).map(|_| self.number(name, 0, NUMBER_MAX)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use buildhub_core::web::Request as Web;
    use jiff::Timestamp;

    use super::*;
    use crate::api::format::Format;

    fn asked(request: &Web) -> Asked<'_> {
        Asked { request, format: Format::Json, now: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn the_next_address_is_the_one_that_was_asked_from_the_ends_of_its_lists() {
        let ends = Ends(vec![(BEFORE, 5), (PENDING, 7)]);
        let next = |path| ends.next(&asked(&Web::get(path)), &[("date", "2026-01-01".to_owned())]).unwrap();
        assert_eq!(
            next("/self-serve/a%2Fb%20c?num=2&before=9&running_before=1&date=x&format=json&offset=3&q=%22%3E"),
            "/self-serve/a%2Fb%20c?num=2&format=json&q=%22%3E&date=2026-01-01&before=5&pending_before=7"
        );
        assert_eq!(Ends::default().next(&asked(&Web::get("/x")), &[]), None);
        assert!(Ends::default().only(1, 2, Some(4)).0.is_empty(), "a list that is not full has no more");
        assert!(Ends::default().only(0, 0, None).0.is_empty());
    }

    #[test]
    fn lists_that_an_address_does_not_name_have_ended_unless_it_names_none() {
        let cursors = |path: &str| asked(&Web::get(path)).cursors();
        assert_eq!(cursors("/x?num=1"), Ok(Cursors::default()));
        let rest = Cursors { builds: Cursor::End, running: Cursor::End, pending: Cursor::Before(7) };
        assert_eq!(cursors("/x?pending_before=7"), Ok(rest));
        let rest = Cursors { builds: Cursor::Before(7), running: Cursor::End, pending: Cursor::End };
        assert_eq!(cursors("/x?before=7"), Ok(rest));
        for wrong in ["before=x", "running_before=-1", "pending_before=", "before=9223372036854775808"] {
            assert!(cursors(&format!("/x?{wrong}")).is_err(), "{wrong}");
        }
    }
}
