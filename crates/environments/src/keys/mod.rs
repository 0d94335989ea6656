//! OpenPGP keys, and what they have signed: `repomd.xml`, and packages.
//!
//! Whom to trust is the definition's decision alone: it names the hash of each key's file. So a key needs nobody's word
//! for it; what counts is that a subkey belongs to it, that it was neither revoked nor out of date when it signed, and
//! that it may sign data.

use std::io::Read;

use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{Duration, KeyDetails, Tag, Timestamp};

/// Most signatures that one file may carry.
const SIGNATURES_MAX: usize = 16;

/// The keys of which one must have signed.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<SignedPublicKey>);

/// A file that is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is no OpenPGP key.
    #[error("this is no OpenPGP public key: {0}")]
    Read(String),
    /// There is none in it.
    #[error("there is no OpenPGP public key in it")]
    Empty,
}

/// A signature that does not hold.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// It is no signature.
    #[error("this is no OpenPGP signature: {0}")]
    Read(String),
    /// Nobody signed.
    #[error("there is no signature in it")]
    Empty,
    /// It was made by somebody else.
    #[error("it is signed by the key {signer}, which is none of those that the definition names ({known})")]
    Stranger {
        /// Who signed: a fingerprint, or the end of one.
        signer: String,
        /// The keys that would do.
        known: String,
    },
    /// It was made by one of the keys, but not over this, or not as it may be.
    #[error("the signature of the key {key} does not hold: {reason}")]
    Invalid {
        /// The key's fingerprint.
        key: String,
        /// Why not.
        reason: String,
    },
}

/// Part of a key that can sign.
enum Part<'a> {
    Primary(&'a SignedPublicKey),
    Sub(&'a SignedPublicKey, &'a SignedPublicSubKey),
}

impl Keys {
    /// None: nothing is asked of signatures.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the keys of a file, armoured or not.
    pub fn add(&mut self, file: &[u8]) -> Result<(), KeyError> {
        let read = |error: pgp::errors::Error| KeyError::Read(error.to_string());
        let (keys, _) = SignedPublicKey::from_reader_many(file).map_err(read)?;
        let before = self.0.len();
        for key in keys {
            self.0.push(key.map_err(read)?);
        }
        if self.0.len() == before { Err(KeyError::Empty) } else { Ok(()) }
    }

    /// Checks that one of the keys has signed `content`, by a detached signature, armoured or not. Which one: its
    /// fingerprint. A file may carry several signatures; one that holds is enough.
    pub fn verify(&self, signature: &[u8], content: &[u8]) -> Result<String, SignatureError> {
        let read = |error: pgp::errors::Error| SignatureError::Read(error.to_string());
        let (signatures, _) = DetachedSignature::from_reader_many(signature).map_err(read)?;
        let mut worst = SignatureError::Empty;
        for signature in signatures.take(SIGNATURES_MAX) {
            match self.judge(&signature.map_err(read)?.signature, content) {
                Ok(key) => return Ok(key),
                // A key of ours whose signature does not hold says more than a stranger's.
                Err(SignatureError::Stranger { .. }) if matches!(worst, SignatureError::Invalid { .. }) => {}
                Err(error) => worst = error,
            }
        }
        Err(worst)
    }

    fn judge(&self, signature: &Signature, content: impl Read) -> Result<String, SignatureError> {
        let Some(part) = self.signer(signature) else {
            let known = self.0.iter().map(|key| name(&key.primary_key)).collect::<Vec<_>>().join(", ");
            return Err(SignatureError::Stranger { signer: signer_named(signature), known });
        };
        let key = name(&part.key().primary_key);
        let invalid = |reason: String| SignatureError::Invalid { key: key.clone(), reason };
        part.may_sign(signature).map_err(|reason| invalid(reason.to_owned()))?;
        let held = match part {
            Part::Primary(key) => signature.verify(&key.primary_key, content),
            Part::Sub(_, sub) => signature.verify(&sub.key, content),
        };
        held.map_err(|error| invalid(error.to_string()))?;
        Ok(key)
    }

