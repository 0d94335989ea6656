//! Recipes as spec files.

use std::fmt::Write as _;
use std::path::Path;

use super::recipe::{File, Payload, Recipe, What};

/// A package by itself, its files taken from a staged folder.
pub(super) fn alone(recipe: &Recipe, staged: &Path) -> String {
    let mut spec = globals(recipe.payload);
    head(&mut spec, recipe);
    let _ = write!(spec, "%description\n{}\n", recipe.name);
    let _ = write!(spec, "%install\nrmdir %{{buildroot}}\nmv '{}' %{{buildroot}}\n", staged.display());
    spec.push_str("%files\n");
    for file in recipe.files.iter().filter(|file| file.is_listed) {
        listed(&mut spec, file);
    }
    recipe.listed.iter().for_each(|line| spec.extend([line, "\n"]));
    for (line, body) in &recipe.sections {
        let _ = write!(spec, "{line}\n{body}\n");
    }
    spec
}

/// Many packages in one, which is itself not made, their files taken from one staged folder.
pub(super) fn together(recipes: &[&Recipe], staged: &Path) -> String {
    let mut spec = globals(recipes.first().map(|recipe| recipe.payload).unwrap_or_default());
    spec.push_str("Name: together\nVersion: 1\nRelease: 1\nSummary: together\nLicense: MIT\n%description\ntogether\n");
    let _ = write!(spec, "%install\nrmdir %{{buildroot}}\nmv '{}' %{{buildroot}}\n", staged.display());
    for recipe in recipes {
        let name = &recipe.name;
        let _ = writeln!(spec, "%package -n {name}");
        let mut lines = String::new();
        head(&mut lines, recipe);
        lines.lines().filter(|line| !line.starts_with("Name:")).for_each(|line| spec.extend([line, "\n"]));
        let _ = write!(spec, "%description -n {name}\n{name}\n%files -n {name}\n");
        recipe.files.iter().filter(|file| file.is_listed).for_each(|file| listed(&mut spec, file));
        recipe.listed.iter().for_each(|line| spec.extend([line, "\n"]));
        for (line, body) in &recipe.sections {
            let (section, rest) = line.split_once(' ').unwrap_or((line, ""));
            let _ = write!(spec, "{section} -n {name} {rest}\n{body}\n");
        }
    }
    spec
}

/// Nothing is guessed, stripped, compressed or compiled: a package is what its recipe says.
fn globals(payload: Payload) -> String {
    let payload = match payload {
        Payload::None => "w.ufdio",
        Payload::Gzip => "w6.gzdio",
        Payload::Bzip2 => "w9.bzdio",
        Payload::Xz => "w2.xzdio",
        Payload::Lzma => "w2.lzdio",
        Payload::Zstd => "w3.zstdio",
    };
    format!(
        "%global debug_package %{{nil}}\n%global __os_install_post %{{nil}}\n%global _build_id_links none\n\
         %global _binary_payload {payload}\n"
    )
}

fn head(spec: &mut String, recipe: &Recipe) {
    let Recipe { name, version, release, licence, .. } = recipe;
    let _ = write!(
        spec,
        "Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: {name}\nLicense: {licence}\nAutoReqProv: no\n"
    );
    if let Some(epoch) = recipe.epoch {
        let _ = writeln!(spec, "Epoch: {epoch}");
    }
    if recipe.target() == "noarch" {
        spec.push_str("BuildArch: noarch\n");
    }
    for (tag, value) in &recipe.tags {
        let _ = writeln!(spec, "{tag}: {value}");
    }
}

fn listed(spec: &mut String, file: &File) {
    let (user, group) = &file.owner;
    let mode = match (file.mode, &file.what) {
        (Some(mode), _) => format!("{mode:04o}"),
        (None, What::Contents(_)) => "0644".into(),
        (None, What::Folder) => "0755".into(),
        (None, What::Symlink(_) | What::Hardlink(_)) => "-".into(),
    };
    let _ = write!(spec, "%attr({mode},{user},{group}) ");
    if matches!(file.what, What::Folder) {
        spec.push_str("%dir ");
    }
    for directive in &file.directives {
        let _ = write!(spec, "{directive} ");
    }
    let _ = writeln!(spec, "\"{}\"", file.path.replace('%', "%%"));
}
