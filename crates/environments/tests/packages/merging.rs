//! Several packages, one tree.

use std::slice::from_ref;

use buildhub_environments::definition::{Exclude, Group, User};
use buildhub_environments::tree::{Kind, MergeError};
use buildhub_testkit::environments::{File, Recipe, Workshop};

use crate::support::{Tree, contents, identity};

#[test]
fn the_order_of_packages_changes_nothing() {
    let workshop = Workshop::create().unwrap();
    let recipe = |name: &str| {
        Recipe::new(name)
            .file(File::new("/usr/share/common", "the same"))
            .file(File::new(format!("/usr/share/{name}"), name))
    };
    let mut made = workshop.build(&[recipe("a"), recipe("b"), recipe("c")]).unwrap();
    let one = Tree::of(&made, &identity()).unwrap();
    made.reverse();
    let other = Tree::of(&made, &identity()).unwrap();
    assert_eq!(one.entries(), other.entries());
    assert_eq!(one.spool.size(), other.spool.size());
    let database = "/var/lib/rpm/rpmdb.sqlite";
    assert_eq!(
        contents(one.entries(), &one.spool, database),
        contents(other.entries(), &other.spool, database),
        "the database's bytes"
    );
}

fn conflict(one: File, other: File) -> Option<&'static str> {
    let outcome = Tree::build(&[Recipe::new("a").file(one), Recipe::new("b").file(other)], &identity());
    match outcome {
        Ok(_) => None,
        Err(MergeError::Conflicts(conflicts)) => {
            assert_eq!(conflicts.len(), 1);
            assert_eq!(conflicts[0].packages, ["a-1-1.x86_64", "b-1-1.x86_64"]);
            Some(conflicts[0].difference)
        }
        Err(error) => panic!("{error}"),
    }
}

/// Pitfall 5: conflicts that no solver sees.
#[test]
fn a_path_of_two_packages_is_a_conflict_unless_it_is_the_same_file() {
    let file = |contents: &str| File::new("/etc/x", contents);
    assert_eq!(conflict(file("same"), file("same")), None);
    assert_eq!(conflict(file("same"), file("sane")), Some("contents"));
    assert_eq!(conflict(file("same"), file("same").mode(0o600)), Some("modes"));
    assert_eq!(conflict(file("same"), file("same").owner("root", "mail")), Some("owners"));
    assert_eq!(conflict(file("same"), File::folder("/etc/x")), Some("kinds"));
    assert_eq!(conflict(File::symlink("/etc/x", "a"), File::symlink("/etc/x", "b")), Some("targets"));
    assert_eq!(conflict(File::folder("/etc/x"), File::folder("/etc/x").mode(0o700)), Some("modes"));
    assert_eq!(conflict(file("same"), file("other").directive("%ghost")), None);
}

/// The beginning of a program, as much as rpm looks at: 1 for 32 bits, 2 for 64.
fn program(class: u8) -> File {
    let mut elf = vec![0x7f, b'E', b'L', b'F', class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0];
    elf.extend(if class == 1 { [3, 0] } else { [62, 0] });
    elf.resize(128, 0);
    elf[20] = 1;
    File::new("/usr/bin/both", elf).mode(0o755)
}

#[test]
fn where_a_32_bit_and_a_64_bit_program_want_one_path_the_64_bit_one_gets_it() {
    let recipes = [Recipe::new("small").arch("i686").file(program(1)), Recipe::new("large").file(program(2))];
    let tree = Tree::build(&recipes, &identity()).unwrap();
    assert_eq!(contents(tree.entries(), &tree.spool, "/usr/bin/both")[4], 2);
    let recipes = [Recipe::new("a-large").file(program(2)), Recipe::new("b-small").arch("i686").file(program(1))];
    let tree = Tree::build(&recipes, &identity()).unwrap();
    assert_eq!(contents(tree.entries(), &tree.spool, "/usr/bin/both")[4], 2);
}

