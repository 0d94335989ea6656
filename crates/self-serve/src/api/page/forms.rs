//! Forms: one for each thing that may be asked for. A browser can only `POST`; `_method` says what is meant.

use maud::{Markup, html};

use super::Frame;
use crate::action::{COUNT_MAX, PRIORITY_MAX};

/// What a form asks for beside its button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// A priority.
    Priority(i64),
    /// How often.
    Count,
    /// Properties, a JSON object.
    Properties,
}

/// What may be asked for, below a heading of its own; whoever is not known is told why there is nothing.
pub(super) fn actions(frame: &Frame<'_>, forms: &Markup) -> Markup {
    html! {
        h2 { "What to do" }
        @if frame.person.is_some() { (forms) } @else { p { "Whoever is signed in can ask for something here." } }
    }
}

/// A form with a button. It is there for those who are known alone: others are refused anyway.
pub(super) fn form(
    frame: &Frame<'_>,
    button: &str,
    method: &str,
    action: &str,
    hidden: &[(&str, String)],
    fields: &[Field],
) -> Markup {
    html! {
        @if frame.person.is_some() {
            form.(method.to_ascii_lowercase()) method="post" action=(action) {
                @if method != "POST" { input type="hidden" name="_method" value=(method); }
                @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
                @for field in fields { (input(*field)) " " }
                button type="submit" { (button) }
            }
        }
    }
}

fn input(field: Field) -> Markup {
    html! {
        @match field {
            Field::Priority(now) => label { "Priority "
                input type="number" name="priority" value=(now) min=(-PRIORITY_MAX) max=(PRIORITY_MAX) required; },
            Field::Count => label { "Times "
                input type="number" name="count" value="1" min="1" max=(COUNT_MAX) required; },
            Field::Properties => label { "Properties "
                input type="text" name="properties" value="" placeholder="{\"name\": \"value\"}"; },
        }
    }
}
