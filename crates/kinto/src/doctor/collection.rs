//! Whether the collection's schema is the one that Buildhub ships.

use serde_json::{Map, Value};

use super::Patient;
use super::report::{Check, Report};

/// Differences that are named; the rest is counted.
const NAMED: usize = 3;

pub(super) fn schema(patient: &Patient<'_>, data: &Map<String, Value>, report: &mut Report) {
    let settings = patient.settings;
    let bucket = settings.manifest.buckets.get(&settings.bucket);
    let wanted = bucket.and_then(|bucket| bucket.collections.get(&settings.collection));
    let wanted = wanted.and_then(|collection| collection.data.get("schema"));
    let advice = "buildhub init-kinto brings it up to date; a load does so too, unless INITIALIZE_SERVER is false";
    match (data.get("schema"), wanted) {
        (_, None) => report.unknown(Check::Schema, "none is wanted", ""),
        (None, Some(_)) => report.fault(Check::Schema, "the collection has none: anything can be written", advice),
        (Some(found), Some(wanted)) if found == wanted => report.ok(Check::Schema, "the one of this version"),
        (Some(found), Some(wanted)) => {
            let mut places = Vec::new();
            differences("", found, wanted, &mut places);
            let more = places.len().saturating_sub(NAMED);
            places.truncate(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let seen = format!("another than this version's: {}{more}", places.join(", "));
            report.warning(Check::Schema, seen, advice);
        }
    }
}

/// Where two values differ, as paths: `properties.target.required`.
fn differences(path: &str, found: &Value, wanted: &Value, places: &mut Vec<String>) {
    let (Value::Object(found), Value::Object(wanted)) = (found, wanted) else {
        if found != wanted {
            places.push(path.to_owned());
        }
        return;
    };
    let names = wanted.keys().chain(found.keys().filter(|name| !wanted.contains_key(*name)));
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (found.get(name), wanted.get(name)) {
            (Some(found), Some(wanted)) => differences(&path, found, wanted, places),
            _ => places.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_that_differs_is_told_by_where() {
        let mut places = Vec::new();
        let found = json!({"type": "object", "properties": {"a": {"type": "string"}, "old": {}}});
        let wanted = json!({"type": "object", "properties": {"a": {"type": "integer"}, "new": {}}});
        differences("", &found, &wanted, &mut places);
        assert_eq!(places, ["properties.a.type", "properties.new", "properties.old"]);
    }
}
