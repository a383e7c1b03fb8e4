//! The answer to a device authorization request (RFC 8628 section 3.2), as servers write it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{LIFETIME_MAX, lifetime, object, refusal, without_object};
use crate::{
    endpoint::{DeviceAuthorization, transport::Answer},
    error::{Asked, Error, Violation},
    secret::Secret,
    time::Moment,
};

/// Reads a usable answer, and turns every other into the error it stands for.
///
/// Tolerated: any success status, any content type, numbers as text or with a fraction, the
/// `verification_url` of servers older than the RFC, the platform's success envelope, unknown
/// members.
pub(in crate::endpoint) fn device_authorization(
    answer: &Answer,
    asked: &Asked,
    requested_at: Moment,
) -> Result<DeviceAuthorization, Error> {
    let Some(mut members) = object(answer) else {
        return Err(without_object(answer, asked));
    };
    let is_answer = members.contains_key("device_code") || members.contains_key("error");
    if !is_answer && let Some(Value::Object(data)) = members.get_mut("data") {
        members = std::mem::take(data);
    }
    if !answer.status.is_success() || !members.contains_key("device_code") {
        return Err(refusal(answer, &members, asked));
    }
    read(&members, requested_at).map_err(|problem| unusable(asked, problem))
}

/// An answer that cannot be used as it is.
pub(in crate::endpoint) fn unusable(asked: &Asked, problem: impl Into<String>) -> Error {
    Error::protocol(Some(asked), Violation::Reply(problem.into()))
}

fn read(members: &Map<String, Value>, requested_at: Moment) -> Result<DeviceAuthorization, String> {
    let text = |name: &str| {
        members
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let shown = |name: &str| text(name).filter(|text| is_plain(text));
    let device_code = text("device_code").ok_or("its device code is not a string")?;
    let user_code = shown("user_code").ok_or("its user code cannot be shown")?;
    let verification_uri = shown("verification_uri")
        .or_else(|| shown("verification_url"))
        .ok_or("its verification_uri cannot be shown")?;
    let complete =
        shown("verification_uri_complete").or_else(|| shown("verification_url_complete"));
    let expires_in = lifetime(members.get("expires_in"))?.unwrap_or(LIFETIME);
    Ok(DeviceAuthorization {
        device_code: Secret::from(device_code),
        user_code: Secret::from(user_code),
        verification_uri: verification_uri.to_owned(),
        verification_uri_complete: complete.map(Secret::from),
        expires_in,
        until: requested_at.plus(expires_in),
        interval: interval(members.get("interval")),
    })
}

/// Whether a terminal only shows it: a control character could make it do something else.
fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Reads `interval`: a number of seconds, also as text or with a fraction.
///
/// What is missing or cannot be read is 5 s (RFC 8628 section 3.2): nothing depends on it but how soon
/// the answer is noticed.
fn interval(value: Option<&Value>) -> Duration {
    let seconds: Option<f64> = match value {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    seconds
        .filter(|seconds| seconds.is_finite())
        .map(|seconds| seconds.min(LIFETIME_MAX.as_secs_f64()))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(INTERVAL)
}

/// RFC 8628 section 3.2: "If no value is provided, clients MUST use 5 as the default."
const INTERVAL: Duration = Duration::from_secs(5);

/// How long a code is used that does not say how long it lives: 10 min.
///
/// RFC 8628 section 3.2 requires `expires_in`, so this is for servers that forget it. Most that say
/// something say 5 to 30 min; a person who needs longer has gone away, and a code that ends
/// earlier is called `expired_token` by its issuer.
const LIFETIME: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;
    use crate::scope::Scopes;

    fn read(status: u16, body: &str) -> Result<DeviceAuthorization, Error> {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
            retry_after: None,
        };
        let asked = Asked {
            audience: "api".into(),
            scopes: Scopes::none(),
        };
        device_authorization(&answer, &asked, Moment::START)
    }

    fn with(name: &str, value: Value) -> Value {
        let mut body = json!({
            "device_code": "d", "user_code": "u", "verification_uri": "https://a.example/device",
            "expires_in": 600, "interval": 5,
        });
        body[name] = value;
        body
    }

    #[test]
    fn numbers_are_read_in_every_form_that_servers_use() {
        let pace = |value: Value| {
            let body = with("interval", value).to_string();
            read(200, &body).unwrap().interval
        };
        assert_eq!(pace(json!(7)), Duration::from_secs(7));
        assert_eq!(pace(json!("7")), Duration::from_secs(7));
        assert_eq!(pace(json!(0.5)), Duration::from_millis(500));
        assert_eq!(pace(json!(0)), Duration::ZERO);
        assert_eq!(pace(json!(1e12)), LIFETIME_MAX);
        for unreadable in [
            json!(null),
            json!("soon"),
            json!(-1),
            json!("NaN"),
            json!("inf"),
            json!([]),
        ] {
            assert_eq!(pace(unreadable), Duration::from_secs(5));
        }
        let life = |value: Value| {
            let read = read(200, &with("expires_in", value).to_string());
            read.map(|codes| codes.expires_in.as_secs())
        };
        assert_eq!(life(json!("1800")).unwrap(), 1800);
        assert_eq!(life(json!(1800.9)).unwrap(), 1800);
        assert_eq!(life(json!(null)).unwrap(), 600);
        assert_eq!(life(json!(0)).unwrap_err().kind(), "protocol");
    }

    #[test]
    fn older_names_and_envelopes_are_read() {
        let mut older = with("verification_url", json!("https://a.example/old"));
        older.as_object_mut().unwrap().remove("verification_uri");
        for body in [older.clone(), json!({"data": older, "meta": {}})] {
            let codes = read(201, &body.to_string()).unwrap();
            assert_eq!(codes.verification_uri, "https://a.example/old");
            assert_eq!(codes.device_code.expose(), "d");
        }
    }

    #[test]
    fn what_cannot_be_shown_or_polled_with_is_refused() {
        for (name, value) in [
            ("device_code", json!("")),
            ("device_code", json!(7)),
            ("user_code", json!(null)),
            ("user_code", json!("\u{1b}[2J")),
            ("verification_uri", json!("https://a.example/\u{7}")),
            ("verification_uri", json!(null)),
        ] {
            let error = read(200, &with(name, value).to_string()).unwrap_err();
            assert_eq!(error.kind(), "protocol", "{name}: {error}");
        }
        let odd = json!("https://a.example/\u{1b}");
        let codes = read(200, &with("verification_uri_complete", odd).to_string()).unwrap();
        assert!(
            codes.verification_uri_complete.is_none(),
            "one can do without"
        );
    }

    #[test]
    fn refusals_go_through_the_one_table() {
        for (status, body, kind) in [
            (401, r#"{"error":"invalid_client"}"#, "denied"),
            (400, r#"{"error":"invalid_scope"}"#, "denied"),
            (200, r#"{"error":"unauthorized_client"}"#, "denied"),
            (200, "{}", "protocol"),
            (200, "<html>", "unavailable"),
            (500, "<html>", "unavailable"),
            (429, "", "unavailable"),
            (404, "", "protocol"),
        ] {
            let error = read(status, body).unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {body}");
        }
    }

    #[test]
    fn no_code_shows_itself() {
        let mut body = with("device_code", json!("hush-device"));
        body["user_code"] = json!("HUSH-USER");
        body["verification_uri_complete"] = json!("https://a.example/device?code=HUSH-USER");
        let codes = read(200, &body.to_string()).unwrap();
        let shown = format!("{codes:?} {codes:#?}").to_lowercase();
        assert!(!shown.contains("hush"), "{shown}");
    }
}