/// Pitfall 4: owners whom nobody knows.
#[test]
fn an_owner_whom_nobody_knows_is_an_error_and_does_not_become_root() {
    let recipe = || Recipe::new("app").file(File::new("/srv/app", "x").owner("app", "staff"));
    let error = Tree::build(&[recipe()], &identity()).unwrap_err();
    let MergeError::Owner { name, what, package, .. } = &error else { panic!("{error}") };
    assert_eq!((&**name, *what, &**package), ("app", "user", "app-1-1.x86_64"));

    let mut declared = identity();
    let shell = "/sbin/nologin".to_owned();
    declared.users.push(User { name: "app".into(), uid: 700, gid: 701, home: "/srv".into(), shell });
    declared.groups.push(Group { name: "staff".into(), gid: 701 });
    let tree = Tree::build(&[recipe()], &declared).unwrap();
    let entry = tree.get("/srv/app").unwrap();
    assert_eq!((entry.uid, entry.gid), (700, 701));
    assert_eq!(tree.text("/etc/passwd"), "app:x:700:701::/srv:/sbin/nologin\n");
    assert_eq!(tree.text("/etc/group"), "staff:x:701:\n");
}

#[test]
fn a_file_of_accounts_beyond_all_measure_is_an_error_and_not_read_by_half() {
    let recipe = Recipe::new("setup").file(File::new("/etc/passwd", vec![b'#'; 5 << 20]));
    let error = Tree::build(&[recipe], &identity()).unwrap_err();
    assert!(matches!(error, MergeError::Accounts { .. }) && error.to_string().contains("/etc/passwd"), "{error}");
}

