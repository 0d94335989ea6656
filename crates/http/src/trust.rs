//! Whom TLS trusts.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt as _;

/// What a client speaks over TLS (RFC 7301, section 6).
const PROTOCOL: &[u8] = b"http/1.1";

/// The certificates that the system trusts, read when the first client is made of them. Clones share what was read: reading
/// takes some milliseconds, which a function that starts has not to waste.
#[derive(Clone, Default)]
pub struct Trust(Arc<OnceLock<ClientConfig>>);

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl Trust {
    /// TLS that trusts them; an error where the system has none.
    pub(crate) fn tls(&self) -> Result<ClientConfig, rustls::Error> {
        if let Some(read) = self.0.get() {
            return Ok(read.clone());
        }
        let mut tls = ClientConfig::with_platform_verifier()?;
        tls.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Should two be the first at the same time, both have read the same.
        Ok(self.0.get_or_init(|| tls).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_what_was_read() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trust = Trust::default();
        let twin = trust.clone();
        trust.tls().unwrap();
        assert!(twin.0.get().is_some());
        assert!(Trust::default().0.get().is_none(), "another has read nothing");
    }
}
