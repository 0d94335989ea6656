//! A real browser without a window: Chromium, driven by its driver (W3C, "`WebDriver`").
//!
//! `make setup` installs both.
//!
//! ```no_run
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use buildhub_testkit::browser::Browser;
//!
//! let browser = Browser::start().await?;
//! browser.go("http://127.0.0.1:8080/self-serve").await?;
//! browser.find("nav a").await?.follow().await?;
//! println!("{}: {}", browser.url().await?, browser.title().await?);
//! # Ok(()) }
//! ```

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::process::{Process, ServerError, free_port, local_client};

/// How long the driver may take until it listens.
const START: Duration = Duration::from_secs(30);
/// How often a start is tried, since a port that was free may be taken before the driver has it.
const TRIES: usize = 3;
/// How long the browser may take for one thing, its own start included.
const LIMIT: Duration = Duration::from_mins(1);
/// Time between two looks at whether a page is there.
const LOOK: Duration = Duration::from_millis(20);
/// By which name an answer tells of an element ("`WebDriver`", section 12, web element identifier).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// A machine's own settings and a second's wait for them are left out; so is what needs a display or a large `/dev/shm`.
const FLAGS: [&str; 6] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
];

/// Something that the browser did not do.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// It cannot be started or stopped.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Its driver does not answer.
    #[error("the browser's driver does not answer: {0}")]
    Driver(#[from] reqwest::Error),
    /// It says that it cannot.
    #[error("{what}: {reason}")]
    Refused {
        /// What it was to do.
        what: String,
        /// What it says, in its own words.
        reason: String,
    },
}

/// A browser with one page and a profile of its own. It ends when the value is dropped.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    /// The session's address.
    session: String,
    /// Dropped before its profile is.
    _driver: Driver,
    _folder: TempDir,
}

/// An element of the page that is shown; of the next one it knows nothing.
#[derive(Debug)]
pub struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

impl Browser {
    /// Starts one.
    pub async fn start() -> Result<Self, BrowserError> {
        let folder = tempfile::tempdir().map_err(ServerError::io("make a folder for a browser"))?;
        let client = local_client()?;
        let mut tries = 1..=TRIES;
        let (driver, port) = loop {
            match Driver::start(&client, folder.path()).await {
                Ok(started) => break started,
                Err(error) if tries.next().is_none() => return Err(error.into()),
                Err(_) => {}
            }
        };
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", folder.path().join("profile").display()));
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let address = format!("http://127.0.0.1:{port}/session");
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let began = call(&client, Method::POST, &address, &wanted).await?;
        let session = format!("{address}/{}", text(&field(&began, "sessionId")));
        Ok(Self { client, session, _driver: driver, _folder: folder })
    }

    /// Opens an address, and waits until the page is there.
    pub async fn go(&self, url: &str) -> Result<(), BrowserError> {
        self.post("url", &json!({ "url": url })).await.map(drop)
    }

    /// Loads the page again.
    pub async fn reload(&self) -> Result<(), BrowserError> {
        self.post("refresh", &json!({})).await.map(drop)
    }

    /// The address of the page that is shown.
    pub async fn url(&self) -> Result<String, BrowserError> {
        Ok(text(&self.get("url").await?))
    }

    /// Its title.
    pub async fn title(&self) -> Result<String, BrowserError> {
        Ok(text(&self.get("title").await?))
    }

