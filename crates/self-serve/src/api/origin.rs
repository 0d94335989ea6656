//! Whether a page of somebody else's makes a browser ask for something.
//!
//! A browser that is signed in at the proxy sends what shows it with every request, whoever's page makes it. So what
//! changes something is taken only from programs, which name no page, and from our own pages.

use buildhub_core::web::header::ORIGIN;
use buildhub_core::web::{HeaderName, Request};
use url::Url;

/// What a browser says of whose page asks (W3C, "Fetch Metadata Request Headers").
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request comes from no page of another site. `own` is the API's address as its users have it, where that is set.
pub(super) fn is_own(request: &Request, own: Option<&Url>) -> bool {
    if let Some(site) = request.header(&SEC_FETCH_SITE) {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = request.headers.get(ORIGIN) else { return true };
    let Ok(Ok(origin)) = origin.to_str().map(Url::parse) else { return false };
    if let Some(own) = own {
        return own.origin() == origin.origin();
    }
    let host = origin.host_str().unwrap_or_default();
    let authority = origin.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    authority.eq_ignore_ascii_case(&request.host)
}

#[cfg(test)]
mod tests {
    use buildhub_core::web::HeaderValue;

    use super::*;

    fn asked(headers: &[(HeaderName, &'static str)], own: Option<&str>) -> bool {
        let mut request = Request::get("/self-serve/try/build");
        request.host = "builds.example:8080".to_owned();
        request.headers = headers.iter().map(|(name, text)| (name.clone(), HeaderValue::from_static(text))).collect();
        is_own(&request, own.map(|text| text.parse().unwrap()).as_ref())
    }

    #[test]
    fn a_program_and_our_own_pages_may_ask_and_no_page_of_another_site() {
        assert!(asked(&[], None), "a program names no page");
        assert!(asked(&[(ORIGIN, "http://builds.example:8080")], None));
        assert!(asked(&[(SEC_FETCH_SITE, "same-origin"), (ORIGIN, "null")], None));
        assert!(asked(&[(SEC_FETCH_SITE, "none")], None), "typed by a person");
        for evil in
            ["https://evil.example", "null", "http://builds.example", "http://builds.example:8080.evil.example", "x"]
        {
            assert!(!asked(&[(ORIGIN, evil)], None), "{evil}");
        }
        for site in ["cross-site", "same-site", "?"] {
            assert!(!asked(&[(SEC_FETCH_SITE, site), (ORIGIN, "http://builds.example:8080")], None), "{site}");
        }
        let own = Some("https://self-serve.example/prod");
        assert!(asked(&[(ORIGIN, "https://self-serve.example")], own));
        assert!(!asked(&[(ORIGIN, "http://self-serve.example")], own));
        assert!(!asked(&[(ORIGIN, "http://builds.example:8080")], own));
    }
}
