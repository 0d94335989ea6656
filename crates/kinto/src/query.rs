//! What is asked of a list.

use serde_json::Value;

/// Filters, fields and order of a list of records.
///
/// Values are sent as JSON, so that text stays text: Kinto reads a bare `50.0` or `20161027110534` as a number, and
/// then finds no record whose field is a string. Fields inside fields are written with dots (`build.id`).
///
/// Order is textual: dates of one form sort rightly, versions do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// All records.
    pub fn new() -> Self {
        Self::default()
    }

    /// The field is this value.
    #[must_use]
    pub fn eq(self, field: &str, value: impl Into<Value>) -> Self {
        self.pair(field, &value.into())
    }

    /// The field is there and is another value.
    #[must_use]
    pub fn not(self, field: &str, value: impl Into<Value>) -> Self {
        self.pair(&format!("not_{field}"), &value.into())
    }

    /// The field is this value or greater.
    #[must_use]
    pub fn min(self, field: &str, value: impl Into<Value>) -> Self {
        self.pair(&format!("min_{field}"), &value.into())
    }

    /// The field is this value or less.
    #[must_use]
    pub fn max(self, field: &str, value: impl Into<Value>) -> Self {
        self.pair(&format!("max_{field}"), &value.into())
    }

    /// The field is greater than this value.
    #[must_use]
    pub fn gt(self, field: &str, value: impl Into<Value>) -> Self {
        self.pair(&format!("gt_{field}"), &value.into())
    }

    /// The field is less than this value.
    #[must_use]
    pub fn lt(self, field: &str, value: impl Into<Value>) -> Self {
        self.pair(&format!("lt_{field}"), &value.into())
    }

    /// The field is one of these values.
    #[must_use]
    pub fn one_of<V: Into<Value>>(self, field: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.text(&format!("in_{field}"), list(values))
    }

    /// The field is none of these values. Of a record that lacks it nothing is promised; see [`Self::has`].
    #[must_use]
    pub fn none_of<V: Into<Value>>(self, field: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.text(&format!("exclude_{field}"), list(values))
    }

    /// The field's text contains this, in any case of letters; `*` stands for any text. Kinto's memory back end
    /// (26.5) answers 500 when a record lacks the field.
    #[must_use]
    pub fn like(self, field: &str, pattern: &str) -> Self {
        self.pair(&format!("like_{field}"), &pattern.into())
    }

    /// The field is there (`true`) or is not (`false`).
    #[must_use]
    pub fn has(self, field: &str, there: bool) -> Self {
        self.pair(&format!("has_{field}"), &there.into())
    }

    /// Only these fields of each record, beside its id and date: far fewer bytes (a tenth for one field of a build).
    #[must_use]
    pub fn fields<'f>(self, fields: impl IntoIterator<Item = &'f str>) -> Self {
        let fields: Vec<_> = fields.into_iter().collect();
        self.text("_fields", fields.join(","))
    }

    /// In the order of these fields; a leading `-` turns it round. Without this, a list goes from the record written
    /// longest ago to the newest, which misses none that is written meanwhile.
    #[must_use]
    pub fn sort<'f>(self, fields: impl IntoIterator<Item = &'f str>) -> Self {
        let fields: Vec<_> = fields.into_iter().collect();
        self.text("_sort", fields.join(","))
    }

    /// Only what was written or deleted after this moment (milliseconds, as `last_modified` has them). Deleted
    /// records are listed too, as [`Entry::Deleted`](crate::Entry::Deleted).
    #[must_use]
    pub fn since(self, last_modified: u64) -> Self {
        self.text("_since", format!("\"{last_modified}\""))
    }

    /// At most this many records on a page (Kinto caps it, 10,000 by default).
    #[must_use]
    pub fn limit(self, records: usize) -> Self {
        self.text("_limit", records.to_string())
    }

    fn pair(self, name: &str, value: &Value) -> Self {
        self.text(name, value.to_string())
    }

    fn text(mut self, name: &str, value: String) -> Self {
        self.pairs.push((name.to_owned(), value));
        self
    }

    /// Whether an order is given.
    pub(crate) fn is_sorted(&self) -> bool {
        self.pairs.iter().any(|(name, _)| name == "_sort")
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }
}

/// Values as Kinto takes several: it cuts them at every comma, so one inside a value is written as JSON's escape for it.
fn list<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> String {
    let values = values.into_iter().map(|value| value.into().to_string().replace(',', "\\u002c"));
    values.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_and_numbers_are_not() {
        let query = Query::new().eq("build.id", "20161027110534").min("download.size", 5).has("target.os", false);
        let pairs: Vec<_> = query.pairs().iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(pairs, ["build.id=\"20161027110534\"", "min_download.size=5", "has_target.os=false"]);
    }

    #[test]
    fn a_comma_inside_a_value_does_not_cut_the_list() {
        let query = Query::new().one_of("a", ["x,y", "z"]);
        assert_eq!(query.pairs()[0].1, r#""x\u002cy","z""#);
    }
}