    /// The first element that a CSS selector finds.
    pub async fn find(&self, selector: &str) -> Result<Element<'_>, BrowserError> {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector })).await?;
        Ok(self.element(&found))
    }

    /// All that it finds, which may be none.
    pub async fn find_all(&self, selector: &str) -> Result<Vec<Element<'_>>, BrowserError> {
        let found = self.post("elements", &json!({ "using": "css selector", "value": selector })).await?;
        Ok(found.as_array().into_iter().flatten().map(|found| self.element(found)).collect())
    }

    /// The text that a person sees of the first element that a CSS selector finds.
    pub async fn text(&self, selector: &str) -> Result<String, BrowserError> {
        self.find(selector).await?.text().await
    }

    /// What a script in the page returns.
    pub async fn run(&self, script: &str) -> Result<Value, BrowserError> {
        self.post("execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// From now on the page is shown as on a screen of this size, however small (Chrome's `DevTools` protocol, "Emulation").
    pub async fn resize(&self, width: u32, height: u32) -> Result<(), BrowserError> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": true });
        self.post("goog/cdp/execute", &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size }))
            .await
            .map(drop)
    }

    /// What the console was told since it was asked last: what pages may not load, above all.
    pub async fn console(&self) -> Result<Vec<String>, BrowserError> {
        let said = self.post("se/log", &json!({ "type": "browser" })).await?;
        Ok(said.as_array().into_iter().flatten().map(|entry| text(&field(entry, "message"))).collect())
    }

    /// Writes what is seen as a PNG.
    pub async fn screenshot(&self, path: &Path) -> Result<(), BrowserError> {
        let picture = BASE64_STANDARD.decode(text(&self.get("screenshot").await?)).unwrap_or_default();
        Ok(std::fs::write(path, picture).map_err(ServerError::io("write a screenshot"))?)
    }

    fn element(&self, found: &Value) -> Element<'_> {
        Element { browser: self, id: text(&field(found, ELEMENT)) }
    }

    async fn get(&self, what: &str) -> Result<Value, BrowserError> {
        call(&self.client, Method::GET, &format!("{}/{what}", self.session), &Value::Null).await
    }

    async fn post(&self, what: &str, body: &Value) -> Result<Value, BrowserError> {
        call(&self.client, Method::POST, &format!("{}/{what}", self.session), body).await
    }
}

impl Element<'_> {
    /// Clicks it.
    pub async fn click(&self) -> Result<(), BrowserError> {
        self.post("click", &json!({})).await.map(drop)
    }

    /// Clicks what leads to another page, and waits until that is there.
    pub async fn follow(&self) -> Result<(), BrowserError> {
        let before = self.browser.find("html").await?.id;
        self.click().await?;
        let end = Instant::now() + LIMIT;
        loop {
            // Between two pages there is none.
            let is_other = self.browser.find("html").await.is_ok_and(|page| page.id != before);
            if is_other && self.browser.run("return document.readyState").await? == "complete" {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(BrowserError::Refused { what: "follow".into(), reason: "the page stays the same".into() });
            }
            sleep(LOOK).await;
        }
    }

    /// Types a text into it, in place of what is there.
    pub async fn fill(&self, text: &str) -> Result<(), BrowserError> {
        self.post("clear", &json!({})).await?;
        self.post("value", &json!({ "text": text })).await.map(drop)
    }

    /// The text that a person sees of it.
    pub async fn text(&self) -> Result<String, BrowserError> {
        Ok(text(&self.browser.get(&format!("element/{}/text", self.id)).await?))
    }

    async fn post(&self, what: &str, body: &Value) -> Result<Value, BrowserError> {
        self.browser.post(&format!("element/{}/{what}", self.id), body).await
    }
}

fn field(value: &Value, name: &str) -> Value {
    value.get(name).cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// One command of the protocol: its value.
async fn call(client: &Client, method: Method, url: &str, body: &Value) -> Result<Value, BrowserError> {
    let request = client.request(method, url).timeout(LIMIT);
    let request = if body.is_null() { request } else { request.json(body) };
    let answer: Value = request.send().await?.json().await?;
    let value = field(&answer, "value");
    match value.get("error").and_then(Value::as_str) {
        None => Ok(value),
        Some(error) => {
            let what = format!("{} {body}", url.rsplit('/').next().unwrap_or_default());
            Err(BrowserError::Refused { what, reason: format!("{error}: {}", text(&field(&value, "message"))) })
        }
    }
}

/// The driver. It ends with the browsers that it has started: killed alone, it would leave them behind.
#[derive(Debug)]
struct Driver(Process);

impl Driver {
    async fn start(client: &Client, folder: &Path) -> Result<(Self, u16), ServerError> {
        let port = free_port()?;
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).current_dir(folder).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", folder).env("TMPDIR", folder);
        let mut process = Process::spawn("chromedriver", command, folder.join("driver.log"))?;
        let status = format!("http://127.0.0.1:{port}/status");
        process.until(START, async || client.get(&status).send().await.is_ok()).await?;
        Ok((Self(process), port))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let Some(id) = self.0.id() else { return };
        let mut ids = vec![id];
        let mut next = 0;
        while let Some(&id) = ids.get(next) {
            ids.extend(children(id));
            next += 1;
        }
        let ids = ids.iter().map(u32::to_string);
        // Those that are gone by now are none of its concern.
        let _ = std::process::Command::new("kill").args(["-s", "KILL"]).args(ids).output();
    }
}

/// The processes that a process has started (Linux, `proc_pid_task(5)`).
fn children(id: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let listed = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    listed.flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}
