//! Is something there, and is it a Kinto?

use std::error::Error;
use std::io::{self, ErrorKind};

use buildhub_http::{Answer, Cause, HttpError, Url};
use serde::Deserialize;

use super::probe::{Probe, Who};
use super::report::{Check, Report};
use crate::Fault;
use crate::client::ServerInfo;

/// What the distribution installs, with which all that is said of Kinto here is tried out.
const DISTRIBUTION: &str = include_str!("../../../../kinto/requirements.txt");

/// Faults of the way to a server. Any other that keeps an `https` connection from being made is one of TLS.
const NETWORK: [ErrorKind; 4] =
    [ErrorKind::HostUnreachable, ErrorKind::NetworkUnreachable, ErrorKind::AddrNotAvailable, ErrorKind::TimedOut];

/// What a server says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Hello {
    #[serde(flatten)]
    pub(super) info: ServerInfo,
    /// The address by which it believes to be reached.
    pub(super) url: Option<String>,
    /// What it said to our credentials where it could not tell whose they are; then this is what it says to anybody.
    #[serde(skip)]
    pub(super) refusal: Option<Fault>,
}

/// The server's description. With its database down it answers only those who bring no credentials.
async fn ask(probe: &Probe) -> Result<(Answer, Option<Fault>), HttpError> {
    let answer = probe.get(&[""], "", Who::Us).await?;
    if probe.has_credentials() && answer.status.is_server_error() {
        let open = probe.get(&[""], "", Who::Anybody).await?;
        if open.status.is_success() {
            return Ok((open, Some(Fault::of(&answer))));
        }
    }
    Ok((answer, None))
}

/// Knocks. What the server says of itself, if it is a Kinto.
pub(super) async fn examine(probe: &Probe, report: &mut Report) -> Option<Hello> {
    let (answer, refusal) = match ask(probe).await {
        Ok(answer) => answer,
        Err(error) => {
            let (seen, advice) = unreachable(probe.server(), &error);
            report.fault(Check::Reachable, seen, advice);
            return None;
        }
    };
    report.ok(Check::Reachable, "it answers");
    let hello = match read(probe.server(), &answer) {
        Ok(hello) => Hello { refusal, ..hello },
        Err((seen, advice)) => {
            report.fault(Check::Kinto, seen, advice);
            return None;
        }
    };
    let ServerInfo { project_version, http_api_version, capabilities, settings, user, .. } = &hello.info;
    report.ok(Check::Kinto, format!("Kinto {project_version}, interface {http_api_version}"));
    let facts = &mut report.facts;
    facts.version = Some(project_version.clone());
    facts.interface = Some(http_api_version.clone());
    facts.capabilities = capabilities.keys().cloned().collect();
    facts.readonly = Some(settings.readonly);
    facts.batch_max = settings.batch_max_requests;
    facts.user = user.as_ref().map(|user| user.id.clone());
    version(project_version, report);
    own_address(probe.server(), hello.url.as_deref(), report);
    Some(hello)
}

/// Why there was no answer, in words that say where to look.
fn unreachable(server: &Url, error: &HttpError) -> (String, &'static str) {
    let place = server.host_str().map_or_else(String::new, |host| match server.port_or_known_default() {
        Some(port) => format!("{host}, port {port}"),
        None => host.to_owned(),
    });
    match &error.cause {
        Cause::Connect(cause) => {
            let why = chain(cause);
            let text = why.iter().map(ToString::to_string).collect::<Vec<_>>().join(": ");
            let kind = why.iter().find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
            // The resolver's own error has no public type.
            if text.contains("dns error") {
                (format!("no such host: {place}"), "check the name in the address (--server), and this machine's DNS")
            } else if kind == Some(ErrorKind::ConnectionRefused) {
                let advice = "is Kinto running there, and is this its port? A firewall may refuse, too";
                (format!("nothing listens at {place}"), advice)
            } else if server.scheme() == "https" && !kind.is_some_and(|kind| NETWORK.contains(&kind)) {
                let cause = why.last().map(ToString::to_string).unwrap_or_default();
                let advice = "is the certificate valid for this name, not expired, and of an authority this machine \
                              knows? Does the port speak TLS at all? Else the address begins with http://";
                (format!("no TLS connection to {place}: {cause}"), advice)
            } else {
                let cause = why.last().map(ToString::to_string).unwrap_or_default();
                (format!("no connection to {place}: {cause}"), "check the network between here and there")
            }
        }
        Cause::ConnectTimeout { limit } => {
            let advice = if server.scheme() == "https" {
                "a firewall or a wrong address swallows what is sent, or the port does not speak TLS: then the address \
                 begins with http://"
            } else {
                "a firewall or a wrong address swallows what is sent: check both"
            };
            (format!("{place} does not react within {limit:?}"), advice)
        }
        Cause::Timeout { limit } => {
            let advice =
                "it takes connections but does not answer: is it overloaded, or waiting for its database? See its log";
            (format!("no answer from {place} within {limit:?}"), advice)
        }
        cause => {
            let advice = "what listens there may be no web server, or speak TLS: then the address begins with https://";
            (format!("no proper answer from {place}: {cause}"), advice)
        }
    }
}

