//! What the body of a refusal says.

use serde_json::Value;

use super::bounds::{LARGEST, names};

/// What a body says; nothing by default.
#[derive(Clone, Default)]
pub(super) struct Said {
    pub(super) error: Option<String>,
    pub(super) required: Vec<String>,
}

/// Reads `{error, required}`, and the envelope with `details`.
pub(super) fn read(body: &[u8]) -> Said {
    if body.len() > LARGEST {
        return Said::default();
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Said::default();
    };
    // Some write `{"error": {"code": ..}}`.
    let error = match members.get("error") {
        Some(Value::Object(inner)) => inner.get("code"),
        other => other,
    };
    let in_details = || members.get("details")?.get("required");
    Said {
        error: error.and_then(Value::as_str).map(str::to_owned),
        required: members
            .get("required")
            .or_else(in_details)
            .map_or_else(Vec::new, required),
    }
}

/// One scope, several in one text, or a list.
fn required(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => names(text).map(str::to_owned).collect(),
        Value::Array(list) => {
            let texts = list.iter().filter_map(Value::as_str);
            texts.flat_map(names).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
