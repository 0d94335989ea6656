//! JSON or a page, by the rule that users of self-serve know: `?format=`, else JSON where `Accept` names it, else a page.

use buildhub_core::web::Request;
use buildhub_core::web::header::ACCEPT;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Html,
}

/// What a query names that is no format.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown(pub(super) String);

impl Format {
    /// What a request asks for.
    pub(super) fn of(request: &Request) -> Result<Self, Unknown> {
        match request.query.iter().find(|(name, _)| name == "format").map(|(_, value)| value.as_str()) {
            Some("json") => Ok(Self::Json),
            Some("html") => Ok(Self::Html),
            Some(other) => Err(Unknown(other.chars().take(32).collect())),
            None => Ok(Self::by_accept(request)),
        }
    }

    /// What a request accepts.
    pub(super) fn by_accept(request: &Request) -> Self {
        let mut accepted = request.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let is_json = |text: &str| text.to_ascii_lowercase().contains("application/json");
        if accepted.any(is_json) { Self::Json } else { Self::Html }
    }
}

#[cfg(test)]
mod tests {
    use buildhub_core::web::HeaderValue;

    use super::*;

    #[test]
    fn the_query_wins_then_json_where_it_is_named_then_a_page() {
        let of = |query: &str, accept: Option<&'static str>| {
            let mut request = Request::get(&format!("/self-serve{query}"));
            request.headers.extend(accept.map(|text| (ACCEPT, HeaderValue::from_static(text))));
            Format::of(&request)
        };
        assert_eq!(of("?format=html", Some("application/json")), Ok(Format::Html));
        assert_eq!(of("?format=json", Some("text/html")), Ok(Format::Json));
        assert_eq!(of("", Some("text/html, application/json;q=0.1")), Ok(Format::Json));
        assert_eq!(of("", Some("*/*")), Ok(Format::Html));
        assert_eq!(of("", None), Ok(Format::Html));
        assert_eq!(of("?format=xml", None), Err(Unknown("xml".to_owned())));
    }
}