#[test]
fn packages_bring_users_by_sysusers_and_what_contradicts_itself_is_an_error() {
    let lines = "# comment\nu app 700 \"An App\" /srv/app\ng staff 701\nu floating -\nm app staff\n";
    let recipe = Recipe::new("app")
        .file(File::new("/etc/passwd", "root:x:0:0::/root:/bin/sh"))
        .file(File::new("/usr/lib/sysusers.d/app.conf", lines))
        .file(File::new("/srv/app", "x").owner("app", "staff"));
    let tree = Tree::build(from_ref(&recipe), &identity()).unwrap();
    assert_eq!(tree.text("/etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:700:700::/srv/app:/usr/sbin/nologin\n");
    assert_eq!(tree.text("/etc/group"), "app:x:700:\nstaff:x:701:\n");
    let mut other = identity();
    other.groups.push(Group { name: "staff".into(), gid: 999 });
    let error = Tree::build(&[recipe], &other).unwrap_err();
    assert!(matches!(error, MergeError::Account { one: 999, other: 701, .. }), "{error}");
}

#[test]
fn excluded_paths_are_left_out_with_all_below_also_behind_a_link() {
    let mut identity = identity();
    for path in ["/opt/sdk", "/lib/secret", "/lib/other-secret"] {
        identity.excludes.push(Exclude { package: None, path: Some(path.into()), reason: "not ours".into() });
    }
    let filesystem = Recipe::new("filesystem").file(File::symlink("/lib", "usr/lib"));
    let recipe = Recipe::new("app")
        .file(File::new("/opt/sdk/key", "k"))
        .file(File::new("/opt/sdk-notes", "n"))
        .file(File::new("/usr/lib/kept", "k"))
        .file(File::new("/usr/lib/other-secret", "s"))
        .file(File::new("/lib/secret", "s"));
    let tree = Tree::build(&[filesystem, recipe], &identity).unwrap();
    for (path, there) in [
        ("/opt/sdk", false),
        ("/opt/sdk/key", false),
        ("/opt/sdk-notes", true),
        ("/usr/lib/kept", true),
        ("/usr/lib/secret", false),
        ("/usr/lib/other-secret", false),
    ] {
        assert_eq!(tree.get(path).is_some(), there, "{path}");
    }
}

#[test]
fn an_exclusion_of_what_no_package_has_is_an_error() {
    let recipe = Recipe::new("app").file(File::new("/opt/sdk/key", "k"));
    let rule = |path: &str| Exclude { package: None, path: Some(path.into()), reason: "not ours".into() };
    let mut identity = identity();
    identity.excludes = vec![rule("/opt/sdk"), rule("/opt/sdk/key")];
    assert!(Tree::build(from_ref(&recipe), &identity).is_ok(), "one may be below another");
    identity.excludes.push(rule("/opt/sdk2"));
    let error = Tree::build(&[recipe], &identity).unwrap_err();
    assert!(matches!(&error, MergeError::RuleForNothing { rule } if rule == "/opt/sdk2"), "{error}");
}

#[test]
fn an_excluded_package_that_is_in_the_lock_is_an_error() {
    let mut identity = identity();
    identity.excludes.push(Exclude { package: Some("sdk".into()), path: None, reason: "not ours".into() });
    let error = Tree::build(&[Recipe::new("sdk")], &identity).unwrap_err();
    assert!(matches!(error, MergeError::Excluded { .. }), "{error}");
}

#[test]
fn files_that_give_rights_are_declared_or_refused() {
    let recipe = Recipe::new("su")
        .file(File::new("/usr/bin/su", "x").mode(0o4755))
        .file(File::new("/usr/bin/ping", "x").mode(0o755).directive("%caps(cap_net_raw+p)"));
    let error = Tree::build(from_ref(&recipe), &identity()).unwrap_err();
    let MergeError::Setuid { paths } = &error else { panic!("{error}") };
    assert_eq!(paths, &["/usr/bin/ping", "/usr/bin/su"]);
    let mut declared = identity();
    declared.setuid = paths.clone();
    assert_eq!(Tree::build(&[recipe], &declared).unwrap().get("/usr/bin/su").unwrap().mode, 0o4755);
}

#[test]
fn of_a_files_names_all_are_excluded_or_none() {
    let recipe = Recipe::new("links")
        .file(File::new("/a/first", "not to be passed on"))
        .file(File::hardlink("/b/second", "/a/first"))
        .file(File::hardlink("/c/third", "/a/first"))
        .file(File::new("/d/fourth", "contents"))
        .file(File::hardlink("/d/fifth", "/d/fourth"));
    let excluding = |paths: &[&str]| {
        let mut identity = identity();
        let rule = |path: &&str| Exclude { package: None, path: Some((*path).into()), reason: "so".into() };
        identity.excludes = paths.iter().map(rule).collect();
        Tree::build(from_ref(&recipe), &identity)
    };
    for (excluded, other, stays) in
        [(&["/a"][..], "/a/first", "/b/second"), (&["/c"], "/c/third", "/a/first"), (&["/a", "/b"], "/", "/c/third")]
    {
        let error = excluding(excluded).unwrap_err().to_string();
        assert!(error.starts_with(stays) && error.contains(other), "{error}");
        assert!(error.contains("of the package links-1-1.x86_64 are one file"), "{error}");
    }
    let tree = excluding(&["/a", "/b", "/c"]).unwrap();
    assert!(tree.get("/c/third").is_none());
    assert_eq!(tree.text("/d/fourth"), "contents");
    assert_eq!(tree.get("/d/fourth").unwrap().kind, Kind::Hardlink(crate::support::at("/d/fifth")));
}

#[test]
fn no_file_is_dated_later_than_the_newest_package_or_the_lock_says() {
    let recipe = Recipe::new("a").file(File::new("/a", "a"));
    let tree = Tree::build(from_ref(&recipe), &identity()).unwrap();
    assert_eq!(tree.merged.clamp_time, 1_700_000_000);
    assert!(tree.entries().values().all(|entry| entry.mtime <= 1_700_000_000));
    let mut early = identity();
    early.clamp_time = Some(1000);
    assert!(Tree::build(&[recipe], &early).unwrap().entries().values().all(|entry| entry.mtime == 1000));
}

#[test]
fn the_environments_own_repository_files_name_the_mirrors() {
    let mut identity = identity();
    identity.mirrors.insert("base".into(), "https://mirror.example/base/".into());
    identity.mirrors.insert("extra".into(), "https://mirror.example/extra/".into());
    let text = "[base]\nbaseurl=http://internal.example/\n";
    let tree =
        Tree::build(&[Recipe::new("repos").file(File::new("/etc/yum.repos.d/base.repo", text))], &identity).unwrap();
    assert_eq!(tree.text("/etc/yum.repos.d/base.repo"), "[base]\nbaseurl=https://mirror.example/base/\n");
    assert_eq!(
        tree.text("/etc/yum.repos.d/environment.repo"),
        "[extra]\nname=extra\nbaseurl=https://mirror.example/extra/\nenabled=1\n\n"
    );
}
