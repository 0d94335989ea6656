//! Publication: nobody ever finds half of it, whoever dies, and however many publish at once.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod watched;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use buildhub_core::store::{FolderStore, S3Settings, SharedStore, Stores};
use buildhub_environments::definition::Label;
use buildhub_environments::lock::Lock;
use buildhub_environments::progress::Nobody;
use buildhub_environments::publish::{
    Artefacts, Build, Claim, Index, Pointer, PublishError, Publisher, SourceFile, layout,
};
use buildhub_testkit::moto::Moto;
use futures::StreamExt as _;
use jiff::Timestamp;
use tempfile::TempDir;
use watched::Watched;

fn folder(folder: &TempDir) -> SharedStore {
    Arc::new(FolderStore::new(folder.path()))
}

async fn moto() -> (SharedStore, Moto) {
    let server = Moto::start().await.unwrap();
    server.create_bucket("bucket").await.unwrap();
    let settings = S3Settings::from_variables(&server.variables().into_iter().collect()).unwrap();
    (Stores::new(settings).open(&"s3://bucket/environments".parse().unwrap()).await, server)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn label(branch: &str) -> Label {
    let word = str::to_owned;
    Label { branch: word(branch), platform: word("linux64"), product: word("firefox"), build_type: None, channel: None }
}

/// What a build might have made, each number another, with an image and a source package.
fn made(place: &Path, number: u32) -> Artefacts {
    let mut lock = Lock::parse(include_bytes!("../fixtures/lock/two-packages.json"), "two-packages.json").unwrap();
    lock.identity.packages[0].size += u64::from(number);
    let file = |name: String| {
        let path = place.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, path.file_name().unwrap().as_encoded_bytes()).unwrap();
        path
    };
    let oci = format!("oci-{number}");
    for name in ["blobs/sha256/a", "index.json", "oci-layout"] {
        file(format!("{oci}/{name}"));
    }
    let archive = file(format!("{number}.tar.xz"));
    Artefacts {
        lock,
        size: std::fs::metadata(&archive).unwrap().len(),
        archive,
        sha256: format!("{number:064x}"),
        licences: "[]\n".into(),
        sbom: "{}\n".into(),
        sources: "[]\n".into(),
        source_files: vec![SourceFile {
            sha256: "5".repeat(64),
            name: "bash-5.2-1.src.rpm".into(),
            path: file("bash.src.rpm".into()),
        }],
        oci: Some(place.join(oci)),
    }
}

/// All that a publisher does.
async fn publish(store: SharedStore, made: &Artefacts, claim: Claim<'_>) -> Result<Build, PublishError> {
    let publisher = Publisher::new(store);
    let build = match publisher.completed(&made.lock.key()?).await? {
        Some(build) => build,
        None => publisher.artefacts(made, claim.at, &Nobody).await?,
    };
    Ok(publisher.list(&build, Some(&claim), claim.at).await?.build)
}

/// Everything that a reader can find leads to what is there.
async fn is_whole(store: &SharedStore) -> Index {
    let index = Publisher::new(store.clone()).index().await.unwrap();
    let there = async |key: &str| assert!(store.head(key).await.is_ok(), "{key} is named and is not there");
    let mut builds: Vec<Build> = index.environments.iter().map(|listed| listed.build.clone()).collect();
    for entry in store.list_all("builds/").await.unwrap() {
        builds.push(json(store, &entry.key).await);
    }
    for entry in store.list_all("latest/").await.unwrap() {
        let pointer: Pointer = json(store, &entry.key).await;
        assert!(index.environments.iter().any(|listed| listed.build == pointer.build), "{} is listed", entry.key);
    }
    for build in builds {
        let key = layout::lock(&build.lock);
        for key in [&build.name, &build.licences, &build.sbom, &build.sources, &key, &layout::build(&build.lock)] {
            there(key).await;
        }
        if let Some(image) = &build.oci {
            there(&format!("{image}index.json")).await;
            there(&format!("{image}blobs/sha256/a")).await;
        }
    }
    index
}

async fn json<T: serde::de::DeserializeOwned>(store: &SharedStore, key: &str) -> T {
    serde_json::from_slice(&store.read(key, 1 << 20).await.unwrap().bytes).unwrap()
}

