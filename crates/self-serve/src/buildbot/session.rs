//! Who asks: a user and a password, for which a master gives a cookie.

use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use buildhub_core::Secret;
use buildhub_http::Answer;
use buildhub_http::header::{COOKIE, HeaderValue, SET_COOKIE};

/// The cookie's name (Buildbot with its own user database).
const COOKIE_NAME: &str = "TWISTED_SESSION";

/// A user and a password. `Debug` shows no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    user: String,
    password: Secret,
}

/// A text that is no user and password. It is not repeated, for it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is USER:PASSWORD, of a user whom the master's rules allow to force, cancel, stop and prioritise")]
pub struct LoginError;

impl FromStr for Login {
    type Err = LoginError;

    fn from_str(text: &str) -> Result<Self, LoginError> {
        let (user, password) = text.trim().split_once(':').ok_or(LoginError)?;
        if user.is_empty() || password.is_empty() {
            return Err(LoginError);
        }
        Ok(Self { user: user.to_owned(), password: Secret::new(password) })
    }
}

impl Login {
    /// The value of `Authorization` that asks for the cookie (RFC 7617).
    pub(super) fn header(&self) -> Result<HeaderValue, LoginError> {
        let pair = BASE64_STANDARD.encode(format!("{}:{}", self.user, self.password.expose()));
        HeaderValue::from_str(&format!("Basic {pair}")).map_err(|_| LoginError)
    }
}

/// The cookie that an answer to a login gives. There are two of one name: the first is nobody's, the last the user's.
pub(super) fn cookie(answer: &Answer) -> Option<HeaderValue> {
    let given = answer.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut ours = given.filter(|text| text.split_once('=').is_some_and(|(name, _)| name == COOKIE_NAME));
    let ours = ours.next_back()?;
    let pair = ours.split(';').next()?;
    let mut value = HeaderValue::from_str(pair).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The header it goes into.
pub(super) const HEADER: buildhub_http::header::HeaderName = COOKIE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_prints() {
        let login: Login = "alice:s3cr3t:with colon".parse().unwrap();
        assert_eq!((login.user.as_str(), login.password.expose()), ("alice", "s3cr3t:with colon"));
        assert!(!format!("{login:?}").contains("s3cr3t"));
        for wrong in ["", "alice", "alice:", ":secret"] {
            let error = wrong.parse::<Login>().unwrap_err().to_string();
            assert!(error.starts_with("it is USER:PASSWORD") && !error.contains("secret"), "{error}");
        }
    }
}
