//! Functions under AWS's runtime emulator: this build's programs, or those of the zips that get deployed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use buildhub_core::Variables;
use buildhub_testkit::emulator::Emulator;

/// The variable that names a folder of unpacked zips: their programs run instead of this build's (`scripts/zip-test`).
const ZIPS: &str = "UNPACKED_ZIPS";

/// A program of the build that `own` is of; all stand in the same folder.
pub(crate) fn program(own: &str, name: &str) -> PathBuf {
    let path = Path::new(own).with_file_name(name);
    assert!(path.is_file(), "there is no {}: cargo build --package {name}", path.display());
    path
}

/// So many instances of a function.
pub(crate) async fn function(own: &str, name: &str, settings: &[(String, String)], size: usize) -> Arc<Emulator> {
    let zips = Variables::from_process().get(ZIPS).map(PathBuf::from);
    let function = zips.map_or_else(|| program(own, name), |zips| zips.join(name).join("bootstrap"));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Arc::new(Emulator::pool(&function, &settings, size).await.unwrap())
}
