//! `buildhub env show`.

use std::fmt::Write as _;

use buildhub_core::Variables;
use buildhub_environments::catalogue::Catalogue;
use buildhub_environments::lock::Lock;
use buildhub_environments::places::Places;
use buildhub_environments::publish::Listed;
use clap::ArgMatches;
use indicatif::BinaryBytes;
use serde::Serialize;

use super::{EnvError, argument, catalogue, is_json, write};
use crate::CommandError;

/// An environment and its lock, for programs.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    listed: &'a Listed,
    /// Where its archive is.
    address: String,
    made_of: &'a Lock,
}

pub(super) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let places = Places::from_variables(vars)?;
    let catalogue = catalogue(vars, &places)?;
    let index = catalogue.index().await.map_err(EnvError::from)?;
    let listed = Catalogue::named(&index, argument(matches, "NAME")).map_err(EnvError::from)?;
    let lock = catalogue.lock(&listed.build.lock).await.map_err(EnvError::from)?;
    let address = catalogue.address(&listed.build.name).to_string();
    let shown = Shown { listed, address, made_of: &lock };
    write(is_json(matches), &shown, || text(&shown, &catalogue))?;
    Ok(true)
}

fn text(shown: &Shown<'_>, catalogue: &Catalogue<'_>) -> String {
    let (build, identity) = (&shown.listed.build, &shown.made_of.identity);
    let mut text = format!("{}\n", shown.address);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:12} {value}");
    };
    line("size", BinaryBytes(build.size).to_string());
    line("created", build.created.to_string());
    line("arch", build.arch.clone());
    line("lock", catalogue.address(&format!("locks/{}.json", build.lock)).to_string());
    line("licences", catalogue.address(&build.licences).to_string());
    line("sbom", catalogue.address(&build.sbom).to_string());
    line("sources", catalogue.address(&build.sources).to_string());
    build.oci.iter().for_each(|image| line("image", catalogue.address(image).to_string()));
    identity.root_sha256.iter().for_each(|root| line("made of", format!("the root {root}")));
    for one in &shown.listed.labels {
        line("used by", format!("{} (by {}, since {})", one.label, one.definition, one.since));
    }
    for exclude in &build.exclusions {
        let what = exclude.package.as_ref().or(exclude.path.as_ref()).map_or("", String::as_str);
        line("left out", format!("{what}: {}", exclude.reason));
    }
    if !identity.packages.is_empty() {
        line("packages", identity.packages.len().to_string());
        identity.packages.iter().for_each(|package| line("", format!("{} ({})", package.nevra(), package.licence)));
    }
    text
}
