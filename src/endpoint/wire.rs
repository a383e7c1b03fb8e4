//! What servers answer, as they answer it: the only place that knows the shapes.

mod device;

use std::{fmt, time::Duration};

pub(super) use device::{device_authorization, unusable};
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use oauth2::{
    ExtraTokenFields, HttpResponse, StandardTokenResponse, TokenResponse as _,
    basic::BasicTokenType,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{TokenReply, transport::Answer};
use crate::{
    error::{Asked, Error, IssuerAnswer, Refusal, Unavailable, UnavailableReason, Violation},
    scope::Scopes,
    secret::Secret,
    time::Moment,
};

/// A usable answer of the token endpoint.
pub(super) type Reply = StandardTokenResponse<IdToken, BasicTokenType>;

/// What OpenID Connect adds to it (OpenID Connect Core section 3.1.3.3).
#[derive(Deserialize, Serialize)]
pub(super) struct IdToken {
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdToken(hidden)")
    }
}

/// A token endpoint's answer is never larger than this (in bytes).
pub(super) const TOKEN_LIMIT: usize = 64 * 1024;

/// Turns a usable answer into what `oauth2` accepts, and every other into the error it stands for.
///
/// Tolerated: any success status, any content type, `token_type` in any case or missing, a lifetime
/// as number, text or float, the platform's success envelope, unknown members.
pub(super) fn normalise(answer: &Answer, asked: &Asked) -> Result<HttpResponse, Error> {
    let status = answer.status;
    let Some(mut members) = object(answer) else {
        return Err(without_object(answer, asked));
    };
    let is_answer = members.contains_key("access_token") || members.contains_key("error");
    if !is_answer && let Some(Value::Object(data)) = members.get_mut("data") {
        // The platform says that every JSON answer has this envelope; its own samples have not.
        members = std::mem::take(data);
    }
    if !status.is_success() || !members.contains_key("access_token") {
        return Err(refusal(answer, &members, asked));
    }
    let body = usable_members(&members)
        .map_err(|problem| Error::protocol(Some(asked), Violation::Reply(problem)))?;
    let mut response = Response::new(Value::Object(body).to_string().into_bytes());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The members that `oauth2` reads, each in the one form that it takes; else what is wrong.
fn usable_members(members: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let text = |name: &str| {
        members
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let access_token = text("access_token").ok_or("its access token is not a string")?;
    // RFC 6749 section 7.1: a client must not use a token whose type it does not know.
    let is_bearer = match members.get("token_type") {
        None | Some(Value::Null) => true,
        Some(named) => named
            .as_str()
            .is_some_and(|name| name.eq_ignore_ascii_case("bearer")),
    };
    if !is_bearer {
        return Err("its token type is not Bearer".to_owned());
    }
    let mut usable = Map::new();
    let mut keep = |name: &str, value: Value| usable.insert(name.to_owned(), value);
    keep("access_token", access_token.into());
    keep("token_type", "bearer".into());
    if let Some(lifetime) = lifetime(members.get("expires_in"))? {
        keep("expires_in", lifetime.as_secs().into());
    }
    if let Some(scope) = scope(members.get("scope"))? {
        keep("scope", scope.into());
    }
    if let Some(refresh_token) = text("refresh_token") {
        keep("refresh_token", refresh_token.into());
    }
    if let Some(id_token) = text("id_token") {
        keep("id_token", id_token.into());
    }
    Ok(usable)
}

/// Reads `scope`: text (RFC 6749 section 3.3), or an array of texts as some servers send it. Anything
/// else is an error, since a grant that cannot be read must not count as a full one.
fn scope(value: Option<&Value>) -> Result<Option<String>, &'static str> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            Ok(Some(names.ok_or("its scope is not a string")?.join(" ")))
        }
        Some(_) => Err("its scope is not a string"),
    }
}

/// The refresh token in a successful answer, whatever else is wrong with that.
pub(super) fn refresh_token(answer: &Answer) -> Option<Secret> {
    let members = object(answer).filter(|_| answer.status.is_success())?;
    let data = members.get("data").and_then(Value::as_object);
    let text = |members: &Map<String, Value>| {
        let text = members.get("refresh_token")?.as_str()?;
        (!text.is_empty()).then(|| Secret::from(text))
    };
    text(&members).or_else(|| text(data?))
}

/// Reads what [`normalise`] wrote.
pub(super) fn read_normalised(body: &[u8], asked: &Asked) -> Result<Reply, Error> {
    serde_json::from_slice(body).map_err(|_unshown| {
        Error::protocol(
            Some(asked),
            Violation::Reply("it is no token reply".to_owned()),
        )
    })
}

/// What the rooms above see of a reply.
pub(super) fn token_reply(reply: &Reply, requested_at: Moment) -> TokenReply {
    let scopes = reply.scopes().map(|scopes| {
        let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        Scopes::from_reply(&names.join(" "))
    });
    TokenReply {
        access_token: Secret::from(reply.access_token().secret().as_str()),
        lifetime: reply.expires_in(),
        scopes,
        refresh_token: reply
            .refresh_token()
            .map(|token| Secret::from(token.secret().as_str())),
        id_token: reply.extra_fields().id_token.as_deref().map(Secret::from),
        requested_at,
    }
}

