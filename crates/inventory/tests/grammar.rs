//! What is read is what the `csv` crate reads, however the input is cut.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at what they did not expect"
)]

use std::fmt::Write as _;
use std::io::{self, Read};

use buildhub_inventory::{CsvRows, RowFault, Rows, Schema, csv_rows};
use proptest::prelude::*;

/// Gives its bytes in pieces of the given sizes, over and over.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()];
        self.turn += 1;
        let length = size.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

fn in_pieces(bytes: &[u8], sizes: &[usize]) -> CsvRows {
    let input = Pieces { bytes: bytes.to_vec(), at: 0, sizes: sizes.to_vec(), turn: 0 };
    csv_rows(input, &three(), "part-1")
}

/// The fewest columns a schema may have.
fn three() -> Schema {
    Schema::parse("Key, Size, LastModifiedDate").unwrap()
}

/// What a row showed: the raw texts come back in its errors, so that they can be compared byte for byte where they are
/// no valid values (and are equal as values where they are).
#[derive(Debug, PartialEq)]
enum Seen {
    Row { number: u64, key: String, size: String, date: String },
    Columns { number: u64, found: usize },
    TooLong { number: u64 },
}

fn seen(rows: &mut CsvRows) -> Vec<Seen> {
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        all.push(match row {
            Ok(row) => Seen::Row {
                number: row.number(),
                key: outcome(row.key().map(|key| key.to_string())),
                size: outcome(row.size()),
                date: outcome(row.last_modified()),
            },
            Err(error) => match error.fault {
                RowFault::Columns { found, .. } => Seen::Columns { number: error.row, found },
                RowFault::TooLong { .. } => Seen::TooLong { number: error.row },
                other => panic!("{other}"),
            },
        });
    }
    all
}

fn outcome<T: std::fmt::Display, E: std::fmt::Display>(result: Result<T, E>) -> String {
    result.map_or_else(|error| error.to_string(), |value| value.to_string())
}

/// The same, read by the `csv` crate; each of its records is shown to us as the plainest CSV there is for it.
fn by_the_csv_crate(bytes: &[u8]) -> Vec<Seen> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut all = Vec::new();
    for (index, record) in reader.byte_records().map(Result::unwrap).enumerate() {
        let number = index as u64 + 1;
        if record.len() == 3 {
            // A writer that quotes all leaves no room for doubt, and numbering starts where this record stands.
            let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            for _ in 0..index {
                writer.write_record(["", "", ""]).unwrap();
            }
            writer.write_byte_record(&record).unwrap();
            let mut alone = seen(&mut csv_rows(io::Cursor::new(writer.into_inner().unwrap()), &three(), "part-1"));
            all.push(alone.pop().unwrap());
        } else {
            all.push(Seen::Columns { number, found: record.len() });
        }
    }
    all
}

/// Text made of what matters to the grammar.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => Just("\"".to_owned()),
        3 => Just(",".to_owned()),
        3 => Just("\n".to_owned()),
        1 => Just("\r".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => Just("\"\"".to_owned()),
        2 => Just("\",\"".to_owned()),
        2 => Just("\"\n\"".to_owned()),
        4 => "[a-c+%0-9]{0,4}",
        1 => Just("é€".to_owned()),
        1 => Just("\u{feff}".to_owned()),
        2 => Just("\"k\",\"1\",\"2018-11-15T00:00:00.000Z\"\n".to_owned()),
    ];
    let bytes = prop_oneof![20 => token.prop_map(String::into_bytes), 1 => Just(vec![0xff]), 1 => Just(vec![0])];
    proptest::collection::vec(bytes, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_as_the_csv_crate_reads_it(text in hostile()) {
        prop_assume!(!text.starts_with(&[0x1f, 0x8b]));
        prop_assert_eq!(seen(&mut in_pieces(&text, &[1 << 20])), by_the_csv_crate(&text));
    }

    #[test]
    fn where_the_input_is_cut_never_matters(text in hostile(), sizes in proptest::collection::vec(1usize..9, 1..5)) {
        prop_assert_eq!(seen(&mut in_pieces(&text, &sizes)), seen(&mut in_pieces(&text, &[1 << 20])));
    }
}

/// A record as any writer may write it: key, quoting.
fn records() -> impl Strategy<Value = Vec<(String, u64, bool)>> {
    let key = prop_oneof![
        4 => "pub/[a-z0-9./-]{1,60}",
        2 => "pub/[a-z \"(),+%\n\r]{0,20}",
        1 => any::<String>(),
    ];
    proptest::collection::vec((key, any::<u64>(), any::<bool>()), 0..30)
}

/// Encodes a key as S3 does for CSV.
fn form_encoded(key: &str) -> String {
    key.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b' ' => text.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => text.push(char::from(byte)),
            other => write!(text, "%{other:02X}").unwrap(),
        }
        text
    })
}

proptest! {
    #[test]
    fn what_the_csv_crate_writes_comes_back(records in records(), crlf in any::<bool>(), piece in 1usize..400) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut text = Vec::new();
        for (key, size, is_quoted) in &records {
            let style = if *is_quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new().quote_style(style).terminator(terminator).from_writer(&mut text);
            writer.write_record([&form_encoded(key), &size.to_string(), "2018-11-15T01:02:03.000Z"]).unwrap();
            writer.flush().unwrap();
        }
        let mut rows = in_pieces(&text, &[piece]);
        for (index, (key, size, _)) in records.iter().enumerate() {
            let row = rows.next().unwrap().unwrap().unwrap();
            prop_assert_eq!(row.number(), index as u64 + 1);
            let found = row.key().unwrap();
            prop_assert_eq!(found.as_str(), key.as_str());
            prop_assert_eq!(row.size().unwrap(), *size);
            prop_assert_eq!(row.last_modified().unwrap().to_string(), "2018-11-15T01:02:03Z");
        }
        prop_assert!(rows.next().unwrap().is_none());
        prop_assert_eq!(rows.progress().rows, records.len() as u64);
        prop_assert_eq!(rows.progress().bytes, text.len() as u64);
    }
}
