//! What holds for all keys, not only for those somebody thought of.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what does not hold fails the test")]

mod common;

use buildhub_releases::{Key, Metadata, Place, Rank, Version, classify, rank_of_url};
use common::{every_product, facts, metadata};
use proptest::prelude::*;

const JSON: &str = "pub/firefox/candidates/50.0b11-candidates/build2/mac/en-US/firefox-50.0b11.json";

fn version() -> impl Strategy<Value = String> {
    r"[1-9][0-9]{0,2}(\.(0|[1-9][0-9]{0,2})){1,3}(a1|a2|b[1-9][0-9]?|esr|rc[1-9]|plugin1|b2pre|-real-real|b1-2)?"
}

fn locale() -> impl Strategy<Value = String> {
    "(en-US|multi|fr|ast|ja-JP-mac|pt-BR|es-419|ca-valencia|zh-Hant-TW|sr-Latn|[a-w][a-w](-[A-Z][A-Z])?)"
}

fn platform() -> impl Strategy<Value = String> {
    "(linux-i686|linux-x86_64|linux-aarch64|mac|win32|win64|win64-aarch64|android-api-15|android-x86|eabi-arm|maemo5-gtk)(|-EME-free|-funnelcake9)"
}

fn installer() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        ".tar.gz", ".tar.bz2", ".tar.xz", ".dmg", ".pkg", ".apk", ".aab", ".exe", ".msi", ".msix", ".deb",
    ])
}

fn stamp() -> impl Strategy<Value = String> {
    (2004..2030_u16, 1..=12_u8, 1..=28_u8, "(|-[012][0-9](|-[0-5][0-9](|-[0-5][0-9])))")
        .prop_map(|(year, month, day, time)| format!("{year}-{month:02}-{day:02}{time}"))
}

/// Anything at all, and things that look like keys of builds and are slightly wrong.
fn any_key() -> impl Strategy<Value = String> {
    let word = "(pub|firefox|mobile|fenix|nightly|releases|candidates|60.0|60.0-candidates|build[0-9]{0,12}|2018|11|win32|mac|en-US|funnelcake[0-9]*|android|2018-11-1[0-9-]{0,14}mozilla-central(-l10n)?|[-a-z0-9é.]{0,6})";
    let file = "(firefox|Firefox|fennec|)[- ](Setup )?([0-9.]{0,5}|é)(\\.[a-zA-Z-]{0,6}){0,4}\\.?(zip|exe|tar\\.bz2|json|txt|buildhub\\.json|dmg)";
    prop_oneof![
        any::<String>(),
        (prop::collection::vec(word, 0..9), file).prop_map(|(words, file)| format!("{}/{file}", words.join("/"))),
        (prop::collection::vec(word, 0..7), file)
            .prop_map(|(words, file)| format!("pub/firefox/{}/{file}", words.join("/"))),
    ]
}

fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Keys of builds, of every product and in every place.
fn build_key() -> impl Strategy<Value = String> {
    let product = prop::sample::select(vec![
        ("firefox", "firefox"),
        ("thunderbird", "thunderbird"),
        ("mobile", "fennec"),
        ("devedition", "firefox"),
    ]);
    let desktop = (product, version(), locale(), platform(), installer(), stamp(), place()).prop_map(
        |((folder, name), version, locale, platform, installer, stamp, place)| {
            let (year, month) = (&stamp[..4], &stamp[5..7]);
            let full = format!("{name}-{version}.{locale}.{platform}{installer}");
            let below = match place {
                "nightly" => format!("nightly/{year}/{month}/{stamp}-mozilla-central/{full}"),
                "nightly-l10n" => format!("nightly/{year}/{month}/{stamp}-mozilla-central-l10n/{full}"),
                "nightly-level" => {
                    format!("nightly/{year}/{month}/{stamp}-mozilla-central-android-api-15/multi/{full}")
                }
                "flat" => format!("releases/{version}/{full}"),
                place => {
                    let file = if name == "fennec" { full } else { format!("{name}-{version}{installer}") };
                    let place = place.replace("<version>", &version);
                    format!("{place}/{platform}/{locale}/{file}")
                }
            };
            format!("pub/{folder}/{below}")
        },
    );
    prop_oneof![3 => desktop, 2 => android_key()]
}

