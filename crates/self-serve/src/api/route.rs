//! What an address means, and what may be done with it.

use buildhub_core::web::Method;

/// The first segment of all but the reports.
pub(super) const ROOT: &str = "self-serve";

/// What an address names. Numbers, revisions and names are as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/self-serve`
    Home,
    /// `/self-serve/branches`
    Branches,
    /// `/self-serve/jobs`
    Jobs,
    /// `/self-serve/jobs/ID`
    Job(String),
    /// `/self-serve/events`
    Events,
    /// `/self-serve/BRANCH…`
    Of(String, Place),
    /// A report.
    Report(Report),
}

/// What an address names of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The branch itself: a day of it.
    Day,
    /// `/build`
    Builds,
    /// `/build/ID`
    Build(String),
    /// `/request`
    Requests,
    /// `/request/ID`
    Request(String),
    /// `/rev/REVISION`
    Revision(String),
    /// `/rev/REVISION/is_done`
    IsDone(String),
    /// `/rev/REVISION/pgo`
    Pgo(String),
    /// `/rev/REVISION/nightly`
    Nightly(String),
    /// `/builders`
    Builders,
    /// `/builders/BUILDER/REVISION`
    Builder(String, String),
    /// `/user/USER`
    User(String),
}

/// A report; each that names a branch may do without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Report {
    /// `/pending[/BRANCH[/PLATFORM]]`
    Pending(Option<String>, Option<String>),
    /// `/running[/BRANCH[/PLATFORM]]`
    Running(Option<String>, Option<String>),
    /// `/revision/BRANCH/REVISION`
    Revision(String, String),
    /// `/recent[/WORKER]`
    Recent(Option<String>),
    /// `/reports/waittimes[/POOL]`
    WaitTimes(Option<String>),
    /// `/reports/endtoend[/BRANCH]`
    EndToEnd(Option<String>),
}

impl Route {
    /// What a path's segments name, if they name anything.
    pub(super) fn of(segments: &[String]) -> Option<Self> {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        Some(match segments.as_slice() {
            [ROOT] => Self::Home,
            [ROOT, "branches"] => Self::Branches,
            [ROOT, "jobs"] => Self::Jobs,
            [ROOT, "jobs", id] => Self::Job((*id).to_owned()),
            [ROOT, "events"] => Self::Events,
            [ROOT, branch, rest @ ..] => Self::Of((*branch).to_owned(), Place::of(rest)?),
            rest => Self::Report(Report::of(rest)?),
        })
    }

    /// The methods it answers.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Self::Events
            | Self::Of(_, Place::Builds | Place::Requests | Place::Pgo(_) | Place::Nightly(_) | Place::Builder(..)) => {
                &[Method::POST]
            }
            Self::Of(_, Place::Build(_)) => &[Method::GET, Method::DELETE],
            Self::Of(_, Place::Request(_)) => &[Method::GET, Method::PUT, Method::DELETE],
            Self::Of(_, Place::Revision(_)) => &[Method::GET, Method::POST, Method::DELETE],
            _ => &[Method::GET],
        }
    }
}

impl Place {
    fn of(segments: &[&str]) -> Option<Self> {
        let text = |text: &&str| (*text).to_owned();
        Some(match segments {
            [] => Self::Day,
            ["build"] => Self::Builds,
            ["build", id] => Self::Build(text(id)),
            ["request"] => Self::Requests,
            ["request", id] => Self::Request(text(id)),
            ["rev", revision] => Self::Revision(text(revision)),
            ["rev", revision, "is_done"] => Self::IsDone(text(revision)),
            ["rev", revision, "pgo"] => Self::Pgo(text(revision)),
            ["rev", revision, "nightly"] => Self::Nightly(text(revision)),
            ["builders"] => Self::Builders,
            ["builders", builder, revision] => Self::Builder(text(builder), text(revision)),
            ["user", user] => Self::User(text(user)),
            _ => return None,
        })
    }
}