/// The body as a JSON object, whatever its content type says.
fn object(answer: &Answer) -> Option<Map<String, Value>> {
    serde_json::from_slice(&answer.body).ok()
}

/// Reads `expires_in`: a number of seconds, also as text or with a fraction; nothing if absent.
///
/// The token would be unusable with zero or less. A life is cut to a day (24 h), whatever is claimed.
fn lifetime(value: Option<&Value>) -> Result<Option<Duration>, String> {
    let seconds = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    match seconds {
        None => Err("its expires_in is no number".to_owned()),
        Some(seconds) if !seconds.is_finite() => Err("its expires_in is no number".to_owned()),
        // RFC 6749 section 5.1 counts whole seconds; less than one is nothing.
        Some(seconds) if seconds < 1.0 => Err("its expires_in is zero or less".to_owned()),
        Some(seconds) => Ok(Some(Duration::from_secs_f64(
            seconds.min(LIFETIME_MAX.as_secs_f64()),
        ))),
    }
}

/// No access token is kept longer, whatever its reply claims.
pub(crate) const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// An error object: RFC 6749 section 5.2, RFC 9457, or the platform's envelope.
fn refusal(answer: &Answer, members: &Map<String, Value>, asked: &Asked) -> Error {
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    // RFC 9457 problems have no code; some servers put one into the tail of `type`.
    let problem_type = || {
        text("type")?
            .rsplit(['/', '#', ':'])
            .next()
            .map(str::to_owned)
    };
    let code = text("error").or_else(|| text("code")).or_else(problem_type);
    let description = text("error_description")
        .or_else(|| text("message"))
        .or_else(|| text("detail"));
    let wait_in_body = || {
        let seconds = members.get("details")?.get("retry_after_s")?.as_f64()?;
        Duration::try_from_secs_f64(seconds.min(3600.0)).ok()
    };
    let refused = Refusal {
        named_scopes: text("scope")
            .map(|text| Scopes::from_reply(&text))
            .unwrap_or_default(),
        retry_after: answer.retry_after.or_else(wait_in_body),
    };
    let shown = IssuerAnswer::new(answer.status.as_u16())
        .with_code(code)
        .with_description(description)
        .with_request_id(text("request_id"));
    Error::from_answer(asked, shown, refused)
}

/// An answer whose status says all, where it is a good one.
pub(super) fn acknowledgement(answer: &Answer, asked: &Asked) -> Result<(), Error> {
    if answer.status.is_success() {
        return Ok(());
    }
    Err(match object(answer) {
        Some(members) => refusal(answer, &members, asked),
        None => without_object(answer, asked),
    })
}

/// A body that is no JSON object: empty, a page, torn, or an array.
fn without_object(answer: &Answer, asked: &Asked) -> Error {
    let shown = IssuerAnswer::new(answer.status.as_u16());
    if answer.status.is_success() {
        let reason = UnavailableReason::UnusableBody;
        return Error::Unavailable(Unavailable::answered(reason, answer.retry_after, shown));
    }
    let refused = Refusal {
        retry_after: answer.retry_after,
        ..Refusal::default()
    };
    Error::from_answer(asked, shown, refused)
}

impl Answer {
    /// The error of an answer that asks for patience; nothing for any other.
    pub(super) fn try_later(&self) -> Option<Error> {
        let reason = match self.status.as_u16() {
            429 => UnavailableReason::RateLimited,
            408 | 425 | 500.. => UnavailableReason::Issuer,
            _ => return None,
        };
        let shown = IssuerAnswer::new(self.status.as_u16());
        Some(Error::Unavailable(Unavailable::answered(
            reason,
            self.retry_after,
            shown,
        )))
    }

