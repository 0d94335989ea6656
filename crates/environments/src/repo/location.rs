//! Where files of a repository lie, from its address on.

/// Whether a path stays inside its repository, and means the same as an address and as a key.
pub(super) fn is_inside(path: &str) -> bool {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    path.split('/').all(plain) && !path.contains("://") && !path.contains(['?', '#', '\\', '\0'])
}
