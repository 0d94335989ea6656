//! Small pages: one style for all, and nothing in them that was not escaped.

use std::fmt::Write as _;

/// What every page begins with; the title goes between this and [`STYLE`].
const BEGIN: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                     <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
const STYLE: &str = "<style>\n\
                     :root { color-scheme: light dark; --line: light-dark(#d5d8dc, #44484d); --good: light-dark(#176b2c, #7bd88f);\n\
                     --bad: light-dark(#b3261e, #ffa198); --open: light-dark(#0b57d0, #9ec1ff); }\n\
                     body { font: 1rem/1.5 system-ui, sans-serif; max-width: 66rem; margin: 0 auto; padding: 1rem; }\n\
                     nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding-bottom: .5rem; border-bottom: 1px solid var(--line); }\n\
                     nav span { margin-left: auto; }\n\
                     h1 { font-size: 1.4rem; overflow-wrap: anywhere; }\n\
                     h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }\n\
                     p, li, dt, td { overflow-wrap: break-word; }\n\
                     a { color: var(--open); }\n\
                     code, pre { font-size: .9rem; }\n\
                     pre { overflow-x: auto; padding: 1rem; border: 1px solid var(--line); border-radius: .3rem; }\n\
                     table { display: block; max-width: 100%; overflow-x: auto; border-collapse: collapse; }\n\
                     th, td { text-align: left; padding: .3rem 1.25rem .3rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }\n\
                     th { font-weight: 600; white-space: nowrap; }\n\
                     time, td code { white-space: nowrap; }\n\
                     dt { margin-top: .6rem; }\n\
                     dd { margin: 0 0 0 1.25rem; }\n\
                     form { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; margin: .6rem 0; }\n\
                     input, button { font: inherit; padding: .3rem .6rem; max-width: 100%; box-sizing: border-box; }\n\
                     button { cursor: pointer; }\n\
                     .state { white-space: nowrap; font-weight: 600; }\n\
                     .good { color: var(--good); }\n\
                     .bad, form.delete button { color: var(--bad); }\n\
                     .open { color: var(--open); }\n\
                     figure { margin: .75rem 0; }\n\
                     svg { display: block; width: 100%; height: 1.4rem; }\n\
                     .key { display: inline-block; margin-right: 1rem; }\n\
                     .key svg { display: inline-block; width: 1rem; height: .8rem; margin-right: .4rem; }\n\
                     small { opacity: .7; }\n\
                     </style>\n</head>\n<body>\n";

/// What looks again by itself, unless somebody is about to say something: what they typed would be lost. The policy of pages
/// names it by its hash (W3C, "Content Security Policy Level 3", section 8.3); the browser's tests hold the two together.
const AGAIN: &str = include_str!("again.js");

/// A page that is being written: a title, and one thing below the other. Text goes in as it is and is escaped here.
#[derive(Debug, Clone)]
pub struct Page {
    /// Escaped.
    title: String,
    /// What stands above the title.
    top: String,
    body: String,
    /// After how many seconds it looks again.
    again: Option<u32>,
}

impl Page {
    /// A page with nothing but its title.
    pub fn new(title: &str) -> Self {
        Self { title: Escaped(title).to_string(), top: String::new(), body: String::new(), again: None }
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
        let _ = writeln!(self.body, "<p><a href=\"{address}\">{text}</a></p>");
        self
    }

    /// A table of names and what belongs to them.
    #[must_use]
    pub fn table<'a>(mut self, rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.body.push_str("<table>\n");
        for (name, value) in rows {
            let (name, value) = (Escaped(name), Escaped(value));
            let _ = writeln!(self.body, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
        }
        self.body.push_str("</table>\n");
        self
    }

    /// HTML of somebody else's, who has escaped what is in it.
    #[must_use]
    pub fn markup(mut self, html: &str) -> Self {
        self.body.push_str(html);
        self.body.push('\n');
        self
    }

    /// The same above the title: where one can go from here.
    #[must_use]
    pub fn navigation(mut self, html: &str) -> Self {
        self.top.push_str(html);
        self.top.push('\n');
        self
    }

    /// It looks again by itself each so many seconds, as long as nobody types into it.
    #[must_use]
    pub fn again(self, seconds: u32) -> Self {
        Self { again: Some(seconds), ..self }
    }

    /// The finished page.
    pub fn into_html(self) -> String {
        let Self { title, top, body, again } = self;
        let (mut head, mut tail) = (String::new(), String::new());
        if let Some(seconds) = again {
            head = format!("<noscript><meta http-equiv=\"refresh\" content=\"{seconds}\"></noscript>\n");
            tail = format!("<script data-seconds=\"{seconds}\">{AGAIN}</script>\n");
        }
        format!(
            "{BEGIN}<title>{title} - Buildhub</title>\n{head}{STYLE}{top}<h1>{title}</h1>\n{body}{tail}</body>\n</html>\n"
        )
    }

    fn element(mut self, name: &str, text: &str) -> Self {
        let _ = writeln!(self.body, "<{name}>{}</{name}>", Escaped(text));
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