/// Every object but the history, whose names are times.
async fn contents(store: &SharedStore) -> Vec<(String, bytes::Bytes)> {
    let mut all = Vec::new();
    for entry in store.list_all("").await.unwrap() {
        if !entry.key.starts_with("history/") {
            all.push((entry.key.clone(), store.read(&entry.key, 1 << 20).await.unwrap().bytes));
        }
    }
    all
}

#[tokio::test]
async fn a_publisher_that_is_killed_at_any_step_leaves_nothing_half_and_the_next_one_completes_it() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (made(place.path(), 1), made(place.path(), 2));
    let (both, one) = ([label("central"), label("beta")], [label("central")]);
    let claim = |labels, seconds| Claim { definition: "linux64", labels, at: at(seconds) };

    let whole = tempfile::tempdir().unwrap();
    let expected = folder(&whole);
    publish(expected.clone(), &first, claim(&both, 1)).await.unwrap();
    publish(expected.clone(), &second, claim(&one, 2)).await.unwrap();
    let expected = contents(&expected).await;

    let mut steps = 0;
    for step in 0.. {
        let store = tempfile::tempdir().unwrap();
        let store = folder(&store);
        publish(store.clone(), &first, claim(&both, 1)).await.unwrap();
        let dying = Arc::new(Watched::dying(&store, step));
        let died = publish(dying, &second, claim(&one, 2)).await;
        is_whole(&store).await;
        publish(store.clone(), &second, claim(&one, 2)).await.unwrap();
        assert!(contents(&store).await == expected, "after a death before write {step} all is there at last");
        let history = store.list_all("history/").await.unwrap();
        assert_eq!(history.len(), 2, "each change is in the history");
        if died.is_ok() {
            break;
        }
        steps = step + 1;
    }
    assert!(steps > 10, "{steps}");
}

/// Another version of this program may have written them, and died before the build was complete.
#[tokio::test]
async fn papers_that_somebody_left_who_did_not_come_to_the_end_are_replaced() {
    let place = tempfile::tempdir().unwrap();
    let (moto, _server) = moto().await;
    for store in [folder(&tempfile::tempdir().unwrap()), moto] {
        let made = made(place.path(), 1);
        let key = made.lock.key().unwrap();
        for paper in [layout::licences(&key), layout::sbom(&key), layout::sources(&key)] {
            store.put(&paper, "an older one".into()).await.unwrap();
        }
        publish(store.clone(), &made, Claim { definition: "linux64", labels: &[], at: at(0) }).await.unwrap();
        for (paper, bytes) in [
            (layout::licences(&key), &made.licences),
            (layout::sbom(&key), &made.sbom),
            (layout::sources(&key), &made.sources),
        ] {
            assert_eq!(store.read(&paper, 100).await.unwrap().bytes, *bytes, "{paper}");
        }
    }
}

