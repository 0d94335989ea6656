//! Records for people or programs.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};

use buildhub_releases::Record;
use comfy_table::{Table, presets};

use crate::printable::printable;

/// Characters of a revision that tell it apart.
const SHORT_REVISION: usize = 12;

/// So few records are shown with their addresses, which are too long for a table.
const MAX_ADDRESSES: usize = 10;

/// Rows after which a table is written and another begins: a whole store is not held to be laid out.
const BLOCK: usize = 1_000;

/// An empty table with its header.
fn blank() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["product", "channel", "version", "platform", "locale", "build", "revision"]);
    table
}

/// Writes JSON lines as they come, or collects a table.
pub(super) struct Writer {
    table: Option<Table>,
    output: BufWriter<Stdout>,
    addresses: Vec<String>,
    written: usize,
}

impl Writer {
    pub(super) fn new(json: bool) -> Self {
        let stdout = io::stdout();
        let table = (stdout.is_terminal() && !json).then(blank);
        Self { table, output: BufWriter::new(stdout), addresses: Vec::new(), written: 0 }
    }

    pub(super) fn write(&mut self, record: Record) -> io::Result<()> {
        self.written += 1;
        let Some(table) = &mut self.table else {
            serde_json::to_writer(&mut self.output, &record)?;
            return self.output.write_all(b"\n");
        };
        let revision = record.source.revision.unwrap_or_default();
        let build = record.build.and_then(|build| build.id).unwrap_or_default();
        table.add_row([
            record.source.product,
            record.target.channel,
            record.target.version,
            record.target.platform,
            record.target.locale,
            build.to_string(),
            revision.get(..SHORT_REVISION).unwrap_or(&revision).to_owned(),
        ]);
        if table.row_count() >= BLOCK {
            writeln!(self.output, "{}", printable(table))?;
            *table = blank();
        }
        if self.addresses.len() < MAX_ADDRESSES {
            self.addresses.push(record.download.url);
        }
        Ok(())
    }

    /// Ends the result; says how many records it has.
    pub(super) fn finish(mut self, limit: usize) -> io::Result<usize> {
        if let Some(table) = &self.table {
            if !table.is_empty() {
                writeln!(self.output, "{}", printable(table))?;
            }
            if self.written <= MAX_ADDRESSES {
                for address in &self.addresses {
                    writeln!(self.output, "{}", printable(address))?;
                }
            }
            let more = if self.written == limit { "; there may be more: --limit 0 shows all" } else { "" };
            let hint = if self.written > MAX_ADDRESSES { "; --json has their addresses" } else { "" };
            writeln!(self.output, "{} records{more}{hint}", self.written)?;
        }
        self.output.flush()?;
        Ok(self.written)
    }
}
