//! Packages from recipes.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::recipe::{File, Recipe, What};
use super::{ToolError, run, spec};

/// When all packages are built, in seconds since 1970: 2023-11-14 22:13:20.
const BUILT: &str = "1700000000";

/// A folder where packages are made; it is gone when this is dropped.
#[derive(Debug)]
pub struct Workshop {
    top: TempDir,
    packages: PathBuf,
    made: AtomicU32,
}

impl Workshop {
    /// An empty one.
    pub fn create() -> Result<Self, ToolError> {
        let top = tempfile::tempdir().map_err(ToolError::io("make a folder for packages"))?;
        let packages = top.path().join("RPMS");
        folder(&packages)?;
        Ok(Self { top, packages, made: AtomicU32::new(0) })
    }

    /// The folder that all its packages lie in.
    pub fn packages(&self) -> &Path {
        &self.packages
    }

    /// The folder that all source packages lie in; there are none without [`Workshop::build_with_sources`].
    pub fn sources(&self) -> PathBuf {
        self.top.path().join("SRPMS")
    }

    /// Makes each package from a spec of its own; their files, in the order of the recipes.
    pub fn build(&self, recipes: &[Recipe]) -> Result<Vec<PathBuf>, ToolError> {
        self.build_each(recipes, "-bb")
    }

    /// Makes each package, and the source package of each.
    pub fn build_with_sources(&self, recipes: &[Recipe]) -> Result<Vec<PathBuf>, ToolError> {
        self.build_each(recipes, "-ba")
    }

    /// Makes packages from as few specs as can be: ten times as fast. Their source package is `together`. No two may have
    /// the same path, and all of an architecture are compressed as the first of them.
    pub fn build_together(&self, recipes: &[Recipe]) -> Result<Vec<PathBuf>, ToolError> {
        let mut specs: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
        for (target, recipes) in by_target(recipes) {
            let mut left = recipes;
            while !left.is_empty() {
                let mut names = BTreeSet::new();
                let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(|it| names.insert(it.name.clone()));
                let staged = self.top.path().join(format!("staged-{}", self.next()));
                stage(&staged, now.iter().flat_map(|recipe| &recipe.files))?;
                specs.entry(target).or_default().push(self.write_spec(&spec::together(&now, &staged))?);
                left = later;
            }
        }
        self.run_all(&specs, "-bb")?;
        Ok(self.files(recipes))
    }

    fn build_each(&self, recipes: &[Recipe], how: &str) -> Result<Vec<PathBuf>, ToolError> {
        let mut specs: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
        for (target, recipes) in by_target(recipes) {
            for recipe in recipes {
                let staged = self.top.path().join(format!("staged-{}", self.next()));
                stage(&staged, &recipe.files)?;
                specs.entry(target).or_default().push(self.write_spec(&spec::alone(recipe, &staged))?);
            }
        }
        self.run_all(&specs, how)?;
        Ok(self.files(recipes))
    }

    fn run_all(&self, specs: &BTreeMap<&str, Vec<PathBuf>>, how: &str) -> Result<(), ToolError> {
        for (target, specs) in specs {
            let mut rpmbuild = Command::new("rpmbuild");
            rpmbuild.arg(how).args(["--quiet", "--noclean", "--target", target]).env("SOURCE_DATE_EPOCH", BUILT);
            let top = self.top.path().display();
            for (name, value) in [
                ("_topdir", top.to_string()),
                ("_tmppath", top.to_string()),
                ("_dbpath", format!("{top}/no-database")),
                ("_build_name_fmt", "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm".into()),
                ("_buildhost", "workshop.example".into()),
                ("use_source_date_epoch_as_buildtime", "1".into()),
                ("clamp_mtime_to_source_date_epoch", "1".into()),
            ] {
                rpmbuild.args(["--define", &format!("{name} {value}")]);
            }
            run(rpmbuild.args(specs), "rpm")?;
        }
        Ok(())
    }

    fn files(&self, recipes: &[Recipe]) -> Vec<PathBuf> {
        recipes.iter().map(|recipe| self.packages.join(recipe.file_name())).collect()
    }

    fn write_spec(&self, text: &str) -> Result<PathBuf, ToolError> {
        let path = self.top.path().join(format!("{}.spec", self.next()));
        std::fs::write(&path, text).map_err(ToolError::io("write a spec"))?;
        Ok(path)
    }

    fn next(&self) -> u32 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }
}

fn by_target(recipes: &[Recipe]) -> BTreeMap<&str, Vec<&Recipe>> {
    let mut targets: BTreeMap<&str, Vec<&Recipe>> = BTreeMap::new();
    for recipe in recipes {
        targets.entry(recipe.target()).or_default().push(recipe);
    }
    targets
}

fn folder(path: &Path) -> Result<(), ToolError> {
    std::fs::create_dir_all(path).map_err(ToolError::io(format!("make {}", path.display())))
}

/// Lays files out as they will be installed.
fn stage<'a>(root: &Path, files: impl IntoIterator<Item = &'a File>) -> Result<(), ToolError> {
    folder(root)?;
    let place = |path: &str| root.join(path.trim_start_matches('/'));
    for file in files {
        let path = place(&file.path);
        path.parent().map_or(Ok(()), folder)?;
        let fault = ToolError::io(format!("stage {}", file.path));
        match &file.what {
            What::Contents(contents) => std::fs::write(&path, contents),
            What::Folder => std::fs::create_dir_all(&path),
            What::Symlink(target) => symlink(target, &path),
            What::Hardlink(to) => std::fs::hard_link(place(to), &path),
        }
        .map_err(fault)?;
        // A further name of a file has the permissions that are on disk.
        if let (What::Contents(_), Some(mode)) = (&file.what, file.mode) {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, permissions).map_err(ToolError::io(format!("stage {}", file.path)))?;
        }
    }
    // rpmbuild takes the folder as it is.
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).map_err(ToolError::io("stage files"))
}
