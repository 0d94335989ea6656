//! Who may do what: one table.
//!
//! Everyone whom a verified source names may make builds. Only whoever owns a build, or an administrator, may end it or
//! move it; only an administrator may end everything of a revision, for it may be several people's, and what is known of
//! it may be a minute old.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::action::Kind;

/// Someone whom a verified source names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their name, as builds have it as their owner.
    pub name: String,
    /// The groups that the source says they are in.
    pub groups: BTreeSet<String>,
}

/// What somebody is called by who signs in: of the author of a change (`Alice <alice@example.com>`) the address, of whoever
/// is called otherwise all of it. What stands before an address is anybody's to choose, and names nobody.
pub fn address(name: &str) -> &str {
    let inner = name.trim_end().strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    let inner = inner.map(|(_, address)| address.trim()).filter(|address| !address.is_empty());
    inner.filter(|address| !address.contains(char::is_whitespace)).unwrap_or(name)
}

/// What somebody is to an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An administrator.
    Admin,
    /// The owner of what is acted on.
    Owner,
    /// Somebody else with a name.
    Other,
}

/// What an action needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A name.
    Name,
    /// The owner, or an administrator.
    Ownership,
    /// An administrator.
    Admin,
}

/// What each action needs.
pub fn need(kind: Kind) -> Need {
    match kind {
        Kind::RebuildBuild
        | Kind::RebuildRequest
        | Kind::NewBuildAtRevision
        | Kind::NewNightlyAtRevision
        | Kind::NewPgobuildAtRevision
        | Kind::NewBuildForBuilder => Need::Name,
        Kind::Reprioritize | Kind::CancelRequest | Kind::CancelBuild => Need::Ownership,
        Kind::CancelRevision => Need::Admin,
    }
}

/// Whether somebody of that standing may do it.
pub fn may(kind: Kind, standing: Standing) -> bool {
    match need(kind) {
        Need::Name => true,
        Need::Ownership => standing != Standing::Other,
        Need::Admin => standing == Standing::Admin,
    }
}

/// Who administrates: people by name, and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admins {
    people: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// A text that does not name administrators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it names people, and groups as group:NAME, with commas between them: alice@example.com,group:sheriffs")]
pub struct AdminsError;

impl FromStr for Admins {
    type Err = AdminsError;

    fn from_str(text: &str) -> Result<Self, AdminsError> {
        let mut admins = Self::default();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name.split_once(':') {
                Some(("group", group)) if !group.trim().is_empty() => admins.groups.insert(group.trim().to_owned()),
                None => admins.people.insert(name.to_owned()),
                Some(_) => return Err(AdminsError),
            };
        }
        Ok(admins)
    }
}

impl Admins {
    /// What somebody is to what has these owners.
    pub fn standing(&self, person: &Person, owners: &[&str]) -> Standing {
        if self.people.contains(&person.name) || !self.groups.is_disjoint(&person.groups) {
            return Standing::Admin;
        }
        // Nobody owns what has no owner, also not somebody without a name. A name that somebody signs in with counts whole: who
        // may choose it would else choose an address in it.
        let name = person.name.as_str();
        if !name.is_empty() && owners.iter().any(|owner| *owner == name || address(owner) == name) {
            Standing::Owner
        } else {
            Standing::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, groups: &[&str]) -> Person {
        Person { name: name.to_owned(), groups: groups.iter().map(|&group| group.to_owned()).collect() }
    }

    #[test]
    fn every_action_is_allowed_to_whom_the_table_says_and_to_nobody_else() {
        use Standing::{Admin, Other, Owner};
        let table = [
            (Kind::Reprioritize, true, false),
            (Kind::CancelRequest, true, false),
            (Kind::CancelBuild, true, false),
            (Kind::RebuildBuild, true, true),
            (Kind::RebuildRequest, true, true),
            (Kind::CancelRevision, false, false),
            (Kind::NewBuildAtRevision, true, true),
            (Kind::NewNightlyAtRevision, true, true),
            (Kind::NewPgobuildAtRevision, true, true),
            (Kind::NewBuildForBuilder, true, true),
        ];
        assert_eq!(table.map(|(kind, ..)| kind), Kind::ALL);
        for (kind, owner, other) in table {
            assert_eq!((may(kind, Admin), may(kind, Owner), may(kind, Other)), (true, owner, other), "{kind:?}");
        }
    }

    #[test]
    fn administrators_are_named_or_in_a_group_and_owners_are_those_of_the_build() {
        let admins: Admins = "alice@example.com, group:sheriffs".parse().unwrap();
        assert_eq!(admins.standing(&person("alice@example.com", &[]), &[]), Standing::Admin);
        assert_eq!(admins.standing(&person("bob", &["sheriffs"]), &[]), Standing::Admin);
        assert_eq!(admins.standing(&person("carol", &["others"]), &["bob", "carol"]), Standing::Owner);
        assert_eq!(admins.standing(&person("dave", &[]), &["bob"]), Standing::Other);
        assert_eq!(admins.standing(&person("", &[]), &[""]), Standing::Other);
        // The author of a change is its address, whatever stands before it.
        for (author, standing) in [
            ("Erin E. <erin@example.com>", Standing::Owner),
            ("<erin@example.com>", Standing::Owner),
            ("Erin < erin@example.com > ", Standing::Owner),
            ("erin@example.com <mallory@example.com>", Standing::Other),
            ("<erin@example.com> <mallory@example.com>", Standing::Other),
            ("erin@example.com>", Standing::Other),
            ("Erin <erin@example.com> (fixed)", Standing::Other),
            ("Erin <erin@example.com, x>", Standing::Other),
        ] {
            assert_eq!(admins.standing(&person("erin@example.com", &[]), &[author]), standing, "{author}");
        }
        let signed_in = person("Erin E. <erin@example.com>", &[]);
        let own = admins.standing(&signed_in, &["Erin E. <erin@example.com>"]);
        assert_eq!(own, Standing::Owner, "whose own builds are called so");
        let erins = admins.standing(&signed_in, &["erin@example.com"]);
        assert_eq!(erins, Standing::Other, "what somebody is called by a claim says nothing of an address in it");
        assert_eq!(["x", "", "<>", "a <>"].map(address), ["x", "", "<>", "a <>"]);
        // A group's name is no person's.
        assert_eq!(admins.standing(&person("sheriffs", &[]), &[]), Standing::Other);
        assert!("team:x".parse::<Admins>().is_err() && "group:".parse::<Admins>().is_err());
    }
}