#[tokio::test]
async fn artefacts_come_first_then_the_completion_record_then_the_list_then_the_pointers() {
    let (place, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = made(place.path(), 1);
    let watched = Arc::new(Watched::new(&folder(&store)));
    publish(watched.clone(), &made, Claim { definition: "d", labels: &[label("central")], at: at(1) }).await.unwrap();
    let written = watched.written();
    let at = |begin: &str| written.iter().position(|key| key.starts_with(begin)).unwrap();
    let order = ["builds/", "environments.json", "history/", "latest/"].map(at);
    assert!(order.is_sorted(), "{written:?}");
    assert!(written[..order[0]].iter().any(|key| key.ends_with(".tar.xz")), "{written:?}");
    assert_eq!(order[3], written.len() - 1, "{written:?}");
    let index = is_whole(&folder(&store)).await;
    assert_eq!(index.environments[0].labels[0].label.branch, "central");
}

#[tokio::test]
async fn an_unchanged_lock_uploads_nothing_and_other_labels_touch_labels_only() {
    let (place, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (made, store) = (made(place.path(), 1), folder(&store));
    let (first, second) = ([label("central"), label("beta")], [label("release")]);
    publish(store.clone(), &made, Claim { definition: "d", labels: &first, at: at(1) }).await.unwrap();

    let watched = Arc::new(Watched::new(&store));
    publish(watched.clone(), &made, Claim { definition: "d", labels: &first, at: at(900) }).await.unwrap();
    assert_eq!(watched.written(), Vec::<String>::new());

    publish(watched.clone(), &made, Claim { definition: "d", labels: &second, at: at(901) }).await.unwrap();
    let mut written = watched.written();
    assert!(written.iter().all(|key| !key.ends_with(".tar.xz") && !key.starts_with("builds/")), "{written:?}");
    written.retain(|key| !key.starts_with("history/"));
    assert_eq!(written[0], "environments.json");
    let pointers: BTreeSet<_> = written[1..].iter().map(String::as_str).collect();
    let all = ["beta", "central", "release"].map(|branch| format!("latest/{branch}/linux64/firefox.json"));
    assert_eq!(pointers, all.iter().map(String::as_str).collect());
    let left = store.list_all("latest/").await.unwrap();
    assert_eq!(left.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), [all[2].clone()]);
}

/// Nothing stands in the way of a pointer where there is none: neither of the pointer that was made meanwhile, nor of a label
/// that was given up.
#[tokio::test]
async fn a_pointer_that_is_made_while_its_label_is_given_up_or_moved_follows_the_list_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (made(place.path(), 1), made(place.path(), 2));
    let labels = [label("central")];
    for (moved, expected) in [(false, None), (true, Some(2))] {
        let store = tempfile::tempdir().unwrap();
        let store = folder(&store);
        let (other, second) = (store.clone(), second.clone());
        let overtaking = async move {
            let labels = [label("central")];
            let labels = if moved { &labels[..] } else { &[] };
            publish(other, &second, Claim { definition: "d", labels, at: at(2) }).await.unwrap();
        };
        let overtaken = Watched::overtaken(&store, "latest/", Box::pin(overtaking));
        publish(Arc::new(overtaken), &first, Claim { definition: "d", labels: &labels, at: at(1) }).await.unwrap();
        let index = is_whole(&store).await;
        let pointers = store.list_all("latest/").await.unwrap();
        assert_eq!(pointers.len(), usize::from(expected.is_some()), "{pointers:?}");
        if let Some(number) = expected {
            let pointer: Pointer = json(&store, &pointers[0].key).await;
            assert_eq!(pointer.build.sha256, format!("{number:064x}"));
            assert_eq!(index.holder(&label("central")).unwrap().0.build, pointer.build);
        }
    }
}

