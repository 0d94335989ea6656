//! Repositories on the web that are away, slow to come back, damaged, or not there.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use buildhub_core::Variables;
use buildhub_core::store::{Location, S3Settings};
use buildhub_environments::definition::Definition;
use buildhub_environments::places::Places;
use buildhub_environments::repo::Limits;
use buildhub_environments::solve::{ResolveError, Resolved, resolve};
use buildhub_http::HttpSettings;
use buildhub_testkit::site::{ArchiveSite, Content, Failure};

use super::metadata::{self, package};

const REPOMD: &str = "/repodata/repomd.xml";
const PRIMARY: &str = "/repodata/primary.xml.gz";

/// A folder with a repository, and a site that shows it.
async fn site() -> (tempfile::TempDir, ArchiveSite) {
    let folder = tempfile::tempdir().unwrap();
    metadata::write(folder.path(), &[package("a").with("requires", &["b"]), package("b")], ".gz");
    let site = ArchiveSite::start(Content::folder(folder.path())).await.unwrap();
    (folder, site)
}

async fn resolved(url: &str, folder: &Path) -> Result<Resolved, ResolveError> {
    let http = HttpSettings { retries: 2, backoff_base: Duration::from_millis(1), ..HttpSettings::default() };
    let places = Places::new(S3Settings::from_variables(&Variables::default()).unwrap(), &http).unwrap();
    let text = format!(
        "[environment]\nsource = \"rpm-repo\"\narch = \"x86_64\"\npackages = [\"a\"]\n[[repo]]\nid = \"base\"\nurl = {url:?}\n"
    );
    let definition: Definition = toml::from_str(&text).unwrap();
    resolve(Arc::new(definition), &Location::Folder(folder.into()), &places, folder, Limits::default()).await
}

#[tokio::test]
async fn a_repository_that_comes_back_in_a_moment_is_read() {
    let (folder, site) = site().await;
    site.fail_next(2, Failure::status(503));
    let found = resolved(&site.url(), folder.path()).await.unwrap();
    assert_eq!(found.packages.len(), 2);
    assert_eq!((site.requests_for(REPOMD), site.requests_for(PRIMARY)), (3, 1));
}

/// What is said of a path that fails, and whether it may pass.
async fn said(path: &str, failure: Failure) -> (String, bool) {
    let (folder, site) = site().await;
    site.fail(path, failure);
    let error = resolved(&site.url(), folder.path()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the repository \"base\" cannot be used: ") && text.contains(path), "{text}");
    assert!(site.requests() < 20, "there is an end to asking: {}", site.requests());
    (text, error.is_transient())
}

#[tokio::test]
async fn what_is_wrong_with_a_repository_on_the_web_is_said_and_whether_it_may_pass() {
    for path in [REPOMD, PRIMARY] {
        let (text, may_pass) = said(path, Failure::status(503)).await;
        assert!(text.contains("503") && may_pass, "{text}");
        let (text, may_pass) = said(path, Failure::status(404)).await;
        assert!(text.contains("404") && !may_pass, "{text}");
        let (text, may_pass) = said(path, Failure::Cut).await;
        assert!(may_pass, "{text}");
    }
    let (text, may_pass) = said(REPOMD, Failure::Html).await;
    assert!(text.contains("XML") || text.contains("primary"), "{text}");
    assert!(!may_pass, "{text}");

    // Its metadata are others than repomd.xml says, as while somebody changes it.
    let (folder, site) = site().await;
    let file = folder.path().join(&PRIMARY[1..]);
    let whole = fs::read(&file).unwrap();
    for changed in [&whole[..whole.len() - 1], &[&whole[1..], &whole[..1]].concat()] {
        fs::write(&file, changed).unwrap();
        let error = resolved(&site.url(), folder.path()).await.unwrap_err();
        assert!(error.to_string().contains("or the repository changed in the meantime"), "{error}");
        assert!(error.is_transient());
    }

    let url = site.url();
    drop(site);
    let error = resolved(&url, folder.path()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains(&url), "{error}");
}