    /// The JSON object of a successful answer; else what to say about it.
    pub(super) fn success_object(&self) -> Result<Map<String, Value>, String> {
        match self.status {
            StatusCode::OK => object(self).ok_or_else(|| "no JSON object".to_owned()),
            status => Err(format!("status {}", status.as_u16())),
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn asked() -> Asked {
        Asked {
            audience: "api".into(),
            scopes: "read write".parse().unwrap(),
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
            retry_after: None,
        }
    }

    fn reply(status: u16, body: &str) -> Result<Reply, Error> {
        let response = normalise(&answer(status, body), &asked())?;
        read_normalised(response.body(), &asked())
    }

    #[test]
    fn a_plain_reply_is_read() {
        let reply = reply(
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":60,"scope":"read"}"#,
        )
        .unwrap();
        assert_eq!(reply.access_token().secret(), "t");
        assert_eq!(reply.expires_in(), Some(Duration::from_secs(60)));
        assert_eq!(reply.scopes().unwrap()[0].as_str(), "read");
    }

    #[test]
    fn tolerated_shapes_are_read_as_well() {
        for (status, body) in [
            (201, r#"{"access_token":"t","token_type":"BEARER"}"#),
            (200, r#"{"access_token":"t"}"#),
            (
                200,
                r#"{"access_token":"t","token_type":"bearer","extra":{"a":[1]}}"#,
            ),
            (
                200,
                r#"{"data":{"access_token":"t","token_type":"Bearer"},"meta":{}}"#,
            ),
            (200, r#"{"access_token":"t","data":{"more":1}}"#),
        ] {
            assert_eq!(
                reply(status, body).unwrap().access_token().secret(),
                "t",
                "{body}"
            );
        }
    }

    #[test]
    fn a_grant_is_read_as_text_and_as_an_array() {
        for scope in [r#""read write""#, r#"["read","write"]"#] {
            let body = format!(r#"{{"access_token":"t","scope":{scope}}}"#);
            let reply = reply(200, &body).unwrap();
            let scopes: Vec<&str> = reply.scopes().unwrap().iter().map(|s| s.as_str()).collect();
            assert_eq!(scopes, ["read", "write"]);
        }
    }

    #[test]
    fn lifetimes_are_read_in_every_form_that_servers_use() {
        let read = |text: &str| {
            let body = format!(r#"{{"access_token":"t","expires_in":{text}}}"#);
            reply(200, &body).map(|reply| reply.expires_in().map(|d| d.as_secs()))
        };
        assert_eq!(read("3600").unwrap(), Some(3600));
        assert_eq!(read("\"3600\"").unwrap(), Some(3600));
        assert_eq!(read("3600.9").unwrap(), Some(3600));
        assert_eq!(read("1e12").unwrap(), Some(86_400));
        assert_eq!(
            read("1e400").unwrap_err().kind(),
            "unavailable",
            "not even JSON to this reader"
        );
        assert_eq!(read("null").unwrap(), None);
        for bad in [
            "0", "-1", "0.4", "\"soon\"", "\"NaN\"", "\"inf\"", "[]", "true",
        ] {
            assert_eq!(read(bad).unwrap_err().kind(), "protocol", "{bad}");
        }
    }

    #[test]
    fn answers_that_are_no_token_are_told_apart() {
        for (status, body, kind) in [
            (200, "", "unavailable"),
            (200, "<html>portal</html>", "unavailable"),
            (200, r#"{"access_token":"t","tok"#, "unavailable"),
            (200, "[]", "unavailable"),
            (200, "{}", "protocol"),
            (200, r#"{"access_token":7}"#, "protocol"),
            (200, r#"{"access_token":"t","token_type":7}"#, "protocol"),
            (200, r#"{"access_token":"t","scope":7}"#, "protocol"),
            (
                200,
                r#"{"access_token":"t","token_type":"DPoP"}"#,
                "protocol",
            ),
            (200, r#"{"error":"consent_required"}"#, "consent"),
            (400, "", "protocol"),
            (400, "<html>", "protocol"),
            (401, "", "denied"),
            (403, "", "denied"),
            (500, "", "unavailable"),
            (502, "<html>", "unavailable"),
            (302, "", "protocol"),
            (
                400,
                r#"{"error":"invalid_scope","error_description":"x"}"#,
                "denied",
            ),
            (
                400,
                r#"{"error":"invalid_scope","message":"x","details":{},"request_id":"req_1"}"#,
                "denied",
            ),
            (
                400,
                r#"{"type":"https://x/errors/invalid_scope","title":"x","status":400}"#,
                "denied",
            ),
            (
                400,
                r#"{"type":"about:blank","title":"x","status":400}"#,
                "protocol",
            ),
            (400, r#"{"error":{"odd":1}}"#, "protocol"),
            (400, r#"{"error":"invalid_grant","data":{}}"#, "login"),
        ] {
            assert_eq!(
                reply(status, body).unwrap_err().kind(),
                kind,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn the_envelope_says_more_to_those_who_ask() {
        let body = r#"{"error":"account_locked","message":"locked","details":{"retry_after_s":90},"request_id":"req_01"}"#;
        let error = reply(403, body).unwrap_err();
        let answer = error.answer().unwrap();
        assert_eq!(answer.description(), Some("locked"));
        assert_eq!(answer.request_id(), Some("req_01"));
        let Error::Unavailable(unavailable) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(
            unavailable.issuer_retry_after(),
            Some(Duration::from_secs(90))
        );
        assert!(
            error
                .to_string()
                .ends_with("(status 403, account_locked, req_01)"),
            "{error}"
        );
    }

    #[test]
    fn no_error_shows_what_the_body_held() {
        for body in [
            r#"{"access_token":"hush","token_type":"x"}"#,
            "hush",
            r#"{"error":"hush9","a":"hush"}"#,
        ] {
            for status in [200, 400, 500] {
                let Err(error) = reply(status, body) else {
                    panic!("{body}")
                };
                let shown = format!("{error} {error:?}");
                assert!(!shown.contains("hush"), "{shown}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(status in 200_u16..600, body in ".*") {
            let _ = reply(status, &body);
        }
    }
}
