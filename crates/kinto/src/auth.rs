//! Who asks.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use buildhub_http::header::HeaderValue;

/// How a client shows who it is. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Auth {
    /// Not at all: only what everyone may read.
    #[default]
    Anonymous,
    /// A user and a password (RFC 7617).
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token (RFC 6750), as `OpenID` or Kinto's accounts issue them.
    Bearer(String),
}

/// A text that is no way to show who asks. It is not repeated, for it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is USER:PASSWORD, or Bearer TOKEN, or empty for an anonymous reader")]
pub struct AuthError;

impl FromStr for Auth {
    type Err = AuthError;

    fn from_str(text: &str) -> Result<Self, AuthError> {
        let text = text.trim();
        let auth = match (text.split_once(' '), text.split_once(':')) {
            _ if text.is_empty() => Self::Anonymous,
            (Some((kind, token)), _) if kind.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                Self::Bearer(token.trim().to_owned())
            }
            (_, Some((user, password))) if !user.is_empty() => {
                Self::Basic { user: user.to_owned(), password: password.to_owned() }
            }
            _ => return Err(AuthError),
        };
        auth.header().map(|_| auth)
    }
}

impl Auth {
    /// The value of `Authorization`, if there is one to send. A token of characters no header can carry is refused.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, AuthError> {
        let text = match self {
            Self::Anonymous => return Ok(None),
            Self::Basic { user, password } => format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))),
            Self::Bearer(token) => format!("Bearer {token}"),
        };
        HeaderValue::from_str(&text).map(Some).map_err(|_| AuthError)
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Basic { user, .. } => write!(f, "Basic {{ user: {user:?}, password: *** }}"),
            Self::Bearer(_) => f.write_str("Bearer(***)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_as_people_write_them() {
        let basic = |user: &str, password: &str| Auth::Basic { user: user.into(), password: password.into() };
        assert_eq!("user:pass".parse(), Ok(basic("user", "pass")));
        assert_eq!("user:pa:ss word".parse(), Ok(basic("user", "pa:ss word")));
        assert_eq!("user:".parse(), Ok(basic("user", "")));
        assert_eq!("Bearer abc.def".parse(), Ok(Auth::Bearer("abc.def".into())));
        assert_eq!(" ".parse(), Ok(Auth::Anonymous));
        assert_eq!("user".parse::<Auth>(), Err(AuthError));
        assert_eq!(":pass".parse::<Auth>(), Err(AuthError));
        assert_eq!("Bearer a\nb".parse::<Auth>(), Err(AuthError));
    }

    #[test]
    fn credentials_do_not_print() {
        let shown = format!("{:?} {:?}", "user:hunter2".parse::<Auth>(), "Bearer hunter2".parse::<Auth>());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
