//! A proxy's token: who asks, signed with a secret that both ends know (JWT, RFC 7519, with HS256).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// A token that names somebody (`email`) and their groups (`groups`), good until `expires`, in seconds since 1970.
pub fn signed(name: &str, groups: &[&str], secret: &str, expires: i64) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "email": name, "groups": groups, "exp": expires });
    let text = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(&claims));
    // HMAC takes keys of every length (RFC 2104, section 2).
    let signature = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map(|mut mac| {
        mac.update(text.as_bytes());
        mac.finalize().into_bytes()
    });
    let signature = signature.map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default();
    format!("{text}.{signature}")
}
