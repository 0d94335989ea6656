//! Bad rows never stop the others, and never take memory.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at what they did not expect"
)]

use std::io::{self, Cursor, Read};

use buildhub_inventory::{CsvRows, MAX_ROW, Progress, RowFault, Rows, Schema, csv_rows};

fn open(text: impl Into<Vec<u8>>) -> CsvRows {
    csv_rows(Cursor::new(text.into()), &Schema::default_csv(), "part-1")
}

/// The keys given out, with the errors in their places.
fn keys(rows: &mut dyn Rows) -> Vec<String> {
    let mut keys = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        match row.and_then(|row| row.key()) {
            Ok(key) => keys.push(key.to_string()),
            Err(error) => keys.push(error.to_string()),
        }
    }
    keys
}

fn line(key: &str) -> String {
    format!("\"b\",\"{key}\",\"1\",\"2018-11-15T00:00:00.000Z\",\"e\"\n")
}

#[test]
fn defect_8_escapes_are_decoded() {
    let text = line("win32/Firefox%20Setup%2060.0.exe") + &line("a%2Bb+%28c%29.zip");
    assert_eq!(keys(&mut open(text)), ["win32/Firefox Setup 60.0.exe", "a+b (c).zip"]);
}

#[test]
fn defect_12_a_last_line_without_newline_is_read() {
    let text = line("one") + &line("two");
    assert_eq!(keys(&mut open(text.trim_end())), ["one", "two"]);
}

#[test]
fn defect_12_a_quoted_newline_is_part_of_the_key() {
    assert_eq!(keys(&mut open(line("one\ntwo") + &line("three"))), ["one\ntwo", "three"]);
}

#[test]
fn defect_12_a_character_may_be_cut_anywhere() {
    struct OneByOne(Cursor<Vec<u8>>);
    impl Read for OneByOne {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }
    let input = OneByOne(Cursor::new((line("café/€.zip") + &line("two")).into_bytes()));
    let mut rows = csv_rows(input, &Schema::default_csv(), "part-1");
    assert_eq!(keys(&mut rows), ["café/€.zip", "two"]);
}

#[test]
fn a_row_of_another_shape_is_named_and_the_next_is_read() {
    let text = line("one") + "\"b\",\"two\"\nb,three,1,2018-11-15T00:00:00.000Z,e,surplus,more\n" + &line("four");
    let mut rows = open(text);
    assert_eq!(
        keys(&mut rows),
        [
            "one",
            r#"row 2 of part-1: it has 2 columns where the schema has 5; its first is "b""#,
            r#"row 3 of part-1: it has 7 columns where the schema has 5; its first is "b""#,
            "four",
        ]
    );
    assert_eq!(rows.progress().rows, 4);
}

#[test]
fn a_row_may_have_any_number_of_surplus_columns() {
    for count in [6, 69, 70, 1000] {
        let text = vec!["x"; count].join(",") + "\n" + &line("next");
        let mut rows = open(text);
        let error = rows.next().unwrap().unwrap().unwrap_err();
        assert!(matches!(error.fault, RowFault::Columns { found, .. } if found == count), "{error}");
        assert_eq!(keys(&mut rows), ["next"]);
    }
}

#[test]
fn bytes_that_are_no_text_are_named_and_the_next_row_is_read() {
    let text = [b"b,caf\xe9,1,2018-11-15T00:00:00.000Z,e\n".as_slice(), line("two").as_bytes()].concat();
    assert_eq!(keys(&mut open(text)), ["row 1 of part-1: Key \"caf\u{fffd}\" is not UTF-8", "two"]);
}

#[test]
fn a_quote_that_is_never_closed_costs_its_line_only() {
    let mut text = line("one") + "\"b,two,1,2018-11-15T00:00:00.000Z,e\n";
    let plain = "b,three,1,2018-11-15T00:00:00.000Z,e\n";
    let count = 3 * MAX_ROW / plain.len();
    text.push_str(&plain.repeat(count));
    let mut rows = open(text);
    let found = keys(&mut rows);
    assert_eq!(found[0], "one");
    assert!(
        found[1].starts_with("row 2 of part-1: it is longer than 65536 bytes and begins \"\\\"b,two,1,"),
        "{}",
        found[1]
    );
    assert_eq!(found.len(), count + 2);
    assert!(found[2..].iter().all(|key| key == "three"));
}

