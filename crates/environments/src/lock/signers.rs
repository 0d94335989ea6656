//! Whose signatures a lock asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::{Lock, LockError};
use crate::digest::hex;
use crate::keys::Keys;

impl Lock {
    /// The keys that packages and source packages must be signed by, by the hashes that name them
    /// ([`Package::signed_by`]). Nothing stands for those of which no signature is asked.
    ///
    /// [`Package::signed_by`]: super::Package::signed_by
    pub fn signers(&self) -> Result<BTreeMap<Vec<String>, Arc<Keys>>, LockError> {
        let mut signers = BTreeMap::new();
        let sources = self.identity.source_packages().map(|source| &source.signed_by);
        for names in self.identity.packages.iter().map(|package| &package.signed_by).chain(sources) {
            if names.is_empty() || signers.contains_key(names) {
                continue;
            }
            let mut keys = Keys::default();
            for sha256 in names {
                self.add(sha256, &mut keys).map_err(|reason| LockError::Keys { sha256: sha256.clone(), reason })?;
            }
            signers.insert(names.clone(), Arc::new(keys));
        }
        Ok(signers)
    }

    fn add(&self, sha256: &str, keys: &mut Keys) -> Result<(), String> {
        let text = self.provenance.keys.get(sha256).ok_or("they are not among the lock's keys")?;
        let file = BASE64_STANDARD.decode(text).map_err(|error| format!("they are not in base64: {error}"))?;
        let found = hex(&Sha256::digest(&file));
        if found != sha256 {
            return Err(format!("what the lock has for them is {found}"));
        }
        keys.add(&file).map_err(|error| error.to_string())
    }
}
