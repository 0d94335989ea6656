//! A proxy's token: a JWT (RFC 7519) in compact form, signed with HMAC-SHA-256 (RFC 7518, section 3.2).
//!
//! One algorithm, and no choice of it by the token: that is what tokens are forged with. The libraries that know all
//! algorithms bring RSA and a second cryptography with them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use buildhub_core::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::Sha256;

/// The shortest secret, in bytes: as long as the hash (RFC 7518, section 3.2).
pub const SECRET_MIN: usize = 32;
/// The longest token, in bytes.
const TOKEN_MAX: usize = 8 << 10;
/// By how many seconds clocks may differ.
const LEEWAY: i64 = 30;
/// The longest time for which a token may be good, in seconds: a proxy makes one for each request.
const LIFE_MAX: i64 = 24 * 60 * 60;

/// Why a token is not accepted. What is in it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no such token.
    #[error("it is no JWT with the header {{\"alg\":\"HS256\"}}")]
    Form,
    /// Somebody else made it, or changed it.
    #[error("its signature is not the proxy's")]
    Signature,
    /// It is of another time.
    #[error("it is expired, not yet good, or says no time (exp) within a day")]
    Time,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that must be understood (RFC 7515, section 4.1.11); none is.
    #[serde(default)]
    crit: Option<Value>,
}

/// What a token says, if it is the proxy's and of now.
pub(super) fn verify(token: &str, secret: &Secret, now: Timestamp) -> Result<Map<String, Value>, TokenError> {
    let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= TOKEN_MAX).ok_or(TokenError::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Form)?;
    let header: Header = part(header)?;
    if header.alg != "HS256" || header.crit.is_some() {
        return Err(TokenError::Form);
    }
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Form)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(|_| TokenError::Signature)?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&signature).map_err(|_| TokenError::Signature)?;
    let claims: Map<String, Value> = part(claims)?;
    if is_of(&claims, now.as_second()) { Ok(claims) } else { Err(TokenError::Time) }
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, TokenError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Form)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Form)
}

/// Whether a moment is within a token's time (`nbf` to `exp`).
fn is_of(claims: &Map<String, Value>, now: i64) -> bool {
    let Some(end) = claims.get("exp").and_then(Value::as_i64) else { return false };
    let begin = match claims.get("nbf") {
        None => i64::MIN,
        Some(begin) => match begin.as_i64() {
            Some(begin) => begin.saturating_sub(LEEWAY),
            None => return false,
        },
    };
    begin <= now && now < end.saturating_add(LEEWAY) && end <= now.saturating_add(LIFE_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const NOW: i64 = 1_700_000_000;

    fn token(header: &Value, claims: &Value, key: &str) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn check(token: &str) -> Result<Map<String, Value>, TokenError> {
        verify(token, &Secret::new(KEY), Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn a_token_of_the_proxys_and_of_now_is_accepted_and_no_other() {
        let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
        let good = json!({ "email": "alice", "exp": NOW + 60, "nbf": NOW - 60 });
        let sound = token(&hs256, &good, KEY);
        assert_eq!(check(&sound).unwrap()["email"], "alice");
        assert_eq!(check(&token(&hs256, &good, "another secret of thirty-two byte")), Err(TokenError::Signature));

        let (signed, signature) = sound.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let other = BASE64_URL_SAFE_NO_PAD.encode(json!({ "email": "admin", "exp": NOW + 60 }).to_string());
        assert_eq!(check(&format!("{header}.{other}.{signature}")), Err(TokenError::Signature));
        assert_eq!(check(&format!("{signed}.")), Err(TokenError::Signature));

        // Algorithms that a token chooses: none, and one that would take the secret for a public key.
        for alg in ["none", "None", "HS512", "RS256", ""] {
            assert_eq!(check(&token(&json!({ "alg": alg }), &good, KEY)), Err(TokenError::Form), "{alg}");
        }
        assert_eq!(check(&token(&json!({ "alg": "HS256", "crit": ["x"] }), &good, KEY)), Err(TokenError::Form));
        for wrong in ["", "a.b", "a.b.c", "alice", &"x".repeat(9000)] {
            assert_eq!(check(wrong), Err(TokenError::Form), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_good_for_its_time_only_and_never_for_ever() {
        let at = |claims: Value| check(&token(&json!({ "alg": "HS256" }), &claims, KEY)).err();
        assert_eq!(at(json!({ "exp": NOW - 10 })), None, "clocks differ");
        for wrong in [
            json!({}),
            json!({ "exp": NOW - 31 }),
            json!({ "exp": "soon" }),
            json!({ "exp": NOW + 60, "nbf": NOW + 31 }),
            json!({ "exp": NOW + 60, "nbf": "x" }),
            json!({ "exp": NOW + 10 * LIFE_MAX }),
        ] {
            assert_eq!(at(wrong.clone()), Some(TokenError::Time), "{wrong}");
        }
    }
}
