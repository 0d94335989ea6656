//! What people meet when they name packages.

use buildhub_environments::solve::{ResolveError, SolveError};

use super::generator::Case;
use super::metadata::{self, Made, package};
use super::{judged, solved};

fn case(packages: Vec<Made>, wanted: &[&str]) -> Case {
    let wanted = wanted.iter().map(ToString::to_string).collect();
    Case { packages, wanted, weak: false, exclude: Vec::new() }
}

/// What the solver says; dnf finds the same, or nothing either.
fn answer(case: &Case) -> Result<Vec<String>, SolveError> {
    let folder = tempfile::tempdir().unwrap();
    metadata::write(&folder.path().join("repo"), &case.packages, ".zst");
    let theirs = judged(&[(folder.path(), case)], folder.path()).remove(0);
    match solved(folder.path(), case) {
        Ok(ours) => {
            assert_eq!(theirs, Ok(ours.clone()));
            Ok(ours)
        }
        Err(ResolveError::Solve(error)) => {
            assert!(theirs.is_err(), "{error}, but dnf: {theirs:?}");
            Err(error)
        }
        Err(error) => panic!("{error}"),
    }
}

fn refusal(case: &Case) -> String {
    answer(case).unwrap_err().to_string()
}

/// Pitfall 7: what is excluded and needed.
#[test]
fn an_excluded_package_that_is_needed_is_an_error_that_says_who_needs_it() {
    let packages = vec![package("tool").with("requires", &["ndk >= 1"]), package("ndk")];
    let mut case = case(packages, &["tool"]);
    assert_eq!(answer(&case).unwrap().len(), 2);
    case.exclude = vec!["ndk".into()];
    let error = refusal(&case);
    let sentence = "tool-1-1.x86_64 requires ndk >= 1, which only ndk-1-1.x86_64 provides, and that is excluded (not redistributable)";
    assert!(error.contains(sentence), "{error}");
    case.wanted = vec!["ndk".into()];
    assert!(refusal(&case).contains("asks for \"ndk\" and excludes ndk-1-1.x86_64"), "{}", refusal(&case));
}

#[test]
fn an_excluded_package_is_left_out_where_another_does() {
    let packages = vec![
        package("tool").with("requires", &["engine"]),
        package("a").with("provides", &["engine"]),
        package("b").with("provides", &["engine"]),
    ];
    let mut case = case(packages, &["tool"]);
    assert_eq!(answer(&case).unwrap(), ["a-1-1.x86_64", "tool-1-1.x86_64"]);
    case.exclude = vec!["a".into()];
    assert_eq!(answer(&case).unwrap(), ["b-1-1.x86_64", "tool-1-1.x86_64"]);
}

#[test]
fn errors_name_the_package_and_what_it_requires() {
    let error = refusal(&case(vec![package("a").with("requires", &["b"])], &["a"]));
    assert!(error.contains("a-1-1.x86_64 requires b, which nothing provides"), "{error}");

    let packages = vec![package("a").with("requires", &["b >= 2"]), package("b")];
    let error = refusal(&case(packages, &["a"]));
    assert!(error.contains("a-1-1.x86_64 requires b >= 2, which nothing provides in such a version"), "{error}");

    let packages = vec![package("a").with("conflicts", &["b"]), package("b")];
    let error = refusal(&case(packages, &["a", "b"]));
    assert!(error.contains("a-1-1.x86_64 conflicts with b, which is b-1-1.x86_64"), "{error}");

    let packages = vec![package("a").with("requires", &["c = 1"]), package("b").with("requires", &["c = 2"])];
    let packages = packages.into_iter().chain([package("c 1-1"), package("c 2-1")]).collect();
    let error = refusal(&case(packages, &["a", "b"]));
    assert!(error.contains("c-2-1.x86_64 and c-1-1.x86_64 cannot be installed at once"), "{error}");

    let error = refusal(&case(vec![package("a")], &["nothing"]));
    assert!(error.contains("asks for \"nothing\""), "{error}");
}

#[test]
fn a_definition_that_asks_for_nothing_is_an_error() {
    let case = case(vec![package("a")], &[]);
    let folder = tempfile::tempdir().unwrap();
    metadata::write(&folder.path().join("repo"), &case.packages, "");
    let error = solved(folder.path(), &case).unwrap_err();
    assert!(matches!(error, ResolveError::Solve(SolveError::Nothing)), "{error}");
}

#[test]
fn where_no_way_leads_anywhere_the_error_says_what_stands_in_each() {
    let choice = package("a").with("requires", &["engine"]);
    let one = package("b").with("provides", &["engine"]).with("conflicts", &["d"]);
    let two = package("c").with("provides", &["engine"]).with("requires", &["lost"]).with("recommends", &["d"]);
    let three = package("e").with("provides", &["engine"]).with("conflicts", &["d"]);
    let error = refusal(&case(vec![choice, one, two, three, package("d")], &["a", "d"]));
    for sentence in [
        "c-1-1.x86_64 requires lost, which nothing provides",
        "b-1-1.x86_64 conflicts with d",
        "e-1-1.x86_64 conflicts with d",
    ] {
        assert!(error.contains(sentence), "{error}");
    }
}

#[test]
fn a_cycle_of_requirements_is_installed_whole() {
    let packages = vec![
        package("a").with("requires", &["b"]),
        package("b").with("requires", &["c"]),
        package("c").with("requires", &["a"]),
    ];
    assert_eq!(answer(&case(packages, &["b"])).unwrap().len(), 3);
}

