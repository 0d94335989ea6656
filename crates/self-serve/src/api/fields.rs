//! What a body says: a form, as browsers and the original's users send it (in either of its two ways), or a JSON object.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use buildhub_core::web::header::CONTENT_TYPE;
use buildhub_core::web::{Method, Request, multipart};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::fault::Fault;
use crate::action::{COUNT_MAX, PRIORITY_MAX};

/// The most properties that a build may be given.
const PROPERTIES_MAX: usize = 64;
/// The most bytes of one property, name and value together.
const PROPERTY_MAX: usize = 4096;
/// The most files that may count as changed.
const FILES_MAX: usize = 500;
/// The most bytes of a file's name.
const FILE_MAX: usize = 1024;

/// By which a form, that can only `POST`, says what it means.
const METHOD: &str = "_method";

/// The fields of a body by name. None is given twice: of two, nobody knows which one counts.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some((name, value)) = map.next_entry()? {
                    fields.add(name, value).map_err(A::Error::custom)?;
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A field that is given twice.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is given twice")]
struct Twice(String);

impl Fields {
    /// The fields of a request's body. None where there is no body.
    pub(super) fn of(request: &Request) -> Result<Self, Fault> {
        if request.body.is_empty() {
            return Ok(Self::default());
        }
        let kind = request.header(&CONTENT_TYPE).unwrap_or_default();
        let bad = |error: &dyn fmt::Display| Fault::bad(format!("Bad body: {error}"));
        match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/json" => serde_json::from_slice(&request.body)
                .map_err(|error| Fault::bad(format!("Bad body: it is no JSON object ({error})"))),
            // A body without a type is a form, as curl's users who say nothing mean it.
            "application/x-www-form-urlencoded" | "" => {
                Self::named(form_urlencoded::parse(&request.body).into_owned()).map_err(|error| bad(&error))
            }
            "multipart/form-data" => {
                let pairs = multipart::fields(kind, &request.body).map_err(|error| bad(&error))?;
                Self::named(pairs).map_err(|error| bad(&error))
            }
            _ => Err(bad(&"it is application/x-www-form-urlencoded, multipart/form-data or application/json")),
        }
    }

    fn named(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Twice> {
        let mut fields = Self::default();
        for (name, value) in pairs {
            fields.add(name, Value::String(value))?;
        }
        Ok(fields)
    }

    fn add(&mut self, name: String, value: Value) -> Result<(), Twice> {
        match self.0.entry(name) {
            Entry::Vacant(place) => {
                place.insert(value);
                Ok(())
            }
            Entry::Occupied(place) => Err(Twice(place.key().chars().take(64).collect())),
        }
    }

    /// The method that a form means, where it says one.
    pub(super) fn method(&self) -> Result<Option<Method>, Fault> {
        let Some(said) = self.0.get(METHOD) else { return Ok(None) };
        let meant = [Method::PUT, Method::DELETE, Method::POST]
            .into_iter()
            .find(|method| said.as_str().is_some_and(|text| text.eq_ignore_ascii_case(method.as_str())));
        meant.map(Some).ok_or_else(|| Fault::bad("Bad _method: it is put, delete or post"))
    }

    /// A whole number, in JSON or as text.
    fn number(&self, name: &str) -> Result<Option<i64>, Fault> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(value) => value.as_i64(),
        };
        number.map(Some).ok_or_else(|| Fault::bad(format!("Bad {name}: it is a whole number")))
    }

    /// A number of a request or a build.
    pub(super) fn id(&self, name: &str) -> Result<u64, Fault> {
        let id = self.number(name)?.and_then(|number| u64::try_from(number).ok());
        id.ok_or_else(|| Fault::bad(format!("Bad {name}: it is a whole number, and must be given")))
    }

    /// The priority, if it is given.
    pub(super) fn given_priority(&self) -> Result<Option<i64>, Fault> {
        match self.number("priority")? {
            Some(priority) if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&priority) => {
                Err(Fault::bad(format!("Bad priority: it is from -{PRIORITY_MAX} to {PRIORITY_MAX}")))
            }
            priority => Ok(priority),
        }
    }

    /// The priority; 0 where none is given.
    pub(super) fn priority(&self) -> Result<i64, Fault> {
        Ok(self.given_priority()?.unwrap_or(0))
    }

    /// How often; once where nothing is said.
    pub(super) fn count(&self) -> Result<u32, Fault> {
        let count = u32::try_from(self.number("count")?.unwrap_or(1)).ok();
        count
            .filter(|count| (1..=COUNT_MAX).contains(count))
            .ok_or_else(|| Fault::bad(format!("Bad count: it is from 1 to {COUNT_MAX}")))
    }

    /// A field that is JSON, itself or as text; `None` where it is not there, or is empty.
    fn json(&self, name: &str, what: &str) -> Result<Option<Value>, Fault> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => {
                serde_json::from_str(text).map(Some).map_err(|_| Fault::bad(format!("Bad {name}: it is {what}")))
            }
            Some(value) => Ok(Some(value.clone())),
        }
    }

    /// Properties of a build.
    pub(super) fn properties(&self) -> Result<Map<String, Value>, Fault> {
        let what = format!("a JSON object of at most {PROPERTIES_MAX} properties, of {PROPERTY_MAX} bytes each");
        let is_short =
            |(name, value): (&String, &Value)| !name.is_empty() && name.len() + value.to_string().len() <= PROPERTY_MAX;
        match self.json("properties", &what)? {
            None => Ok(Map::new()),
            Some(Value::Object(map)) if map.len() <= PROPERTIES_MAX && map.iter().all(is_short) => Ok(map),
            Some(_) => Err(Fault::bad(format!("Bad properties: it is {what}"))),
        }
    }

    /// Names of files.
    pub(super) fn files(&self) -> Result<Vec<String>, Fault> {
        let what = format!("a JSON list of at most {FILES_MAX} names, of {FILE_MAX} bytes each");
        let wrong = || Fault::bad(format!("Bad files: it is {what}"));
        let Some(value) = self.json("files", &what)? else { return Ok(Vec::new()) };
        let files: Vec<String> = serde_json::from_value(value).map_err(|_| wrong())?;
        let is_name = |name: &String| (1..=FILE_MAX).contains(&name.len()) && !name.contains(char::is_control);
        if files.len() <= FILES_MAX && files.iter().all(is_name) { Ok(files) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use buildhub_core::web::HeaderValue;
    use serde_json::json;

    use super::*;

    fn fields(kind: &'static str, body: &str) -> Result<Fields, Fault> {
        let mut request = Request::get("/");
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        request.body = body.to_owned().into();
        Fields::of(&request)
    }

    fn form(body: &str) -> Fields {
        fields("application/x-www-form-urlencoded; charset=utf-8", body).unwrap()
    }

    #[test]
    fn a_form_and_a_json_object_say_the_same() {
        let json = fields("application/json", r#"{"build_id":5,"priority":-3,"count":"2","files":["a"]}"#).unwrap();
        let form = form("build_id=5&priority=-3&count=2&files=%5B%22a%22%5D");
        let parts = [("build_id", "5"), ("priority", "-3"), ("count", "2"), ("files", "[\"a\"]")];
        let part = |(name, value)| format!("--z\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n");
        let parts = fields("multipart/form-data; boundary=z", &(parts.map(part).concat() + "--z--")).unwrap();
        for fields in [json, form, parts] {
            let said = (fields.id("build_id").unwrap(), fields.priority().unwrap(), fields.count().unwrap());
            assert_eq!(said, (5, -3, 2));
            assert_eq!((fields.files().unwrap(), fields.properties().unwrap()), (vec!["a".to_owned()], Map::new()));
        }
        let nothing = form_of_nothing();
        assert_eq!((nothing.priority().unwrap(), nothing.count().unwrap()), (0, 1));
        assert_eq!(nothing.given_priority().unwrap(), None);
    }

    fn form_of_nothing() -> Fields {
        Fields::of(&Request::get("/")).unwrap()
    }

    #[test]
    fn what_is_no_number_or_out_of_bounds_is_refused_by_its_name() {
        let message = |fault: Fault| fault.to_string();
        for wrong in [
            "priority=high",
            "priority=-9223372036854775808",
            "priority=101",
            "priority=-101",
            "priority=1.5",
            "priority=",
        ] {
            assert!(message(form(wrong).priority().unwrap_err()).starts_with("Bad priority"), "{wrong}");
        }
        for wrong in ["count=0", "count=-1", "count=21", "count=x", "count=99999999999999"] {
            assert!(message(form(wrong).count().unwrap_err()).starts_with("Bad count"), "{wrong}");
        }
        for wrong in ["", "build_id=", "build_id=-1", "build_id=x", "build_id=99999999999999999999"] {
            assert!(message(form(wrong).id("build_id").unwrap_err()).starts_with("Bad build_id"), "{wrong}");
        }
        for wrong in ["properties=x", "properties=[]", "properties={\"\":1}"] {
            assert!(message(form(wrong).properties().unwrap_err()).starts_with("Bad properties"), "{wrong}");
        }
        let many: Map<String, Value> = (0..65).map(|n| (n.to_string(), json!(n))).collect();
        let many = fields("application/json", &json!({ "properties": many }).to_string()).unwrap();
        assert!(many.properties().is_err());
        for wrong in ["files=x", "files={}", "files=[1]", "files=[\"\"]", "files=[\"a%5Cnb\"]"] {
            assert!(message(form(wrong).files().unwrap_err()).starts_with("Bad files"), "{wrong}");
        }
        assert!(fields("application/json", "[]").is_err() && fields("text/xml", "<a/>").is_err());
        let said = message(fields("multipart/form-data", "build_id=5").unwrap_err());
        assert_eq!(said, "Bad body: its type names no boundary");
    }

    #[test]
    fn what_is_said_twice_is_not_said() {
        for (kind, body) in [
            ("application/x-www-form-urlencoded", "priority=5&x=1&priority=5"),
            ("application/json", r#"{"priority":5,"priority":7}"#),
            (
                "multipart/form-data; boundary=z",
                "--z\r\nContent-Disposition: form-data; name=priority\r\n\r\n5\r\n\
                 --z\r\nContent-Disposition: form-data; name=priority\r\n\r\n7\r\n--z--",
            ),
        ] {
            let said = fields(kind, body).unwrap_err().to_string();
            assert!(said.starts_with("Bad body: ") && said.contains("\"priority\" is given twice"), "{said}");
        }
    }

    #[test]
    fn a_form_means_one_of_three_methods_and_says_so_in_any_case_of_letters() {
        let method = |body: &str| form(body).method().map_err(|fault| fault.to_string());
        assert_eq!(method("priority=5"), Ok(None));
        for (said, meant) in
            [("put", Method::PUT), ("DELETE", Method::DELETE), ("Delete", Method::DELETE), ("post", Method::POST)]
        {
            assert_eq!(method(&format!("_method={said}")), Ok(Some(meant)), "{said}");
        }
        for wrong in ["", "get", "head", "patch", "options", "put ", "put,delete", "x"] {
            let said = method(&format!("_method={wrong}")).unwrap_err();
            assert_eq!(said, "Bad _method: it is put, delete or post", "{wrong}");
        }
        assert!(fields("application/json", r#"{"_method":["put"]}"#).unwrap().method().is_err());
        assert_eq!(method("_METHOD=put&method=put"), Ok(None), "another field is another");
    }
}
