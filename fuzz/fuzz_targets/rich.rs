//! Rich dependencies: whatever one says, a definition is solved or refused, and never takes the process with it.
#![no_main]

use buildhub_environments::definition::Definition;
use buildhub_environments::places::Address;
use buildhub_environments::repo::{self, Budget, Repository};
use buildhub_environments::solve;
use libfuzzer_sys::fuzz_target;

const DEFINITION: &str = "[environment]\nsource = \"rpm-repo\"\narch = \"x86_64\"\npackages = [\"a\"]\nweak = true\n\
                          [[repo]]\nid = \"r\"\nurl = \"r\"\n";

fuzz_target!(|text: &str| {
    let Ok(definition) = Definition::parse(DEFINITION, "a.toml") else { return };
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let package = |name: &str, lists: &str| {
        format!(
            "<package><name>{name}</name><arch>x86_64</arch><version epoch=\"0\" ver=\"1\" rel=\"1\"/>\
             <checksum type=\"sha256\">{}</checksum><size package=\"1\"/><location href=\"{name}.rpm\"/>\
             <format>{lists}</format></package>",
            "0".repeat(64)
        )
    };
    let list = |kind: &str| format!("<rpm:{kind}><rpm:entry name=\"({escaped})\"/></rpm:{kind}>");
    let all = ["requires", "conflicts", "recommends", "supplements"].map(list).concat();
    let metadata = format!("<metadata>{}{}{}</metadata>", package("a", &all), package("b", ""), package("c", ""));
    let Ok(packages) = repo::read_primary(metadata.as_bytes(), 10, &mut Budget::new(64 << 20)) else { return };
    let repository = Repository::of_packages("r", Address::File("r".into()), packages);
    if let Ok(chosen) = solve::solve(&[repository], &definition, &mut Budget::new(64 << 20)) {
        assert!(chosen.iter().any(|one| one.package.name == "a"));
    }
});
