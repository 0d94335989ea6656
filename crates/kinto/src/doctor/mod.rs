//! What is wrong with a server, in plain words.
//!
//! [`examine`] looks at everything that Buildhub relies on and returns a [`Report`]: one [`Finding`] for each [`Check`]
//! that could be made. It prints nothing, waits for nobody (one attempt each, seconds and not minutes), and sends about
//! a dozen requests.
//!
//! Without [`DoctorSettings::write`] it only reads. (Kinto's own heartbeat, which it asks for as every load balancer
//! does, tries a write of its own.) With it, two trial records are sent; what is stored of them is removed again.

mod access;
mod collection;
mod health;
mod paging;
mod probe;
mod reach;
mod report;
mod server;
mod trial;

pub use report::{Check, Facts, Finding, Report, State};

use crate::collection::check_id;
use crate::{ClientSettings, KintoError, Manifest};
use probe::Probe;
use reach::Hello;

/// What is examined.
#[derive(Debug, Clone)]
pub struct DoctorSettings {
    /// The server, and who asks. Of its limits those of time are cut to a few seconds.
    pub client: ClientSettings,
    /// The records' bucket.
    pub bucket: String,
    /// The records' collection.
    pub collection: String,
    /// What bucket and collection should be like. Names in it must be those above.
    pub manifest: Manifest,
    /// Whether trial records may be written. They are removed again and leave a tombstone, as every deletion does.
    pub write: bool,
}

/// What an examination goes by, once the server has answered.
struct Patient<'a> {
    settings: &'a DoctorSettings,
    probe: Probe,
    hello: Hello,
}

/// Examines a server. An error means that nothing could be asked at all: an address, a name or credentials that
/// cannot be sent. All that is wrong with the server is in the report.
pub async fn examine(settings: &DoctorSettings) -> Result<Report, KintoError> {
    check_id("bucket", &settings.bucket)?;
    check_id("collection", &settings.collection)?;
    let probe = Probe::new(&settings.client)?;
    let mut report = Report::of(settings);
    // What the server does not tell of itself cannot be judged: then nothing else is looked at.
    if let Some(hello) = reach::examine(&probe, &mut report).await {
        let patient = Patient { settings, probe, hello };
        health::examine(&patient, &mut report).await;
        server::examine(&patient, &mut report);
        access::examine(&patient, &mut report).await;
        health::conclude(&patient, &mut report);
    }
    Ok(report)
}
