//! The whole grammar of CSV, for rows that are not plain.
//!
//! The state machine is `csv-core`'s, so that what is read here is what the `csv` crate reads. It is started anew for
//! every row and given the row from its beginning, so that nothing depends on where the input was cut.

use std::fmt;

use csv_core::{ReadRecordResult, Reader};

use super::spans::Scan;

/// Reads rows by the grammar, unescaping them into a buffer of its own.
pub(super) struct Grammar {
    machine: Reader,
    unescaped: Vec<u8>,
    ends: Vec<usize>,
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar").finish_non_exhaustive()
    }
}

impl Grammar {
    /// A reader of rows of `columns` columns.
    pub(super) fn new(columns: usize) -> Self {
        Self { machine: Reader::new(), unescaped: Vec::new(), ends: vec![0; columns] }
    }

    /// The bytes that ranges of the last row point into.
    pub(super) fn unescaped(&self) -> &[u8] {
        &self.unescaped
    }

    /// Reads the row at the start of `input` into `ranges`. `is_last` says that no input follows.
    pub(super) fn scan(&mut self, input: &[u8], is_last: bool, ranges: &mut [(usize, usize)]) -> Scan {
        self.restart(input.len());
        let columns = self.ends.len();
        let mut surplus = [0; 64];
        let (mut read, mut written, mut found) = (0, 0, 0);
        let mut is_fed = true;
        let scan = loop {
            let rest = if is_fed { input.get(read..).unwrap_or_default() } else { &[] };
            let output = self.unescaped.get_mut(written..).unwrap_or_default();
            let ends = match self.ends.get_mut(found..) {
                Some(ends) if !ends.is_empty() => ends,
                // More columns than a row may have: they are counted, not kept.
                _ => &mut surplus,
            };
            let (result, more_read, more_written, more_found) = self.machine.read_record(rest, output, ends);
            read += more_read;
            written += more_written;
            found += more_found;
            match result {
                ReadRecordResult::Record if found == columns => break Scan::Row { bytes: read },
                ReadRecordResult::Record => break Scan::Columns { bytes: read, found },
                ReadRecordResult::End => break Scan::Nothing { bytes: read },
                ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::InputEmpty if is_last => is_fed = false,
                // The output is as long as the input, so that it is never the output that is full.
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull => break Scan::Incomplete,
            }
        };
        self.ranges(found, ranges);
        scan
    }

    /// The columns found, as ranges of the output.
    fn ranges(&self, found: usize, ranges: &mut [(usize, usize)]) {
        ranges.fill((0, 0));
        let mut start = 0;
        for (range, end) in ranges.iter_mut().zip(self.ends.iter().take(found)) {
            *range = (start, *end);
            start = *end;
        }
    }

    /// Makes the machine as new, with room for the unescaped form of `length` bytes (never longer than the input).
    fn restart(&mut self, length: usize) {
        self.machine.reset();
        if self.unescaped.len() <= length {
            self.unescaped.resize(length + 1, 0);
        }
        // The machine drops a byte order mark before its first byte; a line end is an empty line to it, and a mark in
        // the middle of a file is text.
        let _ = self.machine.read_record(b"\n", &mut self.unescaped, &mut self.ends);
    }
}