impl Report {
    fn of(segments: &[&str]) -> Option<Self> {
        let text = |text: &&str| (*text).to_owned();
        Some(match segments {
            ["pending", rest @ ..] if rest.len() <= 2 => Self::Pending(rest.first().map(text), rest.get(1).map(text)),
            ["running", rest @ ..] if rest.len() <= 2 => Self::Running(rest.first().map(text), rest.get(1).map(text)),
            ["revision", branch, revision] => Self::Revision(text(branch), text(revision)),
            ["recent", rest @ ..] if rest.len() <= 1 => Self::Recent(rest.first().map(text)),
            ["reports", "waittimes", rest @ ..] if rest.len() <= 1 => Self::WaitTimes(rest.first().map(text)),
            ["reports", "endtoend", rest @ ..] if rest.len() <= 1 => Self::EndToEnd(rest.first().map(text)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use buildhub_core::web::Request;

    use super::*;

    fn route(path: &str) -> Option<Route> {
        Route::of(&Request::get(path).segments())
    }

    #[test]
    fn every_address_of_the_original_is_known_with_its_methods() {
        use Method as M;
        let branch = |place| Route::Of("try".to_owned(), place);
        let (id, rev) = ("5".to_owned(), "abcdef012345".to_owned());
        for (path, expected, methods) in [
            ("/self-serve", Route::Home, &[M::GET][..]),
            ("/self-serve/branches", Route::Branches, &[M::GET]),
            ("/self-serve/jobs", Route::Jobs, &[M::GET]),
            ("/self-serve/jobs/5", Route::Job(id.clone()), &[M::GET]),
            ("/self-serve/try", branch(Place::Day), &[M::GET]),
            ("/self-serve/try/build", branch(Place::Builds), &[M::POST]),
            ("/self-serve/try/build/5", branch(Place::Build(id.clone())), &[M::GET, M::DELETE]),
            ("/self-serve/try/request", branch(Place::Requests), &[M::POST]),
            ("/self-serve/try/request/5", branch(Place::Request(id)), &[M::GET, M::PUT, M::DELETE]),
            ("/self-serve/try/rev/abcdef012345", branch(Place::Revision(rev.clone())), &[M::GET, M::POST, M::DELETE]),
            ("/self-serve/try/rev/abcdef012345/is_done", branch(Place::IsDone(rev.clone())), &[M::GET]),
            ("/self-serve/try/rev/abcdef012345/pgo", branch(Place::Pgo(rev.clone())), &[M::POST]),
            ("/self-serve/try/rev/abcdef012345/nightly", branch(Place::Nightly(rev.clone())), &[M::POST]),
            ("/self-serve/try/builders", branch(Place::Builders), &[M::GET]),
            (
                "/self-serve/try/builders/try%20linux%20build/abcdef012345",
                branch(Place::Builder("try linux build".to_owned(), rev)),
                &[M::POST],
            ),
            ("/self-serve/try/user/a%40b", branch(Place::User("a@b".to_owned())), &[M::GET]),
            ("/reports/waittimes/buildpool", Route::Report(Report::WaitTimes(Some("buildpool".to_owned()))), &[M::GET]),
            ("/pending", Route::Report(Report::Pending(None, None)), &[M::GET]),
        ] {
            let route = route(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((&route, route.methods()), (&expected, methods), "{path}");
        }
    }

    #[test]
    fn what_is_listed_is_what_is_answered() {
        use std::collections::{BTreeMap, BTreeSet};
        let mut listed = BTreeMap::<&str, BTreeSet<&str>>::new();
        for endpoint in super::super::page::ENDPOINTS {
            listed.entry(endpoint.path).or_default().insert(endpoint.method);
        }
        for (path, methods) in listed {
            // Any text does for a part of an address.
            let route = route(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(route.methods().iter().map(Method::as_str).collect::<BTreeSet<_>>(), methods, "{path}");
        }
    }

    #[test]
    fn other_addresses_are_none() {
        for path in [
            "/",
            "/self-serve//build",
            "/self-serve/try/build/5/x",
            "/self-serve/try/x",
            "/self-serve/try/rev",
            "/recent/a/b",
            "/pending/a/b/c",
            "/reports",
            "/reports/x",
            "/revision/a",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }
}
