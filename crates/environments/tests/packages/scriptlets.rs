//! What packages would run.

use std::slice::from_ref;

use buildhub_environments::definition::{Action, Alternative};
use buildhub_environments::rpm::Package;
use buildhub_environments::tree::MergeError;
use buildhub_testkit::environments::{File, Recipe, Workshop};

use crate::support::{Tree, identity, scriptlet};

/// All kinds that there are, with and without a body.
fn everything() -> Recipe {
    Recipe::new("everything")
        .section("%pretrans -p <lua>", "print('pretrans')")
        .section("%pre", "echo pre")
        .section("%post -p /sbin/ldconfig", "")
        .section("%preun", "echo preun")
        .section("%postun -p /sbin/ldconfig", "")
        .section("%posttrans -p /bin/true", "")
        .section("%verifyscript", "true")
        .section("%triggerin -p /usr/bin/perl -- other", "print 'in'")
        .section("%triggerun -- other", "echo un")
        .section("%filetriggerin -- /usr/lib", "cat")
        .section("%transfiletriggerin -p /sbin/ldconfig -- /usr/lib", "")
        .section("%transfiletriggerun -- /usr/lib", "cat")
}

/// Pitfall 1: programs without a body.
#[test]
fn scriptlets_and_triggers_of_all_kinds_are_found_also_those_that_are_a_program_without_a_body() {
    let workshop = Workshop::create().unwrap();
    let made = workshop.build(&[everything()]).unwrap();
    let found = Package::open(&made[0]).unwrap().scriptlets().unwrap();
    let found: Vec<_> = found.iter().map(|it| (it.phase, &*it.program, it.body.trim_end(), it.on_install)).collect();
    assert_eq!(
        found,
        [
            ("pretrans", "<lua>", "print('pretrans')", true),
            ("pre", "/bin/sh", "echo pre", true),
            ("post", "/sbin/ldconfig", "", true),
            ("posttrans", "/bin/true", "", true),
            ("preun", "/bin/sh", "echo preun", false),
            ("postun", "/sbin/ldconfig", "", false),
            ("verify", "/bin/sh", "true", false),
            ("trigger", "/usr/bin/perl", "print 'in'", true),
            ("trigger", "/bin/sh", "echo un", false),
            ("filetrigger", "/bin/sh", "cat", true),
            ("transfiletrigger", "/sbin/ldconfig", "", true),
            ("transfiletrigger", "/bin/sh", "cat", false),
        ]
    );
}

#[test]
fn what_the_definition_says_nothing_of_fails_closed_and_the_error_names_package_phase_and_program() {
    let mut identity = identity();
    for phase in ["pretrans", "pre", "posttrans", "trigger"] {
        identity.scriptlets.push(scriptlet("everything", phase, Action::Acknowledge));
    }
    identity.scriptlets.push(scriptlet("another", "post", Action::Acknowledge));
    let error = Tree::build(&[everything()], &identity).unwrap_err();
    let MergeError::Undeclared(undeclared) = &error else { panic!("{error}") };
    let phases: Vec<_> = undeclared.iter().map(|it| (&*it.package, it.phase, &*it.program)).collect();
    assert_eq!(
        phases,
        [
            ("everything", "post", "/sbin/ldconfig"),
            ("everything", "filetrigger", "/bin/sh"),
            ("everything", "transfiletrigger", "/sbin/ldconfig"),
        ]
    );
    assert!(error.to_string().contains("everything post (/sbin/ldconfig)"), "{error}");

    for phase in ["post", "filetrigger", "transfiletrigger"] {
        identity.scriptlets.push(scriptlet("everything", phase, Action::Acknowledge));
    }
    assert_eq!(Tree::build(&[everything()], &identity).unwrap().merged.scriptlets.len(), 7);
}

#[test]
fn ldconfig_becomes_links_from_the_names_that_programs_ask_for() {
    // Any library will do that says what it is called.
    let library = std::fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let mut identity = identity();
    identity.scriptlets.push(scriptlet("libs", "post", Action::Ldconfig));
    let recipe = Recipe::new("libs")
        .section("%post -p /sbin/ldconfig", "")
        .file(File::symlink("/lib64", "usr/lib64"))
        .file(File::new("/usr/lib64/libc-2.9.so", &*library).mode(0o755))
        .file(File::new("/usr/lib64/libc-2.10.so", &*library).mode(0o755))
        .file(File::new("/usr/lib64/libtext.so", "INPUT(libc.so.6)"))
        .file(File::new("/opt/lib/libc-1.so", &*library))
        .file(File::new("/usr/share/lib/libc-1.so", &*library))
        .file(File::new("/etc/ld.so.conf", "include ld.so.conf.d/*.conf\n"))
        .file(File::new("/etc/ld.so.conf.d/opt.conf", "/opt/lib\n"));
    let tree = Tree::build(&[recipe], &identity).unwrap();
    assert_eq!(tree.link("/usr/lib64/libc.so.6"), "libc-2.10.so");
    assert_eq!(tree.link("/opt/lib/libc.so.6"), "libc-1.so");
    assert!(tree.get("/usr/share/lib/libc.so.6").is_none());
}

#[test]
fn alternatives_of_the_definition_are_links_and_never_replace_a_file() {
    let mut identity = identity();
    identity.alternatives.push(Alternative { link: "/bin/ld".into(), target: "/usr/bin/ld.bfd".into() });
    let recipe = Recipe::new("binutils")
        .file(File::symlink("/bin", "usr/bin"))
        .file(File::new("/usr/bin/ld.bfd", "x").mode(0o755));
    let tree = Tree::build(from_ref(&recipe), &identity).unwrap();
    assert_eq!(tree.link("/usr/bin/ld"), "/usr/bin/ld.bfd");
    let error = Tree::build(&[recipe.file(File::new("/usr/bin/ld", "y"))], &identity).unwrap_err();
    assert!(matches!(error, MergeError::AlternativeTaken { .. }), "{error}");
}