#[test]
fn implicit_provides_are_known() {
    let needs = ["rtld(GNU_HASH)", "rpmlib(CompressedFileNames) <= 3.0.4-1", "libc.so.6(GLIBC_2.34)(64bit)", "glibc"];
    let libc = package("glibc").with("provides", &["rtld(GNU_HASH)", "libc.so.6(GLIBC_2.34)(64bit)"]);
    let packages = vec![package("a").with("requires", &needs), libc];
    assert_eq!(answer(&case(packages, &["a"])).unwrap().len(), 2);
}

#[test]
fn a_required_file_is_found_though_only_the_list_of_all_files_has_it() {
    let mut interpreter = package("interpreter");
    interpreter.files = vec!["/usr/bin/run".into()];
    let mut data = package("data");
    data.more_files = vec!["/usr/share/data&more".into()];
    // What only the first round finds requires a file that only the second one finds.
    data.lists.push(("requires", vec!["/usr/share/deep".into()]));
    let mut deep = package("deep");
    deep.more_files = vec!["/usr/share/deep".into()];
    let tool = package("tool").with("requires", &["/usr/bin/run", "/usr/share/data&more"]);
    let rich = package("rich").with("requires", &["(/usr/share/deep or nothing)"]);
    let all = vec![data, deep, interpreter, rich, tool];
    let names = |wanted: &str| answer(&case(all.clone(), &[wanted])).unwrap().join(" ");
    assert_eq!(names("tool"), "data-1-1.x86_64 deep-1-1.x86_64 interpreter-1-1.x86_64 tool-1-1.x86_64");
    assert_eq!(names("rich"), "deep-1-1.x86_64 rich-1-1.x86_64");
    assert_eq!(names("/usr/share/deep"), "deep-1-1.x86_64");
    assert!(refusal(&case(all, &["/usr/share/none"])).contains("\"/usr/share/none\""));
}

#[test]
fn packages_for_two_word_lengths_stand_beside_each_other_in_one_version() {
    let libraries = |version: &str| {
        let made = |arch: &str, mark: &str| package(&format!("lib {version}.{arch}")).with("provides", &[mark]);
        [made("i686", "lib(x86-32)"), made("x86_64", "lib(x86-64)")]
    };
    let old = package("old").with("requires", &["lib(x86-32)"]);
    let packages: Vec<Made> = libraries("1-1").into_iter().chain(libraries("2-1")).chain([old]).collect();
    let names = |wanted: &[&str]| answer(&case(packages.clone(), wanted)).unwrap().join(" ");
    assert_eq!(names(&["lib"]), "lib-2-1.x86_64");
    assert_eq!(names(&["old"]), "lib-2-1.i686 lib-2-1.x86_64 old-1-1.x86_64");
    assert_eq!(names(&["lib.i686"]), "lib-2-1.i686");
    assert_eq!(names(&["lib-1-1.i686", "lib-1-1.x86_64"]), "lib-1-1.i686 lib-1-1.x86_64");
}

#[test]
fn weak_dependencies_come_by_choice() {
    let packages = vec![
        package("extra").with("supplements", &["(tool and base)"]),
        package("base"),
        package("doc").with("requires", &["lost"]),
        package("man"),
        package("tool").with("requires", &["base"]).with("recommends", &["doc", "man"]).with("suggests", &["never"]),
        package("never"),
    ];
    let mut case = case(packages, &["tool"]);
    assert_eq!(answer(&case).unwrap().join(" "), "base-1-1.x86_64 tool-1-1.x86_64");
    case.weak = true;
    let names = answer(&case).unwrap().join(" ");
    assert_eq!(names, "base-1-1.x86_64 extra-1-1.x86_64 man-1-1.x86_64 tool-1-1.x86_64");
}

#[test]
fn what_takes_the_place_of_a_package_comes_instead_of_it() {
    let packages = vec![
        package("new 3-1").with("obsoletes", &["old < 3"]).with("provides", &["old = 3"]),
        package("old 2-1"),
        package("user").with("requires", &["old"]),
    ];
    let names = |wanted: &str| answer(&case(packages.clone(), &[wanted])).unwrap().join(" ");
    assert_eq!(names("old"), "new-3-1.x86_64");
    assert_eq!(names("user"), "new-3-1.x86_64 user-1-1.x86_64");
}

#[test]
fn what_is_asked_for_comes_in_its_best_version_or_not_at_all() {
    let packages = vec![package("a 1-1"), package("a 1:0.9-1").with("requires", &["lost"])];
    let error = refusal(&case(packages.clone(), &["a"]));
    assert!(error.contains("a-1:0.9-1.x86_64 requires lost"), "{error}");
    assert_eq!(answer(&case(packages, &["a-1-1"])).unwrap(), ["a-1-1.x86_64"]);
    let packages = vec![package("a 1.0-1"), package("a 1.0~rc1-1"), package("a 1.0^git2-1")];
    assert_eq!(answer(&case(packages, &["a"])).unwrap(), ["a-1.0^git2-1.x86_64"]);
}

#[test]
fn the_order_of_metadata_changes_nothing() {
    let mut rng = fastrand::Rng::with_seed(7);
    for seed in 0..40 {
        let mut case = super::generator::case(seed);
        let mut answers = Vec::new();
        for round in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            metadata::write(&folder.path().join("repo"), &case.packages, "");
            answers.push(solved(folder.path(), &case).map_err(|error| error.to_string()));
            assert_eq!(answers[round], answers[0], "seed {seed}");
            rng.shuffle(&mut case.packages);
        }
    }
}