/// An error and what caused it, to the innermost.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let (mut all, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        all.push(error);
        next = error.source();
    }
    all
}

/// The description in an answer, or what the answer is instead.
fn read(server: &Url, answer: &Answer) -> Result<Hello, (String, String)> {
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body).map_err(|error| {
            let seen = format!("what answers does not describe itself as Kinto does ({error})");
            (seen, "check the address: it ends in /v1, and nothing else may stand before Kinto there".to_owned())
        });
    }
    let fault = Fault::of(answer);
    let (seen, advice) = match fault.status {
        // Kinto sends whoever asks for a folder on to its name without the slash, whether that exists or not.
        300..=399 if answer.header("location").is_some_and(|place| place == server.as_str().trim_end_matches('/')) => (
            "a Kinto perhaps, but not at this path".to_owned(),
            "the address ends in /v1, without anything behind it".to_owned(),
        ),
        300..=399 => (
            format!("it sends us on to {}", answer.header("location").unwrap_or("nowhere")),
            "if that is the server, give that address; Kinto's ends in /v1".to_owned(),
        ),
        401 | 403 => (
            format!("something before Kinto lets nobody in ({fault})"),
            "Kinto itself shows its description to everyone: look at the proxy or load balancer before it".to_owned(),
        ),
        404 if fault.errno > 0 => (
            format!("a Kinto, but not at this path ({fault})"),
            "the address ends in /v1, without anything behind it".to_owned(),
        ),
        429 | 500.. => (
            format!("it is not well ({fault})"),
            "look at its log, and at what stands before it: a proxy answers so when Kinto is down".to_owned(),
        ),
        _ => (format!("no Kinto's answer ({fault})"), "check the address: it ends in /v1".to_owned()),
    };
    Err((seen, advice))
}

/// The distribution's version of Kinto.
fn proven() -> &'static str {
    let pinned = DISTRIBUTION.lines().find_map(|line| line.strip_prefix("kinto==")?.split_whitespace().next());
    pinned.unwrap_or("no version")
}

fn is_of_proven_major(version: &str) -> bool {
    version.split('.').next() == proven().split('.').next()
}

fn version(version: &str, report: &mut Report) {
    let proven = proven();
    if version == proven {
        report.ok(Check::Version, format!("{version}, which Buildhub was proven with"));
    } else if is_of_proven_major(version) {
        report.ok(Check::Version, format!("{version}; Buildhub was proven with {proven}, of the same major version"));
    } else {
        let advice = format!("run the distribution's tests against it, or install the distribution's {proven}");
        report.warning(Check::Version, format!("{version}; Buildhub was proven with {proven}"), advice);
    }
}

/// Kinto leads from page to page by whole addresses, which it makes from what it believes its own to be.
fn own_address(server: &Url, told: Option<&str>, report: &mut Report) {
    let Some(told) = told else {
        report.unknown(Check::OwnAddress, "it does not say by which address it is reached", "");
        return;
    };
    let is_same = told.parse::<Url>().is_ok_and(|url| {
        url.origin() == server.origin() && url.path().trim_end_matches('/') == server.path().trim_end_matches('/')
    });
    if is_same {
        report.ok(Check::OwnAddress, told);
    } else {
        let advice = "lists go on at that address after their first page, and no credentials are taken elsewhere. Let \
                      the proxy pass on Host and X-Forwarded-Proto, or set kinto.http_host and kinto.http_scheme";
        report.fault(Check::OwnAddress, format!("it believes to be reached as {told}"), advice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_proven_is_one_and_only_another_major_version_is_warned_of() {
        let parts: Vec<u32> = proven().split('.').map(|part| part.parse().unwrap()).collect();
        let [major, minor, patch] = parts[..] else { panic!("{}", proven()) };
        let versions = [(major, minor, patch + 1), (major, minor + 1, 0), (major + 1, 0, 0), (0, 1, 2)];
        let proven = versions.map(|(major, minor, patch)| is_of_proven_major(&format!("{major}.{minor}.{patch}")));
        assert_eq!(proven, [true, true, false, false]);
    }
}
