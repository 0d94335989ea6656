//! Where a row's columns stand in a buffer.

/// The columns of one row, as ranges of the buffer they stand in; used again for every row.
#[derive(Debug)]
pub(super) struct Spans {
    /// As many as the schema has columns.
    pub(super) ranges: Vec<(usize, usize)>,
    /// Which buffer the ranges belong to.
    pub(super) source: Source,
}

impl Spans {
    /// Room for a row of so many columns.
    pub(super) fn of(columns: usize) -> Self {
        Self { ranges: vec![(0, 0); columns], source: Source::Unescaped }
    }
}

/// The buffers a row may stand in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// The input itself, the row needing no unescaping; ranges count from where the row begins.
    Input {
        /// Where that is.
        at: usize,
    },
    /// The grammar's output.
    Unescaped,
}

/// What was found at the start of some input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// A row of as many columns as the schema has, in so many bytes.
    Row { bytes: usize },
    /// A row of another number of columns.
    Columns { bytes: usize, found: usize },
    /// The input ends before the row does.
    Incomplete,
    /// Nothing but line ends, in so many bytes.
    Nothing { bytes: usize },
}
