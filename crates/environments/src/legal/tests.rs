use serde_json::{Value, json};

use super::*;
use crate::archive;
use crate::definition::SourceKind;
use crate::lock::SourcePackage;
use crate::tree::{Entries, Entry, Kind, Path, Spool};

const CREATED: i64 = 1_700_000_000;

fn identity(sources: SourcesPolicy) -> Identity {
    Identity {
        assembly: 1,
        source: SourceKind::RpmRepo,
        arch: "x86_64".into(),
        packages: Vec::new(),
        root_sha256: None,
        root_sources: Vec::new(),
        excludes: vec![Exclude {
            package: Some("android-ndk".into()),
            path: None,
            reason: "not redistributable".into(),
        }],
        scriptlets: Vec::new(),
        alternatives: Vec::new(),
        users: Vec::new(),
        groups: Vec::new(),
        clamp_time: None,
        rpmdb: "var/lib/rpm".into(),
        setuid: Vec::new(),
        mirrors: std::collections::BTreeMap::new(),
        oci: false,
        sources,
        encoder: archive::encoder(),
    }
}

#[test]
fn a_root_whose_packages_are_not_known_is_refused_or_says_so() {
    let root = |sources| Identity { source: SourceKind::ChrootTar, ..identity(sources) };
    let error = documents("5e", &root(SourcesPolicy::Refuse), CREATED, &[]).unwrap_err().to_string();
    assert!(error.contains("/var/lib/rpm") && error.contains("/var/lib/dpkg/status"), "{error}");
    let documents = documents("5e", &root(SourcesPolicy::Warn), CREATED, &[]).unwrap();
    let (licences, sbom) = (parse(&documents.licences), parse(&documents.sbom));
    assert!(licences["note"].as_str().unwrap().contains("is not known"), "{licences}");
    let comment = sbom["packages"][0]["comment"].as_str().unwrap();
    assert!(comment.contains("is not known") && comment.contains("Left out: package android-ndk"), "{comment}");
    // Of a lock's packages it is known that there are none.
    let documents = super::documents("5e", &identity(SourcesPolicy::Refuse), CREATED, &[]).unwrap();
    assert_eq!(parse(&documents.licences)["note"], Value::Null);
}

fn component(name: &str, licence: &str, source: Option<(&str, Option<&str>)>) -> Component {
    Component {
        name: name.into(),
        version: "1:4.4-1".into(),
        arch: "x86_64".into(),
        manager: Manager::Rpm,
        licence: Some(licence.into()).filter(|licence: &String| !licence.is_empty()),
        source: source
            .map(|(file, sha256)| SourcePackage { sha256: sha256.map(str::to_owned), ..SourcePackage::named(file) }),
        sha256: Some("ab".repeat(32)),
    }
}

