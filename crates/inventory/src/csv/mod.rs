//! Rows of CSV.

mod grammar;
mod plain;
mod reader;
mod spans;

pub use reader::{CsvRows, MAX_ROW, csv_rows};
