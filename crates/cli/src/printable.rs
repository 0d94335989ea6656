//! What others wrote, as it may stand on a terminal.

use std::fmt::Display;

/// The text with its lines and tabs, and without what a terminal would obey: control characters become U+FFFD.
pub(crate) fn printable(text: &impl Display) -> String {
    let shown = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
    text.to_string().chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_commands_a_terminal() {
        assert_eq!(
            printable(&"a\u{1b}]0;title\u{7}b\r\n\tc\u{9b}2J"),
            "a\u{fffd}]0;title\u{fffd}b\u{fffd}\n\tc\u{fffd}2J"
        );
    }
}