fn place() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "nightly",
        "nightly-l10n",
        "nightly-level",
        "flat",
        "candidates/<version>-candidates/build12",
        "candidates/<version>-candidates/build3/funnelcake90",
        "releases/<version>",
        "releases/<version>/funnelcake90",
    ])
}

/// Keys of builds of Focus and Fenix.
fn android_key() -> impl Strategy<Value = String> {
    let abi = "(|-arm64-v8a|-armeabi-v7a|-x86|-x86_64|-universal)";
    let time = "20(1[5-9]|2[0-9])-(0[1-9]|1[0-2])-[012][1-9](-[0-5][0-9]){3}";
    let place = "(nightly|flat|releases/<version>|candidates/<version>-candidates/build[1-9])";
    ("(fenix|focus)", version(), abi, time, "(\\.apk|\\.aab)", place).prop_map(
        |(name, version, abi, stamp, extension, place)| {
            let (year, month) = (&stamp[..4], &stamp[5..7]);
            let own = format!("{name}-{version}-android{abi}");
            let file = format!("{name}-{version}.multi.android{abi}{extension}");
            match &*place {
                "nightly" => format!("pub/{name}/nightly/{year}/{month}/{stamp}-{own}/{file}"),
                "flat" => format!("pub/{name}/releases/{version}/{file}"),
                place => format!("pub/{name}/{}/android/{own}/{file}", place.replace("<version>", &version)),
            }
        },
    )
}

/// What an archive may ask for, a reader of listings must know when it sees it.
fn check_addresses(key: &str, highest_build: Option<u32>) -> Result<(), TestCaseError> {
    let archive = common::archive(key);
    let addresses = archive.metadata_keys(highest_build);
    prop_assert!(addresses.len() <= 4);
    for address in &addresses {
        match classify(address, every_product()) {
            Key::Metadata(found) => prop_assert!(found.describes(&archive, highest_build), "{}: {}", key, address),
            other => prop_assert!(false, "{}: {}: {:?}", key, address, other),
        }
    }
    Ok(())
}

