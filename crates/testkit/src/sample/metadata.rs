//! The bodies of metadata files.

use serde_json::json;

use super::Body;

/// How a build was made.
pub(super) struct Built<'a> {
    /// As files begin.
    pub(super) product: &'a str,
    pub(super) version: &'a str,
    pub(super) platform: &'a str,
    pub(super) channel: &'a str,
    /// Below `https://hg.mozilla.org/`.
    pub(super) tree: &'a str,
    pub(super) revision: String,
    /// The build id.
    pub(super) id: String,
    /// The candidate's number.
    pub(super) number: Option<u32>,
}

impl Built<'_> {
    fn repository(&self) -> String {
        format!("https://hg.mozilla.org/{}", self.tree)
    }

    /// The build id as a time of RFC 3339.
    fn date(&self) -> String {
        let at = |from: usize| self.id.get(from..from + 2).unwrap_or("00");
        let year = self.id.get(..4).unwrap_or("1970");
        format!("{year}-{}-{}T{}:{}:{}Z", at(4), at(6), at(8), at(10), at(12))
    }
}

const ALIAS: &str = "x86_64-pc-linux-gnu";
const CC: &str = "/builds/worker/workspace/build/src/gcc/bin/gcc -std=gnu99";
const CXX: &str = "/builds/worker/workspace/build/src/gcc/bin/g++ -std=gnu++14";

fn body(content_type: &'static str, value: impl Into<bytes::Bytes>) -> Body {
    Body { content_type: content_type.into(), bytes: value.into() }
}

/// What the build system writes beside an archive.
pub(super) fn json(built: &Built<'_>) -> Body {
    let windows = built.platform.starts_with("win");
    let repository = built.repository();
    let value = json!({
        "as": if windows { "ml64.exe" } else { "$(CC)" },
        "buildid": built.id,
        "cc": CC,
        "cxx": CXX,
        "host_alias": ALIAS,
        "host_cpu": "x86_64",
        "host_os": "linux-gnu",
        "ld": "ld",
        "moz_app_name": built.product,
        "moz_app_vendor": "Mozilla",
        "moz_app_version": built.version,
        "moz_pkg_platform": built.platform,
        "moz_source_repo": if windows { format!("MOZ_SOURCE_REPO={repository}") } else { repository },
        "moz_source_stamp": built.revision,
        "moz_update_channel": built.channel,
        "target_alias": ALIAS,
    });
    // Some are served as what they are not.
    let content_type = if built.platform == "mac" { "application/octet-stream" } else { "application/json" };
    body(content_type, value.to_string())
}

/// The whole record, as builds since 2018 bring it.
pub(super) fn buildhub_json(built: &Built<'_>, archive: &str) -> Body {
    let os = ["win", "mac", "linux"].into_iter().find(|os| built.platform.starts_with(os)).unwrap_or("linux");
    let platform = if built.platform == "mac" { "macosx" } else { built.platform };
    let mimetype = match archive.rsplit('.').next() {
        Some("exe") => "application/msdos-windows",
        Some("dmg") => "application/x-apple-diskimage",
        _ => "application/x-xz",
    };
    let value = json!({
        "source": {
            "product": built.product,
            "tree": built.tree,
            "repository": built.repository(),
            "revision": built.revision,
        },
        "target": {
            "platform": platform,
            "os": os,
            "version": built.version,
            "channel": built.channel,
            "locale": "en-US",
        },
        "build": {
            "id": built.id,
            "date": built.date().replace('Z', ".000000+00:00"),
            "number": built.number,
            "as": "$(CC)",
            "ld": "ld",
            "cc": CC,
            "cxx": CXX,
            "host": ALIAS,
            "target": ALIAS,
        },
        "download": {
            "url": format!("https://archive.mozilla.org/{}", archive.replace(' ', "%20")),
            "mimetype": mimetype,
            "size": 70_000_000,
            "date": built.date().replace('Z', ".123456+00:00"),
        },
    });
    body("application/json", value.to_string())
}

/// The old form: build id, and the address of the revision.
pub(super) fn txt_two_lines(built: &Built<'_>) -> Body {
    let revision = built.revision.get(..12).unwrap_or_default();
    body("text/plain", format!("{}\nhttp://hg.mozilla.org/{}/rev/{revision}\n", built.id, built.tree))
}

/// The oldest form: build id and revision.
pub(super) fn txt_one_line(built: &Built<'_>) -> Body {
    let revision = built.revision.get(..12).unwrap_or_default();
    body("text/plain", format!("{} {revision}\n", built.id))
}
