//! Takes out of a text what must not stand in a log.

use serde_json::Value;

/// Blanks a secret: wherever it stands if it is long, and as a word of its own if it is short.
pub(crate) fn blank_secret(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    // Error descriptions quote what was sent in this form.
    let escaped = secret.escape_default().to_string();
    let text = blank_all(text, secret);
    if escaped == secret {
        return text;
    }
    blank_all(&text, &escaped)
}

/// Blanks every compact JWS, of any issuer, and every word that `is_token` knows.
pub(crate) fn blank_tokens(text: &str, is_token: impl Fn(&str) -> bool) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_token_char) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|char| !is_token_char(char));
        let (run, after) = from.split_at(end.unwrap_or(from.len()));
        blanked.push_str(before);
        blanked.push_str(&blank_run(run, &is_token));
        rest = after;
    }
    blanked.push_str(rest);
    blanked
}

/// Every text inside a value, redacted; the names of members are our own.
pub(crate) fn redact_value(value: Value, redact: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => redact(&text).into(),
        Value::Array(items) => items
            .into_iter()
            .map(|item| redact_value(item, redact))
            .collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, redact_value(value, redact)))
            .collect(),
        other => other,
    }
}

/// Blanks the tokens in a run of the characters that tokens are made of.
fn blank_run(run: &str, is_token: &impl Fn(&str) -> bool) -> String {
    if let Some(start) = run.find(JWS_START) {
        let (before, from) = run.split_at(start);
        if from.matches('.').count() >= 2 {
            return format!("{before}{REDACTED}");
        }
    }
    let words = run
        .split('.')
        .map(|word| if is_token(word) { REDACTED } else { word });
    words.collect::<Vec<_>>().join(".")
}

fn blank_all(text: &str, secret: &str) -> String {
    if secret.len() >= SHORTEST_SECRET {
        return text.replace(secret, REDACTED);
    }
    let mut blanked = String::with_capacity(text.len());
    let mut done = 0;
    for (start, _) in text.match_indices(secret) {
        let end = start + secret.len();
        let is_word =
            !text[..start].ends_with(is_word_char) && !text[end..].starts_with(is_word_char);
        if is_word {
            blanked.push_str(&text[done..start]);
            blanked.push_str(REDACTED);
            done = end;
        }
    }
    blanked.push_str(&text[done..]);
    blanked
}

/// Base64url, and the dots between the parts of a JWS.
fn is_token_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.')
}

/// What ids, audiences and scopes are made of; a colon separates the halves of HTTP Basic.
fn is_word_char(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '-' | '_' | '.')
}

const REDACTED: &str = "[redacted]";

/// A shorter secret is a word that a test chose: looking for it inside of other words would garble
/// the logs.
const SHORTEST_SECRET: usize = 8;

/// `{"` in base64url, followed by a letter: how the header of every JWS starts.
const JWS_START: &str = "eyJ";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_secret_is_blanked_inside_of_words() {
        let blanked = blank_secret("app-sample-secret-x", "sample-secret");
        assert_eq!(blanked, "app-[redacted]-x");
    }

    #[test]
    fn a_short_secret_is_blanked_as_a_word_only() {
        let rows = [
            ("abc", "[redacted]"),
            (
                "app:abc /abc/ `abc`",
                "app:[redacted] /[redacted]/ `[redacted]`",
            ),
            ("abc abc", "[redacted] [redacted]"),
            (
                "abcd xabc api.abc abc-1 äabc",
                "abcd xabc api.abc abc-1 äabc",
            ),
            ("", ""),
        ];
        for (text, expected) in rows {
            assert_eq!(blank_secret(text, "abc"), expected, "{text}");
        }
        assert_eq!(blank_secret("text", ""), "text");
    }

    #[test]
    fn an_escaped_secret_is_blanked() {
        for secret in ["pass\"word", "p\"w", "größe"] {
            let text = format!("no grant `{}` here", secret.escape_default());
            assert_eq!(blank_secret(&text, secret), "no grant `[redacted]` here");
        }
    }

    #[test]
    fn every_text_that_looks_like_a_jws_is_blanked() {
        let rows = [
            ("eyJh.eyJi.c-_", "[redacted]"),
            ("Bearer eyJh.eyJi.c, x", "Bearer [redacted], x"),
            ("token_eyJh.b.c", "token_[redacted]"),
            ("eyJh.b.c.d.e", "[redacted]"),
            (
                "eyJh.b api.health.example curl/8.5.0",
                "eyJh.b api.health.example curl/8.5.0",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(blank_tokens(text, |_| false), expected, "{text}");
        }
    }

    #[test]
    fn a_known_token_is_blanked_as_a_word() {
        let blanked = blank_tokens("ä Bearer abc-_1, abc", |word| word == "abc-_1");
        assert_eq!(blanked, "ä Bearer [redacted], abc");
    }

    #[test]
    fn values_are_redacted_at_every_depth() {
        let value = json!({ "a": ["x", { "x": "x" }], "n": 1 });
        let redacted = redact_value(value, &|text| text.replace('x', "-"));
        assert_eq!(redacted, json!({ "a": ["-", { "x": "-" }], "n": 1 }));
    }
}
