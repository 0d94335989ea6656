//! What a master tells of builds, as it does so by itself (Buildbot manual, "Reporters").

use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use buildhub_core::Secret;
use buildhub_core::web::header::AUTHORIZATION;
use buildhub_core::web::{Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::fault::Fault;
use super::{Api, Asked};
use crate::builds::refresh::RefreshError;

/// The user and the password that a master shows. `Debug` shows no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsLogin(Secret);

/// A text that is no user and password. It is not repeated, for it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is USER:PASSWORD, as the master's self_serve(…, user=, password=) has them")]
pub struct EventsLoginError;

impl FromStr for EventsLogin {
    type Err = EventsLoginError;

    fn from_str(text: &str) -> Result<Self, EventsLoginError> {
        let is_pair = text.split_once(':').is_some_and(|(user, password)| !user.is_empty() && !password.is_empty());
        if is_pair { Ok(Self(Secret::new(text))) } else { Err(EventsLoginError) }
    }
}

impl EventsLogin {
    /// Whether a header shows it (RFC 7617). Hashes are compared, so that the time it takes tells nothing.
    fn is_shown(&self, header: &str) -> bool {
        let Some((scheme, pair)) = header.split_once(' ') else { return false };
        let shown = BASE64_STANDARD.decode(pair.trim()).unwrap_or_default();
        scheme.eq_ignore_ascii_case("Basic") && Sha256::digest(&shown) == Sha256::digest(self.0.expose())
    }
}

impl Api {
    pub(super) async fn events(&self, asked: &Asked<'_>) -> Result<Response, Fault> {
        let header = asked.request.header(&AUTHORIZATION).unwrap_or_default();
        if !self.settings.events.as_ref().is_some_and(|login| login.is_shown(header)) {
            return Err(Fault::nobody(
                "what tells of builds must show the user and password of SELF_SERVE_EVENTS_AUTH",
            ));
        }
        let event: Value = serde_json::from_slice(&asked.request.body)
            .map_err(|error| Fault::bad(format!("Bad body: it is no JSON ({error})")))?;
        match self.refresher.event(&event).await {
            Ok(_) => Ok(Response::json(StatusCode::OK, &json!({ "status": "OK" }))),
            Err(error @ RefreshError::Event) => Err(Fault::bad(format!("Bad body: {error}"))),
            Err(error) => Err(Fault::unavailable("the build cannot be looked up now; it will be later", &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_shows_the_password_may_tell_of_builds() {
        let login: EventsLogin = "events:hush:hush".parse().unwrap();
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        assert!(login.is_shown(&basic("events:hush:hush")));
        for wrong in [basic("events:hush"), basic(""), "Bearer events:hush:hush".to_owned(), String::new()] {
            assert!(!login.is_shown(&wrong), "{wrong}");
        }
        assert!(!format!("{login:?}").contains("hush"));
        for wrong in ["", "events", "events:", ":hush"] {
            assert!(wrong.parse::<EventsLogin>().is_err(), "{wrong}");
        }
    }
}
