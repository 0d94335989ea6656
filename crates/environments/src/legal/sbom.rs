//! The bill of materials, as SPDX 2.3 has it in JSON.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Component, LegalError, licence};
use crate::definition::Exclude;
use crate::digest::hex;
use crate::lock::Identity;

const NOTHING_SAID: &str = "NOASSERTION";
const ENVIRONMENT: &str = "SPDXRef-Environment";

/// The document. Its name in the world follows from the lock's key, its time is that of the environment's newest file, and
/// it names no version of this program: so it is the same whenever and wherever it is made. `note` goes before what was left
/// out.
pub(super) fn sbom(
    key: &str,
    identity: &Identity,
    created: i64,
    components: &[&Component],
    note: Option<&str>,
) -> Result<Value, LegalError> {
    let created = Timestamp::from_second(created).map_err(|_| LegalError::Time(created))?;
    let mut named = Named::default();
    let mut packages = vec![environment(key, identity, note)];
    let mut relationships = vec![relationship("SPDXRef-DOCUMENT", "DESCRIBES", ENVIRONMENT)];
    for (number, component) in components.iter().enumerate() {
        let id = format!("SPDXRef-Package-{}-{}", number + 1, word(&component.name));
        relationships.push(relationship(ENVIRONMENT, "CONTAINS", &id));
        packages.push(package(&id, component, &named.declare(component.licence.as_deref())));
    }
    Ok(json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("build environment {key}"),
        "documentNamespace": format!("https://spdx.org/spdxdocs/buildhub-environment-{key}"),
        "creationInfo": { "created": created.to_string(), "creators": ["Tool: buildhub"] },
        "packages": packages,
        "hasExtractedLicensingInfos": named.infos(),
        "relationships": relationships,
    }))
}

fn environment(key: &str, identity: &Identity, note: Option<&str>) -> Value {
    let mut comment = left_out(&identity.excludes);
    if let Some(note) = note {
        comment = format!("{note} {comment}");
    }
    json!({
        "SPDXID": ENVIRONMENT,
        "name": format!("build environment ({})", identity.arch),
        "versionInfo": key,
        "downloadLocation": NOTHING_SAID,
        "filesAnalyzed": false,
        "licenseConcluded": NOTHING_SAID,
        "licenseDeclared": NOTHING_SAID,
        "copyrightText": NOTHING_SAID,
        "primaryPackagePurpose": "ARCHIVE",
        "comment": comment,
    })
}

/// What is not in it, and why, in a sentence each.
fn left_out(excludes: &[Exclude]) -> String {
    let what = |rule: &Exclude| {
        let name = rule.package.as_ref().map(|name| format!("package {name}")).or_else(|| rule.path.clone());
        format!("{}: {}", name.unwrap_or_default(), rule.reason)
    };
    if excludes.is_empty() {
        "Nothing was left out.".into()
    } else {
        format!("Left out: {}", excludes.iter().map(what).collect::<Vec<_>>().join("; "))
    }
}

fn package(id: &str, component: &Component, declared: &str) -> Value {
    let purl = json!({ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": component.purl() });
    let mut package = json!({
        "SPDXID": id,
        "name": component.name,
        "versionInfo": component.version,
        "supplier": NOTHING_SAID,
        "downloadLocation": NOTHING_SAID,
        "filesAnalyzed": false,
        "licenseConcluded": NOTHING_SAID,
        "licenseDeclared": declared,
        "copyrightText": NOTHING_SAID,
        "externalRefs": [purl],
    });
    if let Value::Object(package) = &mut package {
        if let Some(sha256) = &component.sha256 {
            package.insert("checksums".into(), json!([{ "algorithm": "SHA256", "checksumValue": sha256 }]));
        }
        if let Some(source) = &component.source {
            package.insert("sourceInfo".into(), json!(format!("built from {}", source.file)));
        }
    }
    package
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

/// What may be in an identifier: letters, digits, `.` and `-`.
fn word(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' }).collect()
}

/// Licences by names that the document makes and explains itself.
#[derive(Default)]
struct Named {
    /// What packages say, by the name made for it.
    made: BTreeMap<String, String>,
    /// Names that packages have themselves.
    own: BTreeSet<String>,
}

impl Named {
    /// A package's licence as an expression: its own, or a name for what it says.
    fn declare(&mut self, said: Option<&str>) -> String {
        let Some(said) = said.map(str::trim).filter(|said| !said.is_empty()) else { return NOTHING_SAID.into() };
        if let Some(expression) = licence::expression(said) {
            self.own.extend(licence::own_names(&expression));
            return said.to_owned();
        }
        let hash = hex(&Sha256::digest(said));
        let name = format!("LicenseRef-{}", hash.get(..16).unwrap_or(&hash));
        self.made.insert(name.clone(), said.to_owned());
        name
    }

    fn infos(&self) -> Vec<Value> {
        let own = self.own.iter().filter(|name| !self.made.contains_key(*name)).map(|name| {
            json!({ "licenseId": name, "extractedText": "The package names this licence; its text is in the package." })
        });
        let made =
            self.made.iter().map(|(name, said)| json!({ "licenseId": name, "name": said, "extractedText": said }));
        made.chain(own).collect()
    }
}