#[test]
fn every_address_of_metadata_of_each_layout_is_known_as_metadata() {
    for line in common::table("layouts.tsv", 8) {
        check_addresses(&line[0], None).unwrap();
        check_addresses(&line[0], Some(3)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_key_is_too_odd(key in any_key()) {
        match classify(&key, every_product()) {
            Key::Archive(archive) => {
                prop_assert!(is_id(&archive.id()), "{}", archive.id());
                let record = archive.record(&facts(), Some(&metadata(JSON)));
                prop_assert!(record.check().is_ok(), "{:?}", record.check());
                prop_assert_eq!(archive.rank(), rank_of_url(&record.download.url));
            }
            Key::Metadata(found) => {
                prop_assert!(found.folders().iter().all(|folder| folder.ends_with('/')));
            }
            Key::Other(_) => {}
        }
    }

    #[test]
    fn every_address_of_metadata_is_known_as_metadata(key in build_key(), build in 1..20_u32) {
        check_addresses(&key, None)?;
        check_addresses(&key, Some(build))?;
    }

    #[test]
    fn every_address_of_metadata_of_an_odd_build_is_known_as_metadata(key in any_key(), build in 1..20_u32) {
        if matches!(classify(&key, every_product()), Key::Archive(_)) {
            check_addresses(&key, Some(build))?;
        }
    }

    #[test]
    fn a_release_parses_back((version, locale, platform) in (version(), locale(), platform()), extension in installer()) {
        let key = format!("pub/firefox/releases/{version}/{platform}/{locale}/firefox-{version}{extension}");
        let archive = common::archive(&key);
        prop_assert_eq!(archive.version, version);
        prop_assert_eq!(&archive.locale, &locale);
        prop_assert_eq!(archive.platform.replace("macosx", "mac"), platform.to_lowercase());
        prop_assert_eq!(archive.extension.suffix(), extension);
        let place = Place::Release { funnelcake: None };
        prop_assert_eq!(archive.place, place);
        prop_assert!(archive.record(&facts(), Some(&metadata(JSON))).check().is_ok());
    }

    #[test]
    fn a_candidate_parses_back(
        (version, locale, platform) in (version(), locale(), platform()),
        number in 1..1000_u32,
        funnelcake in prop::option::of("funnelcake[0-9]{1,3}"),
        extension in installer(),
    ) {
        let level = funnelcake.as_ref().map(|name| format!("{name}/")).unwrap_or_default();
        let key = format!("pub/thunderbird/candidates/{version}-candidates/build{number}/{level}{platform}/{locale}/thunderbird-{version}{extension}");
        let archive = common::archive(&key);
        prop_assert_eq!(archive.version, &version);
        prop_assert_eq!(archive.place, Place::Candidate { build: number, funnelcake: funnelcake.as_deref() });
        let suffix = funnelcake.as_ref().map(|name| format!("-{name}")).unwrap_or_default();
        prop_assert_eq!(archive.target_version(), format!("{version}rc{number}{suffix}"));
        let part = format!("rc{number}{suffix}_");
        prop_assert!(archive.id().contains(&part));
    }

    #[test]
    fn a_nightly_parses_back(
        (version, locale, platform) in (version(), locale(), "(linux-i686|linux-x86_64|mac|win32|win64-x86_64|eabi-arm)"),
        stamp in stamp(),
        branch in "(mozilla-central|comm-central)(-l10n|-android-api-1[0-9](-old-id)?(-l10n)?|-macosx|)",
        extension in installer(),
        installer in "(|\\.installer)",
    ) {
        let (year, month) = (&stamp[..4], &stamp[5..7]);
        let key = format!("pub/firefox/nightly/{year}/{month}/{stamp}-{branch}/firefox-{version}.{locale}.{platform}{installer}{extension}");
        let archive = common::archive(&key);
        prop_assert_eq!(archive.version, version);
        prop_assert_eq!(&archive.locale, &locale);
        let Place::Nightly { folder, branch: found, stamp: start, level } = archive.place else { panic!("{key}") };
        prop_assert_eq!(found, &branch);
        prop_assert_eq!(folder, format!("{stamp}-{branch}"));
        prop_assert_eq!(level, None);
        prop_assert!(folder.starts_with(start) && start.split('-').count() <= 6);
        if branch.contains("android-api") {
            prop_assert!(archive.platform.starts_with("android-api-1"));
        }
        prop_assert!(archive.record(&facts(), Some(&metadata(JSON))).check().is_ok());
    }

    #[test]
    fn no_metadata_is_too_odd(key in "(x\\.json|x\\.txt|buildhub\\.json)", body in prop::collection::vec(any::<u8>(), 0..200)) {
        // It may be refused; it may not panic.
        let _ = Metadata::parse(&key, &body);
    }

    #[test]
    fn text_metadata_is_read_whatever_separates_it(id in "20[0-9]{12}", gap in "[ \\t\\r\\n]{1,3}", revision in "[0-9a-f]{12,40}") {
        let found = Metadata::parse("x.txt", format!("{id}{gap}{revision}").as_bytes()).unwrap();
        prop_assert_eq!(found.build.id.as_deref(), Some(&*id));
        prop_assert_eq!(found.source.revision.as_deref(), Some(&*revision));
    }

    #[test]
    fn the_order_of_versions_is_total_and_transitive(a in odd_version(), b in odd_version(), c in odd_version()) {
        let [a, b, c] = [a, b, c].map(|text| text.parse::<Version>().unwrap());
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if a == b {
            prop_assert_eq!(a.cmp(&c), b.cmp(&c));
        }
    }

    #[test]
    fn a_version_is_printed_as_it_was_written(text in odd_version()) {
        prop_assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
    }

    #[test]
    fn a_rank_is_the_same_wherever_the_archive_is_mirrored(key in any_key(), base in "(https|s3)://[a-z.]{1,20}/") {
        let key = format!("pub/{key}");
        prop_assert_eq!(rank_of_url(&format!("{base}{key}")), rank_of_url(&key));
        prop_assert!(rank_of_url(&key).as_u32() > 0);
        prop_assert_eq!(Rank::from_u32(rank_of_url(&key).as_u32()), rank_of_url(&key));
    }
}

/// Versions with parts that collide often.
fn odd_version() -> impl Strategy<Value = String> {
    "[01](\\.[012]){0,3}((a|b|rc|pre|esr|plugin|real|-|\\.)[0-9]{0,2}){0,3}"
}
