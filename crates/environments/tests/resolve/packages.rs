//! Repositories of real packages: `rpmbuild` makes them, `createrepo_c` reads them.

use std::fs;
use std::path::Path;

use buildhub_testkit::environments::{Metadata, Recipe, Workshop, createrepo};

use super::metadata::Made;

/// The tag of a list.
fn tag(list: &str) -> &'static str {
    match list {
        "provides" => "Provides",
        "requires" => "Requires",
        "conflicts" => "Conflicts",
        "obsoletes" => "Obsoletes",
        "recommends" => "Recommends",
        "supplements" => "Supplements",
        "suggests" => "Suggests",
        "enhances" => "Enhances",
        other => panic!("{other} is no list of a package"),
    }
}

fn recipe(made: &Made) -> Recipe {
    let (version, release) = made.version.split_once('-').unwrap();
    let recipe = Recipe::new(&made.name).version(version).release(release).arch(&made.arch);
    let entries = made.lists.iter().flat_map(|(list, entries)| entries.iter().map(|entry| (tag(list), entry)));
    entries.fold(recipe, |recipe, (tag, entry)| recipe.tag(tag, entry))
}

/// Makes the packages, and the repository of them in the folder `repo`.
pub(crate) fn write(repo: &Path, packages: &[Made], compressed: Metadata) {
    let workshop = Workshop::create().unwrap();
    let recipes: Vec<Recipe> = packages.iter().map(recipe).collect();
    let files = workshop.build_together(&recipes).unwrap();
    fs::create_dir_all(repo).unwrap();
    for file in files {
        fs::rename(&file, repo.join(file.file_name().unwrap())).unwrap();
    }
    createrepo(repo, compressed).unwrap();
}