    fn signer(&self, signature: &Signature) -> Option<Part<'_>> {
        let names = |key: &dyn KeyDetails| {
            let fingerprints = signature.issuer_fingerprint();
            if fingerprints.is_empty() {
                let id = key.legacy_key_id();
                return signature.issuer_key_id().into_iter().any(|named| *named == id);
            }
            let fingerprint = key.fingerprint();
            fingerprints.into_iter().any(|named| *named == fingerprint)
        };
        self.0.iter().find_map(|key| {
            if names(&key.primary_key) {
                return Some(Part::Primary(key));
            }
            key.public_subkeys.iter().find(|sub| names(&sub.key)).map(|sub| Part::Sub(key, sub))
        })
    }
}

impl Part<'_> {
    fn key(&self) -> &SignedPublicKey {
        match self {
            Self::Primary(key) | Self::Sub(key, _) => key,
        }
    }

    /// Whether the part may have made this signature. RFC 9580, sections 5.2.1 and 5.2.3. Of what a key says of itself, the
    /// latest counts (section 5.2.3.10): a life that was shortened stays short, whatever was said before.
    fn may_sign(&self, signature: &Signature) -> Result<(), &'static str> {
        if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
            return Err("it is no signature of data");
        }
        let weak = |hash| matches!(hash, HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::Ripemd160);
        if signature.hash_alg().is_none_or(weak) {
            return Err("its hash is too weak (MD5, SHA-1, RIPEMD-160) or not known");
        }
        let made = signature.created().ok_or("it does not say when it was made")?;
        let details = &self.key().details;
        if !details.revocation_signatures.is_empty() {
            return Err("the key was revoked");
        }
        let primary = &self.key().primary_key;
        let users = details.users.iter().filter_map(|user| {
            let own = |own: &&Signature| own.verify_certification(primary, Tag::UserId, &user.id).is_ok();
            // Whose last word is that the name is no more says nothing of the key.
            latest(user.signatures.iter().filter(own)).filter(|own| is_certification(own))
        });
        let direct = details.direct_signatures.iter().filter(|own| own.verify_key(primary).is_ok());
        lives(primary.created_at(), latest(users.chain(direct)).and_then(expiry), made)?;
        if let Self::Sub(_, sub) = self {
            sub.verify_bindings(primary).map_err(|_| "the subkey does not belong to the key")?;
            if sub.signatures.iter().any(|own| own.typ() == Some(SignatureType::SubkeyRevocation)) {
                return Err("the subkey was revoked");
            }
            let bindings = sub.signatures.iter().filter(|own| own.typ() == Some(SignatureType::SubkeyBinding));
            let binding = latest(bindings).filter(|own| own.key_flags().sign());
            let binding = binding.ok_or("the subkey is not one that may sign data")?;
            lives(sub.key.created_at(), expiry(binding), made)?;
        }
        Ok(())
    }
}

/// Of signatures that a key made of itself, the one that counts. Of two of one second, the one that stands behind the other.
fn latest<'a>(own: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    own.max_by_key(|own| own.created().map(Timestamp::as_secs))
}

/// Whether it says that a name is the key's, and not that it is no more.
fn is_certification(own: &Signature) -> bool {
    use SignatureType::{CertCasual, CertGeneric, CertPersona, CertPositive};
    matches!(own.typ(), Some(CertCasual | CertGeneric | CertPersona | CertPositive))
}

/// Whether a key that was made at one time and lives so long had begun and not ended at another.
fn lives(created: Timestamp, expiry: Option<u32>, at: Timestamp) -> Result<(), &'static str> {
    let (created, at) = (created.as_secs(), at.as_secs());
    if at < created {
        return Err("it is older than the key");
    }
    if expiry.is_some_and(|expiry| at > created.saturating_add(expiry)) {
        return Err("the key was out of date when it signed");
    }
    Ok(())
}

/// How long a signature says that its key lives, in seconds; 0 is for ever.
fn expiry(own: &Signature) -> Option<u32> {
    own.key_expiration_time().map(Duration::as_secs).filter(|expiry| *expiry != 0)
}

fn name(key: &impl KeyDetails) -> String {
    format!("{:x}", key.fingerprint())
}

fn signer_named(signature: &Signature) -> String {
    let fingerprint = signature.issuer_fingerprint().first().map(|fingerprint| format!("{fingerprint:x}"));
    let id = || signature.issuer_key_id().first().map(ToString::to_string);
    fingerprint.or_else(id).unwrap_or_else(|| "(it does not say which)".into())
}
