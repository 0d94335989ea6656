//! From bytes to rows, in bounded memory.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::grammar::Grammar;
use super::plain::{self, Plain};
use super::spans::{Scan, Source, Spans};
use crate::gzip::gzip_or_plain;
use crate::part::PartError;
use crate::row::{Cells, Progress, Row, RowError, RowFault, Rows, shown};
use crate::schema::{Column, Schema};

/// The most bytes a row may have. A key has at most 1,024 (AWS, "Naming Amazon S3 objects"), 3,072 form-encoded.
pub const MAX_ROW: usize = 64 * 1024;

/// Bytes asked of the source at a time, and with [`MAX_ROW`] the most that is kept of it.
const BUFFER: usize = 256 * 1024;

/// Rows of CSV, gzipped or not.
pub struct CsvRows {
    input: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
    name: String,
    layout: Layout,
    buffer: Vec<u8>,
    /// The bytes not read yet: `buffer[start..end]`.
    start: usize,
    end: usize,
    state: State,
    spans: Spans,
    grammar: Grammar,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More input may come.
    Reading,
    /// All input is in the buffer.
    Ended,
    /// The source failed.
    Failed,
}

impl fmt::Debug for CsvRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvRows").field("name", &self.name).field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// Reads rows from `input`, gzipped (one or several members) or not; `name` is what errors call it.
///
/// The grammar is that of the `csv` crate: RFC 4180, any line end, no last one needed. Rows longer than [`MAX_ROW`]
/// are errors.
pub fn csv_rows(input: impl Read + Send + 'static, schema: &Schema, name: impl Into<String>) -> CsvRows {
    let bytes = Arc::new(AtomicU64::new(0));
    let counted = Counted { input, bytes: Arc::clone(&bytes) };
    CsvRows::new(gzip_or_plain(counted), bytes, schema, name.into())
}

impl CsvRows {
    /// Reads rows from `input`, already decompressed; `bytes` counts what was taken from the source behind it.
    pub(crate) fn new(input: Box<dyn Read + Send>, bytes: Arc<AtomicU64>, schema: &Schema, name: String) -> Self {
        let layout = Layout::of(schema);
        Self {
            input,
            bytes,
            name,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            state: State::Reading,
            spans: Spans::of(layout.columns),
            grammar: Grammar::new(layout.columns),
            layout,
            progress: Progress::default(),
        }
    }

    /// Reads up to the next row that is to be given out, or a bad one.
    fn advance(&mut self) -> Result<Option<Result<(), RowError>>, PartError> {
        loop {
            let (window, is_last) = window(&self.buffer, self.start, self.end, self.state);
            match plain::scan(window, &mut self.spans.ranges) {
                Plain::Row(bytes) => {
                    self.spans.source = Source::Input { at: self.start };
                    self.take(bytes);
                    match self.judge() {
                        Ok(true) => return Ok(Some(Ok(()))),
                        Ok(false) => {}
                        Err(fault) => return Ok(Some(Err(self.bad(fault)))),
                    }
                }
                // At the end the grammar says what an incomplete row is.
                Plain::Incomplete if !is_last => {
                    if let Some(too_long) = self.more()? {
                        return Ok(Some(Err(too_long)));
                    }
                }
                Plain::Incomplete | Plain::Unusual => match self.unusual()? {
                    Step::Given => return Ok(Some(Ok(()))),
                    Step::Bad(error) => return Ok(Some(Err(error))),
                    Step::Again => {}
                    Step::End => return Ok(None),
                },
            }
        }
    }

    /// Reads what is not a plain row.
    #[cold]
    fn unusual(&mut self) -> Result<Step, PartError> {
        let (window, is_last) = window(&self.buffer, self.start, self.end, self.state);
        let blank = window.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        if blank > 0 {
            self.start += blank;
            return Ok(Step::Again);
        }
        self.spans.source = Source::Unescaped;
        match self.grammar.scan(window, is_last, &mut self.spans.ranges) {
            Scan::Row { bytes } => {
                self.take(bytes);
                Ok(match self.judge() {
                    Ok(true) => Step::Given,
                    Ok(false) => Step::Again,
                    Err(fault) => Step::Bad(self.bad(fault)),
                })
            }
            Scan::Columns { bytes, found } => {
                let first = shown(self.column(0));
                self.take(bytes);
                let fault = RowFault::Columns { expected: self.layout.columns, found, first };
                Ok(Step::Bad(self.bad(fault)))
            }
            Scan::Nothing { bytes } => {
                self.start += bytes;
                Ok(Step::End)
            }
            Scan::Incomplete => Ok(self.more()?.map_or(Step::Again, Step::Bad)),
        }
    }

    /// Counts a row of so many bytes and steps behind it.
    fn take(&mut self, bytes: usize) {
        self.start += bytes;
        self.progress.rows += 1;
    }

    /// Whether the row is to be given out: of a versioned inventory, only an object's current version, and that only
    /// where it is not a delete marker.
    fn judge(&mut self) -> Result<bool, RowFault> {
        let Some(is_latest) = self.layout.is_latest else { return Ok(true) };
        if !flag("IsLatest", self.column(is_latest))? {
            self.progress.superseded += 1;
            return Ok(false);
        }
        let Some(is_delete_marker) = self.layout.is_delete_marker else { return Ok(true) };
        let is_deleted = flag("IsDeleteMarker", self.column(is_delete_marker))?;
        self.progress.delete_markers += u64::from(is_deleted);
        Ok(!is_deleted)
    }

