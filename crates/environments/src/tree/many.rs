//! Ten times the files take ten times the work.

use std::io;

use buildhub_testkit::environments::{File, Payload, Recipe, Workshop};

use super::{Path, Spool, looks, merge};
use crate::archive;
use crate::chroot;
use crate::definition::SourceKind;
use crate::lock::{Identity, Lock};
use crate::rpm::Package;

/// What ten times the files may take: ten times the work, and a quarter more for what is sorted, where it is said `n log n`.
/// Anything that looks through all files for each file takes a hundred times as much.
const MOST: u64 = 14;

fn identity(source: SourceKind) -> Identity {
    let lock: Lock = serde_json::from_slice(include_bytes!("../../tests/fixtures/lock/two-packages.json")).unwrap();
    Identity { source, excludes: Vec::new(), scriptlets: Vec::new(), ..lock.identity }
}

fn spool() -> Spool {
    Spool::create(&std::env::temp_dir()).unwrap()
}

/// A look through all for each is seen: this is how the tests below fail when somebody writes one.
#[test]
fn a_search_through_all_files_for_each_file_is_a_hundred_times_the_work_for_ten_times_the_files() {
    let looks = [100_u32, 1_000].map(|count| {
        let paths: Vec<_> = (0..count).map(|number| Path::new(format!("{number}").as_bytes()).unwrap()).collect();
        looks::of(|| {
            let found = paths.iter().filter(|path| paths.iter().position(|other| other == *path).is_some());
            assert_eq!(found.count(), paths.len());
        })
    });
    assert!(looks[1] > looks[0] * 90, "{looks:?}");
}

/// Pitfall 2: a look through all files for each file.
#[test]
fn a_package_of_a_hundred_thousand_files_takes_ten_times_the_work_of_one_of_ten_thousand() {
    let workshop = Workshop::create().unwrap();
    let looks = [10_000, 100_000].map(|count| {
        let mut recipe = Recipe::new(format!("many-{count}")).payload(Payload::Zstd);
        for index in 0..count {
            recipe = recipe.file(File::new(format!("/usr/share/many/{}/{index}", index % 100), "x").unlisted());
        }
        let path = workshop.build(&[recipe.listed("/usr/share/many")]).unwrap().remove(0);
        looks::of(|| {
            let packages = [Package::open(&path).unwrap()];
            let identity = identity(SourceKind::RpmRepo);
            let merged = merge(&packages, &identity, &mut spool(), &mut |_| Ok(())).unwrap();
            assert!(merged.entries.len() > count);
        })
    });
    assert!(looks[1] < looks[0] * MOST, "{looks:?}");
}

#[test]
fn a_root_of_fifty_thousand_files_takes_ten_times_the_work_of_one_of_five_thousand() {
    let looks = [5_000_u32, 50_000].map(|count| {
        let mut tar = tar::Builder::new(Vec::new());
        for index in 0..count {
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            header.set_mode(0o644);
            // Every other one is another name of the one before it.
            let path = |index: u32| format!("usr/share/many/{}/{index}", index % 100);
            if index % 2 == 0 {
                tar.append_data(&mut header, path(index), io::empty()).unwrap();
            } else {
                header.set_entry_type(tar::EntryType::Link);
                tar.append_link(&mut header, path(index), path(index - 1)).unwrap();
            }
        }
        let tar = tar.into_inner().unwrap();
        looks::of(|| {
            let (identity, limits) = (identity(SourceKind::ChrootTar), chroot::Limits::default());
            let mut spool = spool();
            let root = chroot::read(tar.as_slice(), &identity, &limits, &mut spool, &mut |_| Ok(())).unwrap();
            assert!(root.entries.len() > usize::try_from(count).unwrap());
            archive::write_tar(&root.entries, &spool, io::sink(), &mut |_| Ok(())).unwrap();
        })
    });
    assert!(looks[1] < looks[0] * MOST, "{looks:?}");
}
