//! Small pages: one style for all, and nothing in them that was not escaped.

use std::fmt::Write as _;

/// What every page begins with; the title goes between this and [`STYLE`].
const BEGIN: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                     <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
const STYLE: &str = "<style>\n\
                     :root { color-scheme: light dark; }\n\
                     body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }\n\
                     h1 { font-size: 1.4rem; }\n\
                     pre { overflow-x: auto; padding: 1rem; border: 1px solid; border-radius: .3rem; }\n\
                     th, td { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; }\n\
                     small { opacity: .7; }\n\
                     </style>\n</head>\n<body>\n";

/// A page that is being written: a title, and one thing below the other. Text goes in as it is and is escaped here.
#[derive(Debug, Clone)]
pub struct Page(String);

impl Page {
    /// A page with nothing but its title.
    pub fn new(title: &str) -> Self {
        let title = Escaped(title);
        Self(format!("{BEGIN}<title>{title} - Buildhub</title>\n{STYLE}<h1>{title}</h1>\n"))
    }

    /// A paragraph.
    #[must_use]
    pub fn paragraph(self, text: &str) -> Self {
        self.element("p", text)
    }

    /// A line in small letters.
    #[must_use]
    pub fn small(self, text: &str) -> Self {
        self.element("small", text)
    }

    /// Text with its own lines and spaces.
    #[must_use]
    pub fn preformatted(self, text: &str) -> Self {
        self.element("pre", text)
    }

    /// A link in a paragraph. An address that is neither `http(s)://…` nor begins with `/` is shown as text, so that
    /// none can run a script.
    #[must_use]
    pub fn link(mut self, address: &str, text: &str) -> Self {
        if !["https://", "http://", "/"].iter().any(|begin| address.starts_with(begin)) {
            return self.paragraph(address);
        }
        let (address, text) = (Escaped(address), Escaped(text));
        let _ = writeln!(self.0, "<p><a href=\"{address}\">{text}</a></p>");
        self
    }

    /// A table of names and what belongs to them.
    #[must_use]
    pub fn table<'a>(mut self, rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.0.push_str("<table>\n");
        for (name, value) in rows {
            let (name, value) = (Escaped(name), Escaped(value));
            let _ = writeln!(self.0, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
        }
        self.0.push_str("</table>\n");
        self
    }

    /// HTML of somebody else's, who has escaped what is in it.
    #[must_use]
    pub fn markup(mut self, html: &str) -> Self {
        self.0.push_str(html);
        self.0.push('\n');
        self
    }

    /// The finished page.
    pub fn into_html(mut self) -> String {
        self.0.push_str("</body>\n</html>\n");
        self.0
    }

    fn element(mut self, name: &str, text: &str) -> Self {
        let _ = writeln!(self.0, "<{name}>{}</{name}>", Escaped(text));
        self
    }
}

/// Text as it stands in a page, also between quotation marks.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><script>alert('&')</script>";

    #[test]
    fn nothing_from_outside_becomes_a_tag_wherever_it_stands() {
        let page = Page::new(EVIL).paragraph(EVIL).small(EVIL).preformatted(EVIL).table([(EVIL, EVIL)]);
        let page = page.link(&format!("https://host/{EVIL}"), EVIL).into_html();
        assert!(!page.contains("<script>") && !page.contains("alert('"), "{page}");
        assert_eq!(page.matches("&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)").count(), 9, "{page}");
    }

    #[test]
    fn an_address_that_could_run_something_is_no_link() {
        let page = Page::new("t").link("javascript:alert(1)", "click").into_html();
        assert!(!page.contains("href"), "{page}");
    }
}
