//! `buildhub inventory-to-records`.

use std::io::BufWriter;
use std::sync::Arc;

use buildhub_core::{SettingError, Variables};
use buildhub_indexer::resolve::{MetadataUse, Resolver};
use buildhub_indexer::settings::{ArchiveSettings, FolderSettings, Selection};
use buildhub_indexer::{Connector, Convert};
use buildhub_inventory::Schema;
use clap::ArgMatches;
use jiff::Timestamp;

use crate::summary::{Channel, show};
use crate::{CommandError, bar};

/// Bytes of records collected before they are written: a pipe takes 64 KiB at a time.
const BUFFER: usize = 64 * 1024;

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let archive = ArchiveSettings::from_variables(vars)?;
    let now = Timestamp::now();
    let selection = Selection::from_variables(vars, now)?;
    let resolver = Resolver {
        library: Connector::from_variables(vars)?.library(&archive, now).await?,
        products: selection.products,
        release_as_beta: selection.release_as_beta,
        metadata: metadata_use(matches),
        parallel: archive.parallel,
        download_url: archive.download_url,
    };
    let convert = Convert {
        resolver: Arc::new(resolver),
        selection,
        schema: schema(matches)?,
        temporary: FolderSettings::from_variables(vars)?.temporary,
    };
    let mut output = BufWriter::with_capacity(BUFFER, std::io::stdout());
    let (report, result) = convert.run(std::io::stdin(), &mut output, bar::progress()).await;
    let result = result.map_err(CommandError::from);
    if !result.as_ref().is_err_and(CommandError::is_unheard) {
        show(&report, matches.get_flag("json"), Channel::Error)?;
    }
    result?;
    Ok(report.is_success())
}

fn metadata_use(matches: &ArgMatches) -> MetadataUse {
    match (matches.get_flag("no-metadata"), matches.get_flag("keep-incomplete")) {
        (true, _) => MetadataUse::Unused,
        (false, true) => MetadataUse::Optional,
        (false, false) => MetadataUse::Needed,
    }
}

fn schema(matches: &ArgMatches) -> Result<Schema, CommandError> {
    let columns = matches.get_one::<String>("schema").map_or("", String::as_str);
    let schema = Schema::parse(columns);
    schema.map_err(|error| SettingError::invalid("--schema", columns, error.to_string()).into())
}
