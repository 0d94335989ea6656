use super::*;

const SAMPLE: &str = r#"
[environment]
source = "rpm-repo"
arch = "x86_64"
packages = ["gcc", "make"]

[[repo]]
id = "base"
url = "https://packages.example/base/"
gpg_keys = ["sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]

[[exclude]]
package = "android-ndk"
reason = "not redistributable"

[[scriptlet]]
package = "glibc"
phase = "post"
action = "ldconfig"

[[label]]
branch = "mozilla-central"
platform = "linux64"
product = "firefox"
"#;

const CHROOT: &str = "[environment]\nsource = \"chroot-tar\"\narch = \"x86_64\"\nroot = \"roots/a.tar.xz\"\n";

fn refused(text: &str) -> String {
    Definition::parse(text, "linux64.toml").unwrap_err().to_string()
}

#[test]
fn the_formats_first_sample_is_read_with_its_defaults() {
    let definition = Definition::parse(SAMPLE, "linux64.toml").unwrap();
    assert_eq!(definition.environment.rpmdb, "var/lib/rpm");
    assert_eq!(definition.environment.sources, SourcesPolicy::Warn);
    assert_eq!(definition.scriptlets[0].action, Action::Ldconfig);
    assert_eq!(definition.labels[0].to_string(), "mozilla-central/linux64/firefox");
    Definition::parse(CHROOT, "root.toml").unwrap();
}

#[test]
fn a_label_says_where_its_pointer_lies_and_no_two_share_one() {
    let label = |build_type: Option<&str>, channel: Option<&str>| {
        Label {
            branch: "b".into(),
            platform: "p".into(),
            product: "f".into(),
            build_type: build_type.map(str::to_owned),
            channel: channel.map(str::to_owned),
        }
        .to_string()
    };
    assert_eq!(label(None, None), "b/p/f");
    assert_eq!(label(Some("opt"), None), "b/p/f/opt");
    assert_eq!(label(Some("opt"), Some("beta")), "b/p/f/opt/beta");
    assert_eq!(label(None, Some("beta")), "b/p/f/-/beta");
}

/// The text that replaces another in the sample, and what the error names: table, field and value.
#[test]
fn what_cannot_be_used_is_said_with_file_table_field_value_and_what_is_allowed() {
    for (good, bad, named) in [
        ("x86_64", "", r#"[environment] arch = """#),
        (r#"["gcc", "make"]"#, "[]", "[environment] packages"),
        (r#""make"]"#, r#""android-ndk"]"#, r#"[[exclude]] 1 package = "android-ndk""#),
        ("id = \"base\"", "id = \"../base\"", r#"[[repo]] 1 id = "../base""#),
        ("https://packages.example/base/", "ftp://x", r#"[[repo]] 1 url = "ftp://x""#),
        ("sha256:0123", "sha1:0123", "[[repo]] 1 gpg_keys"),
        ("sha256:0123", "sha256:ABCD", "[[repo]] 1 gpg_keys"),
        ("not redistributable", "", r#"[[exclude]] 1 reason = """#),
        ("package = \"android-ndk\"", "", "[[exclude]] 1 package"),
        ("package = \"android-ndk\"", "path = \"opt/ndk\"", r#"[[exclude]] 1 path = "opt/ndk""#),
        ("phase = \"post\"", "phase = \"later\"", r#"[[scriptlet]] 1 phase = "later""#),
        ("action = \"ldconfig\"", "action = \"users\"", r#"[[scriptlet]] 1 action = "users""#),
        ("linux64", "../x", r#"[[label]] 1 platform = "../x""#),
        ("linux64", "-", r#"[[label]] 1 platform = "-""#),
        ("[[label]]", "[[user]]\nname=\"a:b\"\nuid=1\ngid=1\n[[label]]", r#"[[user]] 1 name = "a:b""#),
        (
            "[[label]]",
            "[[group]]\nname=\"a\"\ngid=1\n[[group]]\nname=\"b\"\ngid=1\n[[label]]",
            r#"[[group]] 2 gid = "1""#,
        ),
        ("[[exclude]]", "[[repo]]\nid=\"base\"\nurl=\"b\"\n[[exclude]]", r#"[[repo]] 2 id = "base""#),
        ("[[repo]]", "rpmdb = \"/var/lib/rpm\"\n[[repo]]", r#"[environment] rpmdb = "/var/lib/rpm""#),
        ("[[repo]]", "setuid = [\"/a/../b\"]\n[[repo]]", r#"[environment] setuid = "/a/../b""#),
        ("[[repo]]", "root = \"a.tar\"\n[[repo]]", r#"[environment] root = "a.tar""#),
    ] {
        assert!(SAMPLE.contains(good), "{good}");
        let error = refused(&SAMPLE.replacen(good, bad, 1));
        assert!(error.starts_with(&format!("linux64.toml: {named}")), "{good} → {bad}: {error}");
        assert!(error.contains(" cannot be used: "), "{error}");
    }
    let error = refused(&CHROOT.replace("root =", "root_sha256 = \"AB\"\nroot ="));
    assert!(error.contains("root_sha256") && error.contains("64 hexadecimal digits"), "{error}");
}

#[test]
fn a_field_that_is_not_known_is_an_error_that_shows_the_line() {
    let error = refused(&SAMPLE.replace("arch =", "architecture ="));
    assert!(error.starts_with("linux64.toml is no definition") && error.contains("architecture"), "{error}");
    assert!(refused("environment = 3").contains("linux64.toml"));
}

#[test]
fn a_login_in_an_address_is_not_repeated() {
    let error = refused(&SAMPLE.replace("https://packages", "https://me:hush@packages"));
    assert!(error.contains("[[repo]] 1 url") && !error.contains("hush"), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "(\\[\\[?[a-z]{1,9}\\]\\]?\n|[a-z_]{1,9} = (\"[^\"\n]{0,9}\"|[0-9]{1,5}|true|\\[\\])\n){0,8}") {
        let _ = Definition::parse(&text, "any.toml");
    }
}

#[test]
fn the_samples_are_definitions() {
    let packages = include_str!("../../../../examples/environments/linux64.toml");
    assert_eq!(Definition::parse(packages, "linux64.toml").unwrap().labels.len(), 2);
    let root = include_str!("../../../../examples/environments/uploaded-root.toml");
    Definition::parse(root, "uploaded-root.toml").unwrap();
}
