//! A sample archive from the command line: its inventory as files, its web site on a port.
//!
//! ```text
//! buildhub-sample generate --rows 1000000 --output bucket
//! buildhub-sample serve --rows 1000000 --listen 127.0.0.1:8080
//! ```

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use buildhub_testkit::sample::{Inventory, Sample, SampleSpec};
use buildhub_testkit::site::{ArchiveSite, Content};
use clap::{Args, Parser, Subcommand};

/// A sample of a build archive: the same rows and seed give the same archive.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes the archive's S3 inventory below a folder, as the bucket it is delivered to would hold it.
    Generate {
        #[command(flatten)]
        which: Which,
        /// How many parts the inventory has.
        #[arg(long, default_value_t = 2)]
        parts: usize,
        /// The inventory's name: `firefox` or `archive`.
        #[arg(long, default_value = "firefox")]
        inventory: String,
        /// The folder that stands for the bucket.
        #[arg(long)]
        output: PathBuf,
        /// Writes the archive itself too, below this folder: metadata, and holes of the size of the builds.
        #[arg(long)]
        archive: Option<PathBuf>,
    },
    /// Serves the archive's metadata and listings until it is stopped.
    Serve {
        #[command(flatten)]
        which: Which,
        /// The address to listen on; port 0 picks a free one. The site's address is printed as the first line.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
}

#[derive(Args)]
struct Which {
    /// How many objects the archive has.
    #[arg(long, default_value_t = 10_000)]
    rows: u64,
    /// Another number is another archive.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even that cannot be said, the exit code says it.
            let _ = writeln!(io::stderr(), "buildhub-sample: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> io::Result<()> {
    match command {
        Command::Generate { which, parts, inventory, output, archive } => {
            let sample = Sample::new(SampleSpec { rows: which.rows, seed: which.seed, parts });
            let inventory = Inventory::of(&inventory);
            sample.write_inventory(&output, &inventory)?;
            if let Some(folder) = archive {
                sample.write_archive(&folder)?;
            }
            writeln!(io::stdout(), "{}", output.join(inventory.delivery()).join("manifest.json").display())
        }
        Command::Serve { which, listen } => {
            let sample = Sample::new(SampleSpec { rows: which.rows, seed: which.seed, parts: 1 });
            let site = ArchiveSite::listen(Content::sample(sample), listen).await?;
            site.count_paths(false);
            writeln!(io::stdout(), "{}", site.url())?;
            io::stdout().flush()?;
            tokio::signal::ctrl_c().await?;
            writeln!(io::stderr(), "{} requests", site.requests())
        }
    }
}
