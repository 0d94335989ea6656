//! The servers behind `make run`: a sample archive's web site, and an S3 server with its inventory.
//!
//! Prints, as shell assignments, what leads a program to them, then serves until it is stopped.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use buildhub_testkit::s3::S3Server;
use buildhub_testkit::sample::{Inventory, Sample, SampleSpec};
use buildhub_testkit::site::{ArchiveSite, Content};
use clap::Parser;

/// Serves a sample archive and its S3 inventory until it is stopped.
#[derive(Parser)]
struct Arguments {
    /// How many objects the archive has.
    #[arg(long, default_value_t = 10_000)]
    rows: u64,
    /// The address of the archive's web site. It is part of every record, so it is always the same.
    #[arg(long)]
    site: SocketAddr,
    /// The folder that the inventory is written to, with a sub-folder for the bucket.
    #[arg(long)]
    folder: PathBuf,
}

/// The bucket that the inventory is delivered to.
const BUCKET: &str = "sample-inventory";
/// The inventory, as `INVENTORIES` names it.
const NAME: &str = "firefox";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match serve(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even that cannot be said, the exit code says it.
            let _ = writeln!(io::stderr(), "sample-servers: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &Arguments) -> io::Result<()> {
    let sample = Sample::new(SampleSpec { rows: arguments.rows, seed: 1, parts: 4 });
    let inventory = Inventory::of(NAME);
    let bucket = arguments.folder.join(BUCKET);
    if !bucket.join(inventory.delivery()).join("manifest.checksum").exists() {
        sample.write_inventory(&bucket, &inventory)?;
    }
    let s3 = S3Server::serve_folder(&arguments.folder).await?;
    let site = ArchiveSite::listen(Content::sample(sample), arguments.site).await?;
    site.count_paths(false);
    let mut out = io::stdout();
    for (name, value) in s3.variables() {
        writeln!(out, "export {name}='{value}'")?;
    }
    writeln!(out, "export ARCHIVE_URL='{}'", site.url())?;
    writeln!(out, "export INVENTORY_LOCATION='s3://{BUCKET}/{}'", inventory.prefix)?;
    writeln!(out, "export INVENTORIES='{NAME}'")?;
    out.flush()?;
    tokio::signal::ctrl_c().await
}
