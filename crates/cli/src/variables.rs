//! Every setting of every crate: the tables of the crates, joined.

use buildhub_core::variables::Variable;

/// All settings, in the order in which documentation shows them.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    let tables = [
        buildhub_indexer::variables::VARIABLES,
        buildhub_archiver::variables::VARIABLES,
        buildhub_environments::variables::VARIABLES,
        buildhub_self_serve::variables::VARIABLES,
    ];
    tables.into_iter().flatten()
}

/// The setting of that name.
pub fn named(name: &str) -> Option<&'static Variable> {
    all().find(|variable| variable.name == name)
}
