//! Who asks: told by a verified source, and never by what a client may write itself.
//!
//! | source | who verifies |
//! |---|---|
//! | [`IdentitySource::Claims`] | the authorizer of the HTTP API in front; a function URL has none |
//! | [`IdentitySource::Proxy`] | this module: a token in a header, signed by a proxy with a secret that both know |
//! | [`IdentitySource::Nobody`] | nobody: everyone may look, and no one may ask for anything |

mod token;

use std::collections::BTreeSet;

use buildhub_core::Secret;
use buildhub_core::web::header::AUTHORIZATION;
use buildhub_core::web::{HeaderName, Request};
use jiff::Timestamp;
use serde_json::Value;

use crate::access::Person;

pub use token::{SECRET_MIN, TokenError};

/// The longest name, in bytes: an address of electronic mail (RFC 5321, section 4.5.3.1, 254).
const NAME_MAX: usize = 254;
/// The header of a proxy's token.
pub const HEADER: HeaderName = HeaderName::from_static("x-self-serve-identity");

/// Where it is told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// Nowhere.
    Nobody,
    /// In what an authorizer has verified: these claims.
    Claims(Claims),
    /// In a token that a proxy has signed (JWT, RFC 7519, with HS256): these claims of it.
    Proxy {
        /// The secret, of [`SECRET_MIN`] bytes at least.
        secret: Secret,
        /// Which claims.
        claims: Claims,
    },
}

/// The claims that name somebody, and the groups they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The name's.
    pub name: String,
    /// The groups'.
    pub groups: String,
}

/// Why it is not known who asks although somebody is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The token is none of the proxy's.
    #[error("the token in {HEADER} is not accepted: {0}")]
    Token(#[from] TokenError),
    /// An address that may be another's.
    #[error("the address is not confirmed (the claim \"email_verified\"): confirm it where you sign in")]
    Unconfirmed,
    /// What names somebody is no name.
    #[error("the claim {claim:?} is no name: it is text of 1 to {NAME_MAX} bytes without control characters")]
    Name {
        /// Which one.
        claim: String,
    },
}

impl IdentitySource {
    /// Who asks; `None` where nobody is named.
    pub fn person(&self, request: &Request, now: Timestamp) -> Result<Option<Person>, IdentityError> {
        match self {
            Self::Nobody => Ok(None),
            Self::Claims(claims) => {
                let Some(name) = request.claims.get(&claims.name) else { return Ok(None) };
                let groups = request.claims.get(&claims.groups).map_or_else(BTreeSet::new, |text| listed(text));
                claims.confirmed(|claim| request.claims.get(claim).is_none_or(|said| said == "true"))?;
                claims.person(name, groups).map(Some)
            }
            Self::Proxy { secret, claims } => {
                // Programs that have such a token of their own show it as programs do (RFC 6750, section 2.1).
                let bearer = || request.header(&AUTHORIZATION)?.strip_prefix("Bearer ").map(str::trim);
                let Some(token) = request.header(&HEADER).or_else(bearer) else { return Ok(None) };
                let told = token::verify(token, secret, now)?;
                claims.confirmed(|claim| {
                    told.get(claim).is_none_or(|said| *said == Value::Bool(true) || *said == "true")
                })?;
                let name = told.get(&claims.name).and_then(Value::as_str).unwrap_or_default();
                claims.person(name, told.get(&claims.groups).map(groups).unwrap_or_default()).map(Some)
            }
        }
    }
}

impl Claims {
    /// Refuses an address of which whoever told it says that it is not known to be theirs (`email_verified`, `OpenID` Connect
    /// Core 1.0, section 5.1): anybody may have said it.
    fn confirmed(&self, is_so: impl Fn(&str) -> bool) -> Result<(), IdentityError> {
        if self.name == "email" && !is_so("email_verified") { Err(IdentityError::Unconfirmed) } else { Ok(()) }
    }

    fn person(&self, name: &str, groups: BTreeSet<String>) -> Result<Person, IdentityError> {
        let is_name = (1..=NAME_MAX).contains(&name.len()) && !name.contains(char::is_control);
        if !is_name {
            return Err(IdentityError::Name { claim: self.name.clone() });
        }
        Ok(Person { name: name.to_owned(), groups })
    }
}

/// Groups of a token: a list, or one text as below.
fn groups(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => listed(text),
        _ => BTreeSet::new(),
    }
}

/// A list as an HTTP API writes it into one text (`[a b]`), or with commas. Where it is JSON a name may have blanks; in the
/// others it is several, so that whoever names groups must not use any.
fn listed(text: &str) -> BTreeSet<String> {
    if let Ok(names) = serde_json::from_str(text) {
        return names;
    }
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let names = inner.split([',', ' ']).map(|name| name.trim().trim_matches('"'));
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use buildhub_core::web::HeaderValue;

    use super::*;

    fn claims() -> Claims {
        Claims { name: "email".to_owned(), groups: "groups".to_owned() }
    }

    #[test]
    fn an_address_that_is_not_confirmed_names_nobody() {
        let now = Timestamp::UNIX_EPOCH;
        let of = |name: &str, verified: &str| {
            let mut request = Request::get("/self-serve");
            request.claims.insert(name.to_owned(), "alice@example.com".to_owned());
            request.claims.insert("email_verified".to_owned(), verified.to_owned());
            IdentitySource::Claims(Claims { name: name.to_owned(), ..claims() }).person(&request, now)
        };
        assert!(matches!(of("email", "true"), Ok(Some(_))));
        assert_eq!(
            [of("email", "false"), of("email", "")],
            [Err(IdentityError::Unconfirmed), Err(IdentityError::Unconfirmed)]
        );
        assert!(matches!(of("sub", "false"), Ok(Some(_))), "it is said of the address alone");
    }

    #[test]
    fn claims_of_an_authorizer_name_somebody_and_a_header_never_does() {
        let source = IdentitySource::Claims(claims());
        let now = Timestamp::UNIX_EPOCH;
        let mut request = Request::get("/self-serve");
        request.headers.insert("x-remote-user", HeaderValue::from_static("mallory"));
        request.headers.insert("email", HeaderValue::from_static("mallory"));
        assert_eq!(source.person(&request, now), Ok(None));
        request.claims.insert("email".to_owned(), "alice@example.com".to_owned());
        request.claims.insert("groups".to_owned(), "[sheriffs releng]".to_owned());
        let groups = ["releng", "sheriffs"].map(str::to_owned).into();
        assert_eq!(source.person(&request, now), Ok(Some(Person { name: "alice@example.com".to_owned(), groups })));
        assert_eq!(IdentitySource::Nobody.person(&request, now), Ok(None));
        request.claims.insert("email".to_owned(), "a\nb".to_owned());
        assert_eq!(source.person(&request, now), Err(IdentityError::Name { claim: "email".to_owned() }));
    }

    #[test]
    fn groups_are_read_in_whichever_of_their_forms_they_come() {
        let expected: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
        for text in ["[a b]", "a,b", "a, b", r#"["a","b"]"#] {
            assert_eq!(listed(text), expected, "{text}");
        }
        assert_eq!(groups(&serde_json::json!(["a", "b", 3])), expected);
        assert!(listed("").is_empty() && listed("[]").is_empty());
        assert!(!listed(r#"["not sheriffs"]"#).contains("sheriffs"), "a name with a blank is one");
    }
}
