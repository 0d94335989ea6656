//! Repositories without packages: metadata only, as `createrepo_c` writes them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A package as a test writes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) arch: String,
    /// Lists by their element: `provides`, `requires`, …
    pub(crate) lists: Vec<(&'static str, Vec<String>)>,
    /// Files that `primary.xml` names.
    pub(crate) files: Vec<String>,
    /// Files that only `filelists.xml` names.
    pub(crate) more_files: Vec<String>,
}

/// `name-version-release.arch`, version and release `1` where they are not told.
pub(crate) fn package(text: &str) -> Made {
    let arch = text.rsplit_once('.').filter(|(_, arch)| arch.starts_with(|char: char| char.is_ascii_alphabetic()));
    let (name, arch) = arch.unwrap_or((text, "x86_64"));
    let (name, version) = name.split_once(' ').unwrap_or((name, "1-1"));
    Made { name: name.into(), version: version.into(), arch: arch.into(), ..Made::default() }
}

impl Made {
    pub(crate) fn with(mut self, list: &'static str, entries: &[&str]) -> Self {
        self.lists.push((list, entries.iter().map(ToString::to_string).collect()));
        self
    }

    fn id(&self) -> String {
        digits(format!("{} {} {}", self.name, self.version, self.arch).as_bytes())
    }

    fn evr(&self) -> String {
        attributes(&self.version)
    }
}

pub(crate) fn digits(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn attributes(evr: &str) -> String {
    let (epoch, rest) = evr.split_once(':').unwrap_or(("0", evr));
    match rest.split_once('-') {
        Some((version, release)) => format!("epoch=\"{epoch}\" ver=\"{version}\" rel=\"{release}\""),
        None => format!("epoch=\"{epoch}\" ver=\"{rest}\""),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn entry(text: &str) -> String {
    let parts: Vec<&str> = text.split(' ').collect();
    match parts.as_slice() {
        [name, comparison, version] if !text.starts_with('(') => {
            let flags = match *comparison {
                "<" => "LT",
                "<=" => "LE",
                "=" => "EQ",
                ">=" => "GE",
                _ => "GT",
            };
            format!("<rpm:entry name=\"{}\" flags=\"{flags}\" {}/>", escaped(name), attributes(version))
        }
        _ => format!("<rpm:entry name=\"{}\"/>", escaped(text)),
    }
}

fn elements<'a>(files: impl Iterator<Item = &'a String>) -> String {
    files.fold(String::new(), |text, file| text + "<file>" + &escaped(file) + "</file>")
}

fn primary(packages: &[Made]) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"0\">\n",
    );
    for made in packages {
        let Made { name, arch, version, .. } = made;
        let plain = version.split_once(':').map_or(version.as_str(), |(_, rest)| rest);
        write!(
            text,
            "<package type=\"rpm\"><name>{name}</name><arch>{arch}</arch><version {}/>\
             <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum><summary/><description/><packager/><url/>\
             <time file=\"1\" build=\"1\"/><size package=\"1\" installed=\"1\" archive=\"1\"/>\
             <location href=\"{name}-{plain}.{arch}.rpm\"/><format><rpm:license>MIT</rpm:license>\
             <rpm:sourcerpm>{name}-{plain}.src.rpm</rpm:sourcerpm>",
            made.evr(),
            made.id()
        )
        .unwrap();
        let mut lists = BTreeMap::from([("provides", vec![format!("{name} = {version}")])]);
        made.lists.iter().for_each(|(list, entries)| lists.entry(list).or_default().extend(entries.clone()));
        for (list, entries) in lists {
            let entries: String = entries.iter().map(|text| entry(text)).collect();
            write!(text, "<rpm:{list}>{entries}</rpm:{list}>").unwrap();
        }
        let files = elements(made.files.iter());
        writeln!(text, "{files}</format></package>").unwrap();
    }
    text + "</metadata>\n"
}

fn filelists(packages: &[Made]) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" \
         packages=\"0\">\n",
    );
    for made in packages {
        let files = elements(made.files.iter().chain(&made.more_files));
        let (id, Made { name, arch, .. }) = (made.id(), made);
        let evr = made.evr();
        writeln!(text, "<package pkgid=\"{id}\" name=\"{name}\" arch=\"{arch}\"><version {evr}/>{files}</package>")
            .unwrap();
    }
    text + "</filelists>\n"
}

/// Compresses as the ending says.
fn compressed(ending: &str, plain: &str) -> Vec<u8> {
    let plain = plain.as_bytes();
    match ending {
        ".gz" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        ".xz" => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        ".bz2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        ".zst" => zstd::encode_all(plain, 1).unwrap(),
        _ => plain.to_vec(),
    }
}

/// Writes a repository's metadata below `folder`, compressed as `ending` says.
pub(crate) fn write(folder: &Path, packages: &[Made], ending: &str) {
    fs::create_dir_all(folder.join("repodata")).unwrap();
    let mut repomd = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>1</revision>",
    );
    for (kind, text) in [("primary", primary(packages)), ("filelists", filelists(packages))] {
        let bytes = compressed(ending, &text);
        let path = format!("repodata/{kind}.xml{ending}");
        fs::write(folder.join(&path), &bytes).unwrap();
        write!(
            repomd,
            "<data type=\"{kind}\"><checksum type=\"sha256\">{}</checksum><open-checksum type=\"sha256\">{}</open-checksum>\
             <location href=\"{path}\"/><timestamp>1</timestamp><size>{}</size><open-size>{}</open-size></data>",
            digits(&bytes),
            digits(text.as_bytes()),
            bytes.len(),
            text.len()
        )
        .unwrap();
    }
    fs::write(folder.join("repodata/repomd.xml"), repomd + "</repomd>\n").unwrap();
}