/// Two publishers resolve one definition; the one that resolved it first builds for long, and comes last.
#[tokio::test]
async fn who_resolved_a_definition_earlier_and_comes_later_brings_back_no_label_that_was_given_up_meanwhile() {
    let (place, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (early, late, store) = (made(place.path(), 1), made(place.path(), 2), folder(&store));
    let (both, one) = ([label("central"), label("beta")], [label("central")]);
    publish(store.clone(), &made(place.path(), 3), Claim { definition: "d", labels: &both, at: at(1) }).await.unwrap();
    publish(store.clone(), &late, Claim { definition: "d", labels: &one, at: at(20) }).await.unwrap();
    publish(store.clone(), &early, Claim { definition: "d", labels: &both, at: at(10) }).await.unwrap();
    let index = is_whole(&store).await;
    assert_eq!(index.environments.len(), 3, "what it built is listed");
    assert!(index.holder(&label("beta")).is_none());
    assert_eq!(index.holder(&label("central")).unwrap().0.build.lock, late.lock.key().unwrap());
    assert_eq!(store.list_all("latest/").await.unwrap().len(), 1);
    // Another definition may have it.
    publish(store.clone(), &early, Claim { definition: "e", labels: &both[1..], at: at(11) }).await.unwrap();
    assert_eq!(is_whole(&store).await.holder(&label("beta")).unwrap().1.definition, "e");
}

/// What lies there from before has the name of other bytes, and their number.
#[tokio::test]
async fn an_object_that_is_there_with_other_bytes_of_the_same_number_is_a_loud_error() {
    let place = tempfile::tempdir().unwrap();
    let made = made(place.path(), 1);
    for key in [layout::archive(&made.sha256), layout::oci(&made.lock.key().unwrap()) + "index.json"] {
        let store = tempfile::tempdir().unwrap();
        let store = folder(&store);
        let whole = if key.ends_with("json") { place.path().join("oci-1/index.json") } else { made.archive.clone() };
        let mut bytes = std::fs::read(whole).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        store.put(&key, bytes.clone().into()).await.unwrap();
        let claim = Claim { definition: "d", labels: &[label("central")], at: at(1) };
        let error = publish(store.clone(), &made, claim).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{key} in ")) && error.contains("other than what was built here"), "{error}");
        assert!(store.list_all("builds/").await.unwrap().is_empty());
        // A publisher who died may have left it as it should be.
        *bytes.last_mut().unwrap() ^= 1;
        store.put(&key, bytes.into()).await.unwrap();
        publish(store, &made, claim).await.unwrap();
    }
}

/// A completion record that somebody removed is made again, and the list names that one.
#[tokio::test]
async fn a_record_that_is_made_again_is_the_one_that_list_and_pointers_name() {
    let (place, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (made, store) = (made(place.path(), 1), folder(&store));
    let labels = [label("central")];
    publish(store.clone(), &made, Claim { definition: "d", labels: &labels, at: at(1) }).await.unwrap();
    store.delete(&layout::build(&made.lock.key().unwrap())).await.unwrap();
    let again = publish(store.clone(), &made, Claim { definition: "d", labels: &labels, at: at(900) }).await.unwrap();
    assert_eq!(again.created, at(900));
    let index = is_whole(&store).await;
    assert_eq!((index.environments.len(), &index.environments[0].build), (1, &again));
    let pointer: Pointer = json(&store, "latest/central/linux64/firefox.json").await;
    assert_eq!(pointer.build, again);
}

async fn many_at_once(store: SharedStore) {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let publishing = futures::stream::iter(0..12u32).map(|number| {
        let store = store.clone();
        async move {
            let (made, definition) = (made(place, number % 6), format!("definition-{}", number % 6));
            // All want this one; the one that resolved last has it.
            let labels = [label("shared"), label(&format!("branch-{}", number % 6))];
            let claim = Claim { definition: &definition, labels: &labels, at: at(i64::from(number % 6)) };
            publish(store, &made, claim).await.unwrap();
        }
    });
    publishing.buffer_unordered(12).collect::<Vec<_>>().await;
    let index = is_whole(&store).await;
    assert_eq!(index.environments.len(), 6, "no publisher lost another's entry");
    let uses: usize = index.environments.iter().map(|listed| listed.labels.len()).sum();
    assert_eq!(uses, 7, "six of their own, and the shared one once");
    let shared: Pointer = json(&store, "latest/shared/linux64/firefox.json").await;
    assert_eq!(shared.label.definition, "definition-5");
    for number in 0..6 {
        let key = format!("latest/branch-{number}/linux64/firefox.json");
        let pointer: Pointer = json(&store, &key).await;
        assert_eq!(pointer.build.sha256, format!("{number:064x}"));
    }
}

#[tokio::test]
async fn publishers_at_the_same_moment_lose_nothing_of_each_other_in_a_folder() {
    let store = tempfile::tempdir().unwrap();
    many_at_once(folder(&store)).await;
}

#[tokio::test]
async fn publishers_at_the_same_moment_lose_nothing_of_each_other_in_a_bucket() {
    let (store, _server) = moto().await;
    many_at_once(store).await;
}

#[tokio::test]
async fn the_same_lock_with_other_bytes_is_a_loud_error() {
    let (place, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (made, publisher) = (made(place.path(), 1), Publisher::new(folder(&store)));
    publisher.artefacts(&made, at(1), &Nobody).await.unwrap();
    let other = Artefacts { sha256: "f".repeat(64), ..made };
    let error = publisher.artefacts(&other, at(2), &Nobody).await.unwrap_err();
    assert!(matches!(error, PublishError::Differs { .. }), "{error}");
    assert!(error.to_string().contains("the same lock must give the same bytes"), "{error}");
}

#[tokio::test]
async fn a_list_that_is_damaged_is_left_alone_and_said() {
    let (place, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (made, store) = (made(place.path(), 1), folder(&store));
    store.put("environments.json", "{}".into()).await.unwrap();
    let error = publish(store.clone(), &made, Claim { definition: "d", labels: &[], at: at(1) }).await.unwrap_err();
    assert!(error.to_string().starts_with("environments.json in "), "{error}");
    assert_eq!(store.read("environments.json", 10).await.unwrap().bytes, "{}");
}