    /// Brings more input, or finds that the row at the start is longer than a row may be, and steps behind its first
    /// line.
    #[cold]
    fn more(&mut self) -> Result<Option<RowError>, PartError> {
        if self.end - self.start < MAX_ROW {
            self.fill()?;
            return Ok(None);
        }
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let fault = RowFault::TooLong { limit: MAX_ROW, start: shown(unread) };
        let line = memchr::memchr(b'\n', unread);
        self.progress.rows += 1;
        let error = self.bad(fault);
        match line {
            Some(at) => self.start += at + 1,
            None => self.skip_line()?,
        }
        Ok(Some(error))
    }

    /// Drops input up to the next line end.
    fn skip_line(&mut self) -> Result<(), PartError> {
        loop {
            self.start = self.end;
            self.fill()?;
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unread) {
                self.start += at + 1;
                return Ok(());
            }
            if self.state == State::Ended {
                self.start = self.end;
                return Ok(());
            }
        }
    }

    /// Moves what is unread to the front and reads behind it.
    fn fill(&mut self) -> Result<(), PartError> {
        let is_first = self.buffer.is_empty();
        if is_first {
            self.buffer.resize(BUFFER + MAX_ROW, 0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match read_some(&mut self.input, room) {
            Ok(0) => self.state = State::Ended,
            Ok(bytes) => self.end += bytes,
            Err(error) => {
                self.state = State::Failed;
                return Err(PartError::reading(&self.name, error));
            }
        }
        if is_first {
            self.drop_byte_order_mark()?;
        }
        Ok(())
    }

    /// Drops the mark some programs put before the first byte of UTF-8.
    fn drop_byte_order_mark(&mut self) -> Result<(), PartError> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        while self.state == State::Reading && self.end < MARK.len() {
            self.fill()?;
        }
        if self.buffer.get(..self.end).unwrap_or_default().starts_with(MARK) {
            self.start = MARK.len();
        }
        Ok(())
    }

    fn column(&self, index: usize) -> &[u8] {
        let source = match self.spans.source {
            Source::Input { at } => self.buffer.get(at..).unwrap_or_default(),
            Source::Unescaped => self.grammar.unescaped(),
        };
        self.spans.ranges.get(index).and_then(|(start, end)| source.get(*start..*end)).unwrap_or_default()
    }

    fn bad(&self, fault: RowFault) -> RowError {
        RowError { part: self.name.clone(), row: self.progress.rows, fault }
    }
}

impl Rows for CsvRows {
    fn next(&mut self) -> Result<Option<Result<Row<'_>, RowError>>, PartError> {
        if self.state == State::Failed {
            return Err(PartError::Interrupted { part: self.name.clone() });
        }
        Ok(match self.advance()? {
            None => None,
            Some(Err(error)) => Some(Err(error)),
            Some(Ok(())) => Some(Ok(self.row())),
        })
    }

    fn progress(&self) -> Progress {
        Progress { bytes: self.bytes.load(Ordering::Relaxed), ..self.progress }
    }
}

impl CsvRows {
    /// The row that was found last.
    fn row(&self) -> Row<'_> {
        let layout = &self.layout;
        let cells = Cells {
            key: self.column(layout.key),
            size: self.column(layout.size),
            last_modified: self.column(layout.last_modified),
            bucket: layout.bucket.map(|index| self.column(index)),
            etag: layout.etag.map(|index| self.column(index)),
        };
        Row { part: &self.name, number: self.progress.rows, cells }
    }
}

/// What became of an unusual row.
enum Step {
    Given,
    Bad(RowError),
    Again,
    End,
}

/// The unread bytes a row may take, and whether they are the last of the input. Looking no further than a row may
/// reach makes what is too long the same however the input comes.
#[inline]
fn window(buffer: &[u8], start: usize, end: usize, state: State) -> (&[u8], bool) {
    let limit = end.min(start + MAX_ROW);
    (buffer.get(start..limit).unwrap_or_default(), limit == end && state == State::Ended)
}

/// Where in a row things stand.
#[derive(Debug)]
struct Layout {
    columns: usize,
    key: usize,
    size: usize,
    last_modified: usize,
    bucket: Option<usize>,
    etag: Option<usize>,
    is_latest: Option<usize>,
    is_delete_marker: Option<usize>,
}

impl Layout {
    fn of(schema: &Schema) -> Self {
        // A schema has these three, or it would not be one; a column that is nowhere reads as empty.
        let needed = |column| schema.position(column).unwrap_or(usize::MAX);
        Self {
            columns: schema.columns().len(),
            key: needed(Column::Key),
            size: needed(Column::Size),
            last_modified: needed(Column::LastModifiedDate),
            bucket: schema.position(Column::Bucket),
            etag: schema.position(Column::ETag),
            is_latest: schema.position(Column::IsLatest),
            is_delete_marker: schema.position(Column::IsDeleteMarker),
        }
    }
}

/// `true` or `false`, as S3 writes them.
fn flag(column: &'static str, text: &[u8]) -> Result<bool, RowFault> {
    match text {
        b"true" => Ok(true),
        b"false" => Ok(false),
        other if other.eq_ignore_ascii_case(b"true") => Ok(true),
        other if other.eq_ignore_ascii_case(b"false") => Ok(false),
        other => Err(RowFault::Flag { column, value: shown(other) }),
    }
}

/// Counts the bytes that are read through it.
struct Counted<R> {
    input: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.input.read(buffer)?;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// One read that a signal cannot end.
fn read_some(input: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