fn some() -> Vec<Component> {
    vec![
        component("make", "GPL-3.0-or-later AND GFDL-1.3-or-later", Some(("make-4.4-1.src.rpm", Some("cd")))),
        component("make-devel", "GPLv3+ and MIT", Some(("make-4.4-1.src.rpm", Some("cd")))),
        component("zlib", "LicenseRef-Fedora-Public-Domain OR MIT", Some(("zlib-1-1.src.rpm", None))),
        component("gpg-pubkey", "", None),
    ]
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn the_list_of_licences_says_what_packages_say_and_what_was_left_out_and_why() {
    let documents = documents("5e", &identity(SourcesPolicy::Warn), CREATED, &some()).unwrap();
    let list = parse(&documents.licences);
    assert_eq!(list["environment"], "5e");
    assert_eq!(list["excluded"], json!([{ "package": "android-ndk", "reason": "not redistributable" }]));
    let line = |at: usize| list["packages"][at].clone();
    assert_eq!(line(0)["package"], "gpg-pubkey-1:4.4-1.x86_64");
    assert_eq!((line(0)["licence"].clone(), line(0)["copyleft"].clone()), (Value::Null, Value::Null));
    assert_eq!(
        (line(1)["spdx"].as_str(), line(1)["copyleft"].as_bool()),
        (Some("GPL-3.0-or-later AND GFDL-1.3-or-later"), Some(true))
    );
    // No SPDX expression: as the package says, and nobody guesses.
    assert_eq!((line(2)["licence"].as_str(), line(2)["spdx"].clone()), (Some("GPLv3+ and MIT"), Value::Null));
    assert_eq!(line(3)["copyleft"], false);
}

#[test]
fn a_source_counts_as_offered_when_it_is_published_from_the_same_place() {
    let documents = documents("5e", &identity(SourcesPolicy::Warn), CREATED, &some()).unwrap();
    let expected = json!({
        "sources": [
            {
                "file": "make-4.4-1.src.rpm", "sha256": "cd", "key": "srpms/cd.src.rpm",
                "packages": ["make-1:4.4-1.x86_64", "make-devel-1:4.4-1.x86_64"],
            },
            { "file": "zlib-1-1.src.rpm", "sha256": null, "key": null, "packages": ["zlib-1:4.4-1.x86_64"] },
        ],
        "missing": ["gpg-pubkey-1:4.4-1.x86_64", "zlib-1:4.4-1.x86_64"],
    });
    assert_eq!(parse(&documents.sources), expected);
    assert_eq!(documents.missing.len(), 2);
}

#[test]
fn nothing_is_published_without_its_source_where_the_definition_refuses_that() {
    let error = documents("5e", &identity(SourcesPolicy::Refuse), CREATED, &some()).unwrap_err().to_string();
    assert!(error.contains("2 packages have no source package") && error.contains("zlib-1:4.4-1.x86_64"), "{error}");
    assert!(documents("5e", &identity(SourcesPolicy::Refuse), CREATED, &some()[..2]).is_ok());
}

#[test]
fn the_bill_of_materials_is_the_same_bytes_whenever_it_is_made() {
    let identity = identity(SourcesPolicy::Warn);
    let first = documents("5e", &identity, CREATED, &some()).unwrap();
    let mut turned = some();
    turned.reverse();
    turned.push(some()[0].clone());
    assert_eq!(documents("5e", &identity, CREATED, &turned).unwrap(), first);

    let bill = parse(&first.sbom);
    assert_eq!(bill["creationInfo"]["created"], "2023-11-14T22:13:20Z");
    assert_eq!(bill["documentNamespace"], "https://spdx.org/spdxdocs/buildhub-environment-5e");
    let packages = bill["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 5);
    assert_eq!(packages[0]["comment"], "Left out: package android-ndk: not redistributable");
    assert_eq!(packages[2]["externalRefs"][0]["referenceLocator"], "pkg:rpm/make@4.4-1?arch=x86_64&epoch=1");
    assert_eq!(packages[2]["licenseDeclared"], "GPL-3.0-or-later AND GFDL-1.3-or-later");
    // Names of licences that SPDX does not have are explained in the document.
    let named: Vec<&str> = bill["hasExtractedLicensingInfos"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|info| info["licenseId"].as_str())
        .collect();
    assert_eq!(named.len(), 2);
    assert_eq!(packages[3]["licenseDeclared"], named[0]);
    assert_eq!(named[1], "LicenseRef-Fedora-Public-Domain");
    // Each is related, and each name is there once.
    let ids: std::collections::HashSet<&str> =
        packages.iter().filter_map(|package| package["SPDXID"].as_str()).collect();
    assert_eq!((ids.len(), bill["relationships"].as_array().unwrap().len()), (5, 5));
}

#[test]
fn what_dpkg_installed_is_listed_with_the_licences_that_its_packages_name() {
    let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
    let mut entries = Entries::new();
    let mut put = |path: &str, kind| {
        let entry = Entry { kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, capability: None };
        entries.insert(Path::new(path.as_bytes()).unwrap(), entry);
    };
    let status = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9+deb12u10\n\
                  Description: C\n Version: no field of it\n\n\
                  Package: bsdutils\nStatus: install ok installed\nArchitecture: amd64\nSource: util-linux (2.38.1-5)\nVersion: 1:2.38.1-5\n\n\
                  Package: unpacked\nStatus: install ok unpacked\nArchitecture: all\nVersion: 2\n\n\
                  Package: waits\nStatus: install ok triggers-awaited\nArchitecture: all\nVersion: 3\n\n\
                  Package: never\nStatus: unknown ok not-installed\nVersion: 1\n\n\
                  Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n";
    let copyright = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: MIT\n\n\
                     Files: x\nLicense: GPL-2+ or BSD-3-clause\n text\n\nLicense: MIT\n text\n";
    put("var/lib/dpkg/status", Kind::File(spool.keep(&mut status.as_bytes()).unwrap()));
    put(
        "usr/share/doc/libc6/copyright",
        Kind::File(spool.keep(&mut &b"This package was debianized by hand\n"[..]).unwrap()),
    );
    put("usr/share/doc/bsdutils", Kind::Symlink(b"../doc/./util-linux"[..].into()));
    put("usr/share/doc/util-linux/copyright", Kind::Symlink(b"/usr/share/licences/u"[..].into()));
    put("usr/share/licences/u", Kind::File(spool.keep(&mut copyright.as_bytes()).unwrap()));

    let found = dpkg(&entries, &spool).unwrap();
    let lines: Vec<_> = found.iter().map(|found| (found.to_string(), found.licence.as_deref())).collect();
    let expected = [
        ("libc6_2.36-9+deb12u10_amd64".to_owned(), None),
        ("bsdutils_1:2.38.1-5_amd64".to_owned(), Some("(GPL-2+ or BSD-3-clause) AND MIT")),
        // Not set up yet, and there.
        ("unpacked_2_all".to_owned(), None),
        ("waits_3_all".to_owned(), None),
    ];
    assert_eq!(lines, expected);
    let files: Vec<&str> = found.iter().map(|found| found.source.as_ref().unwrap().file.as_str()).collect();
    assert_eq!(files, ["glibc_2.36-9+deb12u10.dsc", "util-linux_2.38.1-5.dsc", "unpacked_2.dsc", "waits_3.dsc"]);
    assert_eq!(found[1].purl(), "pkg:deb/debian/bsdutils@1%3A2.38.1-5?arch=amd64");
    assert_eq!(dpkg(&Entries::new(), &spool).unwrap(), []);
}
