//! Forms as `multipart/form-data` (RFC 7578), of fields alone: none of our APIs takes a file.
//!
//! ```
//! use buildhub_core::web::multipart;
//!
//! let body = b"--x\r\nContent-Disposition: form-data; name=\"count\"\r\n\r\n3\r\n--x--\r\n";
//! let fields = multipart::fields("multipart/form-data; boundary=x", body)?;
//! assert_eq!(fields, [("count".to_owned(), "3".to_owned())]);
//! # Ok::<(), multipart::MultipartError>(())
//! ```

use std::str;

/// The most fields.
const FIELDS_MAX: usize = 64;
/// The most bytes of what stands before a field's value.
const HEAD_MAX: usize = 1024;
/// The longest boundary (RFC 2046, section 5.1.1).
const BOUNDARY_MAX: usize = 70;

/// Why a body is no such form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// Its type does not say what stands between its fields.
    #[error("its type names no boundary")]
    Boundary,
    /// It breaks off, or is written otherwise.
    #[error("it is no multipart/form-data that ends with its boundary")]
    Form,
    /// A field has no name, or is no text.
    #[error("each of its fields has a name, and is text in UTF-8")]
    Field,
    /// A field is a file.
    #[error("it has a file; files are not taken")]
    File,
    /// There are more fields than anything has.
    #[error("it has more than {FIELDS_MAX} fields")]
    Many,
}

/// The fields of a body in their order, by the type that is said of it (`multipart/form-data; boundary=…`).
pub fn fields(kind: &str, body: &[u8]) -> Result<Vec<(String, String)>, MultipartError> {
    let boundary = boundary(kind).ok_or(MultipartError::Boundary)?;
    let delimiter = format!("\r\n--{boundary}");
    let opening = delimiter.trim_start().as_bytes();
    let mut rest = body.strip_prefix(opening).ok_or(MultipartError::Form)?;
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(fields);
        }
        let part = rest.strip_prefix(b"\r\n").ok_or(MultipartError::Form)?;
        let (part, after) = cut(part, delimiter.as_bytes()).ok_or(MultipartError::Form)?;
        let (head, value) =
            cut(part, b"\r\n\r\n").filter(|(head, _)| head.len() <= HEAD_MAX).ok_or(MultipartError::Form)?;
        let name = name(str::from_utf8(head).map_err(|_| MultipartError::Field)?)?;
        let value = str::from_utf8(value).map_err(|_| MultipartError::Field)?;
        fields.push((name.to_owned(), value.to_owned()));
        if fields.len() > FIELDS_MAX {
            return Err(MultipartError::Many);
        }
        rest = after;
    }
}

fn boundary(kind: &str) -> Option<&str> {
    let (_, boundary) = parameters(kind).find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let is_boundary = (1..=BOUNDARY_MAX).contains(&boundary.len()) && boundary.bytes().all(is_sign);
    (is_boundary && !boundary.ends_with(' ')).then_some(boundary)
}

/// The name of a field by the lines before its value.
fn name(head: &str) -> Result<&str, MultipartError> {
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let mut found = None;
    for (parameter, value) in parameters(disposition.ok_or(MultipartError::Field)?) {
        match parameter.to_ascii_lowercase().as_str() {
            "filename" | "filename*" => return Err(MultipartError::File),
            "name" => found = Some(value),
            _ => {}
        }
    }
    found.filter(|name| !name.is_empty()).ok_or(MultipartError::Field)
}

/// The parameters of a header's value: `…; name=value; name="value"`.
fn parameters(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(';').unwrap_or(after.len())),
        };
        rest = after.trim_start().strip_prefix(';').unwrap_or_default();
        Some((name.trim(), value.trim_end()))
    })
}

/// What stands before a mark, and what behind it.
fn cut<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; charset=utf-8; boundary=\"----x y\"";
    /// As a browser and curl write it.
    const BODY: &str = "------x y\r\nContent-Disposition: form-data; name=\"build_id\"\r\n\r\n17\r\n\
                        ------x y\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=properties\r\n\r\n\
                        {\"a\":\r\n\"é\"}\r\n------x y\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n------x y--\r\n";

    #[test]
    fn a_form_of_fields_is_read_as_browsers_and_curl_write_it() {
        let found = fields(KIND, BODY.as_bytes()).unwrap();
        let expected = [("build_id", "17"), ("properties", "{\"a\":\r\n\"é\"}"), ("empty", "")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(fields("multipart/form-data;boundary=z", b"--z--"), Ok(Vec::new()));
    }

    #[test]
    fn what_breaks_off_or_is_otherwise_is_refused_and_never_half_read() {
        let whole = BODY.len() - 2;
        for length in 0..whole {
            assert!(fields(KIND, &BODY.as_bytes()[..length]).is_err(), "{length}");
        }
        assert!(fields(KIND, &BODY.as_bytes()[..whole]).is_ok(), "the last line needs no end");
        for kind in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a\u{1}\""]
        {
            assert_eq!(fields(kind, BODY.as_bytes()), Err(MultipartError::Boundary), "{kind}");
        }
        let one = |head: &str, value: &[u8]| {
            let body = [b"--z\r\n", head.as_bytes(), b"\r\n\r\n", value, b"\r\n--z--"].concat();
            fields("multipart/form-data; boundary=z", &body)
        };
        let named = "Content-Disposition: form-data; name=\"a\"";
        assert!(one(named, b"x").is_ok());
        assert_eq!(one(named, b"\xff"), Err(MultipartError::Field));
        assert_eq!(one("Content-Disposition: form-data", b"x"), Err(MultipartError::Field));
        assert_eq!(one("Content-Type: text/plain", b"x"), Err(MultipartError::Field));
        assert_eq!(one(&format!("{named}; filename=\"b\""), b"x"), Err(MultipartError::File));
        assert_eq!(one(&format!("{named}\r\nX: {}", "y".repeat(HEAD_MAX)), b"x"), Err(MultipartError::Form));
        let many = format!("--z\r\n{named}\r\n\r\nx\r\n").repeat(FIELDS_MAX + 1);
        assert_eq!(
            fields("multipart/form-data; boundary=z", format!("{many}--z--").as_bytes()),
            Err(MultipartError::Many)
        );
    }
}
