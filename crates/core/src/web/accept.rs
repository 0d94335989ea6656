//! What a client would rather have: JSON or a page.

use http::HeaderMap;
use http::header::ACCEPT;

/// How a media type is wanted (RFC 9110, section 12.5.1): its quality in thousandths, and how exactly it was named.
type Wanted = (u16, u8);

/// Whether a page is wanted more than JSON. Where both are wanted alike, as by a program that says nothing or `*/*`, it
/// is JSON; a browser names pages.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let accepts: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges = || accepts.iter().flat_map(|text| text.split(','));
    let html = wanted(ranges(), "text", "html");
    html.0 > 0 && html > wanted(ranges(), "application", "json")
}

/// Of the ranges that a type is in, the most exact one says how much it is wanted.
fn wanted<'a>(ranges: impl Iterator<Item = &'a str>, kind: &str, subtype: &str) -> Wanted {
    let found = ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let exactness = match name.split_once('/')? {
            ("*", "*") => 1,
            (range, "*") if range == kind => 2,
            (range, exact) if range == kind && exact == subtype => 3,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((exactness, quality.map_or(1000, thousandths)))
    });
    found.max().map_or((0, 0), |(exactness, quality)| (quality, exactness))
}

/// `0.8` is 800. What is no number counts as not wanted.
fn thousandths(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = part.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse::<u16>()) {
        ("1", _) => 1000,
        ("0", Ok(part)) => part,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn html(accept: &'static str) -> bool {
        prefers_html(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn a_browser_gets_a_page_and_a_program_json() {
        assert!(html("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"));
        assert!(html("text/html"));
        assert!(html("text/html, */*"));
        assert!(html("text/*;q=0.5, application/json;q=0.4"));
        for program in [
            "*/*",
            "application/json",
            "application/json, text/html",
            "text/html;q=0.5, application/json",
            "text/plain",
        ] {
            assert!(!html(program), "{program}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn what_is_refused_or_no_number_is_not_wanted() {
        assert!(!html("text/html;q=0"));
        assert!(!html("text/html;q=much, */*;q=0.1"));
        assert!(html("text/html; q=0.001"));
    }
}
