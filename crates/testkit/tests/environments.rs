//! Packages, repositories and signatures are what their recipes say, by rpm's own word.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::process::Command;

use buildhub_testkit::environments::{File, Metadata, Payload, Recipe, Signer, Workshop, createrepo, run};

fn query(package: &std::path::Path, format: &str) -> String {
    let output = run(Command::new("rpm").args(["-qp", "--nosignature", "--qf", format]).arg(package), "rpm").unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_recipe_becomes_a_package_with_everything_it_names() {
    let workshop = Workshop::create().unwrap();
    let recipe = Recipe::new("hello")
        .version("2.1")
        .epoch(3)
        .payload(Payload::Zstd)
        .tag("Recommends", "better-hello")
        .file(File::new("/usr/bin/hello", "#!/bin/sh\n").mode(0o755).directive("%caps(cap_net_raw+ep)"))
        .file(File::hardlink("/usr/bin/hallo", "/usr/bin/hello"))
        .file(File::symlink("/usr/bin/hi", "hello"))
        .file(File::folder("/var/lib/hello").owner("daemon", "daemon"))
        .section("%post -p /sbin/ldconfig", "");
    let made = workshop.build_with_sources(&[recipe]).unwrap();
    let line = "%{NEVRA} %{PAYLOADCOMPRESSOR} %{BUILDTIME} %{POSTINPROG} %{RECOMMENDS} %{SOURCERPM}\n";
    assert_eq!(
        query(&made[0], line),
        "hello-3:2.1-1.x86_64 zstd 1700000000 /sbin/ldconfig better-hello hello-2.1-1.src.rpm\n"
    );
    let files = query(&made[0], "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME} %{FILELINKTOS} %{FILECAPS}\n]");
    let paths: Vec<_> = files.lines().map(str::trim_end).collect();
    assert_eq!(
        paths,
        [
            "/usr/bin/hallo -rwxr-xr-x root",
            "/usr/bin/hello -rwxr-xr-x root  cap_net_raw=ep",
            "/usr/bin/hi lrwxrwxrwx root hello",
            "/var/lib/hello drwxr-xr-x daemon",
        ]
    );
    assert!(workshop.sources().join("hello-2.1-1.src.rpm").is_file());
}

#[test]
fn packages_without_files_are_made_together_even_when_names_repeat() {
    let workshop = Workshop::create().unwrap();
    let recipes = [
        Recipe::new("a").requires("(b if c)"),
        Recipe::new("a").version("2").section("%post -p /bin/true", ""),
        Recipe::new("b").arch("noarch"),
        Recipe::new("c").arch("i686"),
    ];
    let made = workshop.build_together(&recipes).unwrap();
    assert_eq!(query(&made[0], "%{NEVRA} [%{REQUIRES} ]").split(" rpmlib").next().unwrap(), "a-1-1.x86_64 (b if c)");
    assert_eq!(query(&made[1], "%{NEVRA} %{POSTINPROG}"), "a-2-1.x86_64 /bin/true");
    assert_eq!(query(&made[2], "%{NEVRA}"), "b-1-1.noarch");
    assert_eq!(query(&made[3], "%{NEVRA}"), "c-1-1.i686");
}

#[test]
fn a_repository_and_its_packages_are_signed_by_a_key_of_the_test() {
    let workshop = Workshop::create().unwrap();
    let made = workshop.build(&[Recipe::new("a")]).unwrap();
    let signer = Signer::create("releases", "rsa3072").unwrap();
    signer.sign_package(&made[0]).unwrap();
    assert!(
        query(&made[0], "%{RSAHEADER:pgpsig}").starts_with("RSA/SHA"),
        "{}",
        query(&made[0], "%{RSAHEADER:pgpsig}")
    );
    createrepo(workshop.packages(), Metadata::Xz).unwrap();
    let index = workshop.packages().join("repodata/repomd.xml");
    assert!(std::fs::read_to_string(&index).unwrap().contains("primary.xml.xz"));
    assert!(signer.sign_file(&index).unwrap().is_file());
    assert!(signer.public_key().unwrap().starts_with(b"-----BEGIN PGP PUBLIC KEY BLOCK-----"));
}