#[test]
fn a_row_may_be_as_long_as_the_bound_and_no_longer_however_it_comes() {
    for (length, is_read) in [(MAX_ROW, true), (MAX_ROW + 1, false), (3 * MAX_ROW, false), (20 * MAX_ROW, false)] {
        let around = line("").len();
        let text = line(&"k".repeat(length - around)) + &line("next");
        for piece in [usize::MAX, 1000, 65_536] {
            let input = Chunked { input: Cursor::new(text.clone().into_bytes()), piece };
            let mut rows = csv_rows(input, &Schema::default_csv(), "part-1");
            let first = rows.next().unwrap().unwrap().map(|row| row.number());
            assert_eq!(first.is_ok(), is_read, "{length} bytes in pieces of {piece}: {first:?}");
            assert_eq!(keys(&mut rows), ["next"], "{length} bytes in pieces of {piece}");
        }
    }
}

struct Chunked {
    input: Cursor<Vec<u8>>,
    piece: usize,
}

impl Read for Chunked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.piece);
        self.input.read(&mut buffer[..length])
    }
}

#[test]
fn an_endless_row_ends_with_the_input_and_takes_no_memory() {
    // 256 MiB without a line end: it could not be kept, and needs not be.
    let input = io::repeat(b'x').take(256 << 20);
    let mut rows = csv_rows(input, &Schema::default_csv(), "part-1");
    let error = rows.next().unwrap().unwrap().unwrap_err();
    assert!(matches!(error.fault, RowFault::TooLong { limit: MAX_ROW, .. }), "{error}");
    assert!(error.to_string().len() < 1000);
    assert!(rows.next().unwrap().is_none());
    assert!(format!("{rows:?}").len() < 1000);
}

#[test]
fn line_ends_and_a_byte_order_mark_are_no_rows() {
    let text = "\u{feff}".to_owned() + &line("one").replace('\n', "\r\n") + "\r\n\n\n" + &line("two") + "\n\r\n";
    assert_eq!(keys(&mut open(text)), ["one", "two"]);
    assert_eq!(keys(&mut open("")), [""; 0]);
    assert_eq!(keys(&mut open("\n\n")), [""; 0]);
    assert_eq!(keys(&mut open("\u{feff}")), [""; 0]);
}

#[test]
fn a_versioned_inventory_gives_current_objects_only() {
    let schema = Schema::parse("Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate").unwrap();
    let row = |key: &str, latest: &str, deleted: &str, size: &str| {
        format!("\"b\",\"{key}\",\"v\",\"{latest}\",\"{deleted}\",\"{size}\",\"2018-11-15T00:00:00.000Z\"\n")
    };
    let text = [
        row("current", "true", "false", "1"),
        row("old", "false", "false", "1"),
        row("deleted", "true", "true", ""),
        row("deleted", "false", "true", ""),
        // Not plain: the grammar's rows are judged alike.
        "b,old,v,false,false,1,2018-11-15T00:00:00.000Z\n".to_owned(),
        row("strange", "yes", "false", "1"),
        row("last", "true", "false", "1"),
    ];
    let mut rows = csv_rows(Cursor::new(text.concat().into_bytes()), &schema, "part-1");
    assert_eq!(keys(&mut rows), ["current", r#"row 6 of part-1: IsLatest "yes" is neither true nor false"#, "last"]);
    let bytes = text.concat().len() as u64;
    assert_eq!(rows.progress(), Progress { rows: 7, bytes, superseded: 3, delete_markers: 1 });
}

#[test]
fn columns_are_found_wherever_the_schema_puts_them() {
    let schema = Schema::parse("ETag, LastModifiedDate, StorageClass, Size, Key").unwrap();
    let text = "\"e\",\"2018-11-15T00:00:00.000Z\",\"STANDARD\",\"12\",\"pub/a.zip\"\n";
    let mut rows = csv_rows(Cursor::new(text), &schema, "part-1");
    let row = rows.next().unwrap().unwrap().unwrap();
    assert_eq!((row.key().unwrap().as_str(), row.size().unwrap()), ("pub/a.zip", 12));
    assert_eq!(row.last_modified().unwrap().to_string(), "2018-11-15T00:00:00Z");
    assert_eq!((row.bucket(), row.etag().as_deref()), (None, Some("e")));
}

#[test]
fn a_source_that_fails_fails_again_instead_of_ending() {
    struct Broken(bool);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("the disk went away"));
            }
            let text = line("one").into_bytes();
            buffer[..text.len()].copy_from_slice(&text);
            Ok(text.len())
        }
    }
    let mut rows = csv_rows(io::BufReader::with_capacity(4096, Broken(false)), &Schema::default_csv(), "part-1");
    assert!(rows.next().unwrap().is_some());
    assert_eq!(rows.next().unwrap_err().to_string(), "cannot read inventory part part-1: the disk went away");
    let again = "reading inventory part part-1 was broken off before its end; read it again";
    assert_eq!(rows.next().unwrap_err().to_string(), again);
}
