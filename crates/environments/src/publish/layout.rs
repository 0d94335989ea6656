//! Where everything of the published environments lies: keys below one prefix, as readers know them.

use jiff::Timestamp;

use crate::definition::Label;

/// The list of all published environments.
pub const INDEX: &str = "environments.json";
/// Below it, the list as it was at each change.
pub const HISTORY: &str = "history/";
/// Below it, what each label means now.
pub const LATEST: &str = "latest/";

/// An archive, by its own SHA-256: an environment's name.
pub fn archive(sha256: &str) -> String {
    format!("{sha256}.tar.xz")
}

/// A lock, by its key.
pub fn lock(key: &str) -> String {
    format!("locks/{key}.json")
}

/// The completion record of a lock: where there is one, everything it names is there.
pub fn build(key: &str) -> String {
    format!("builds/{key}")
}

/// The licences of a lock's packages.
pub fn licences(key: &str) -> String {
    format!("licenses/{key}.json")
}

/// The bill of materials.
pub fn sbom(key: &str) -> String {
    format!("sbom/{key}.spdx.json")
}

/// Which source packages belong to it, and where they are.
pub fn sources(key: &str) -> String {
    format!("sources/{key}.json")
}

/// A source package, by its SHA-256.
pub fn source_package(sha256: &str) -> String {
    format!("srpms/{sha256}.src.rpm")
}

/// The folder of an OCI image layout.
pub fn oci(key: &str) -> String {
    format!("oci/{key}/")
}

/// The list as it was from a moment on.
pub fn history(at: Timestamp) -> String {
    // The same number of digits always: keys are in the order of time.
    format!("{HISTORY}{}.json", at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
}

/// What a label means now.
pub fn latest(label: &Label) -> String {
    format!("{LATEST}{label}.json")
}
