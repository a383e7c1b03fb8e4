//! Reads a JSON object field by field, so that every complaint names the field.

use std::time::Duration;

use serde_json::{Map, Value};

use super::answer::Rejection;

/// The object in a request's body.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads an object that has none but these fields. An empty body is an empty object.
    pub(super) fn read(body: &[u8], known: &[&str]) -> Result<Self, Rejection> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        let value = serde_json::from_slice(body)
            .map_err(|error| Rejection::malformed(format!("the body is not JSON: {error}")))?;
        let Value::Object(object) = value else {
            return Err(Rejection::malformed("the body must be a JSON object"));
        };
        match object.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(Self(object)),
            Some(unknown) => {
                let message = format!("there is no such field; known are {}", known.join(", "));
                Err(Rejection::invalid(unknown, message))
            }
        }
    }

    pub(super) fn string(&self, field: &str) -> Result<Option<String>, Rejection> {
        self.get(field, "must be a string", |value| {
            value.as_str().map(str::to_owned)
        })
    }

    pub(super) fn boolean(&self, field: &str) -> Result<Option<bool>, Rejection> {
        self.get(field, "must be true or false", Value::as_bool)
    }

    pub(super) fn seconds(&self, field: &str) -> Result<Option<Duration>, Rejection> {
        self.get(field, "must be a whole number of seconds", |value| {
            value.as_u64().map(Duration::from_secs)
        })
    }

    pub(super) fn strings(&self, field: &str) -> Result<Option<Vec<String>>, Rejection> {
        self.get(field, "must be an array of strings", |value| {
            let items = value.as_array()?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect()
        })
    }

    /// Whether the field is there and `null`.
    pub(super) fn is_null(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(Value::is_null)
    }

    pub(super) fn get<T>(
        &self,
        field: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Rejection> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match read(value) {
                Some(read) => Ok(Some(read)),
                None => Err(Rejection::invalid(field, expected)),
            },
        }
    }
}

/// What `Option::ok_or` is for a field that must be there.
pub(super) fn required<T>(field: &str, value: Option<T>) -> Result<T, Rejection> {
    value.ok_or_else(|| Rejection::invalid(field, "is missing"))
}
