//! What the issuer answers, and what the caller is told to do: row by row, one request each.

use intelliauth::{
    DeniedReason, Error, ProtocolViolation, TokenRequest, UnavailableReason, Violation,
};
use serde_json::{Value, json};

use crate::support::{DISCOVERY_PATH, Server, TokenMock, jwt};

/// Every code that the platform documents, the status it comes with, and the caller's next move.
const CODES: &[(&str, u16, &str)] = &[
    ("invalid_client", 401, "denied"),
    ("invalid_grant", 400, "login"),
    ("invalid_scope", 400, "denied"),
    ("unauthorized_client", 400, "denied"),
    ("invalid_redirect_uri", 400, "request"),
    ("invalid_target", 400, "denied"),
    ("consent_required", 400, "consent"),
    ("pkce_required", 400, "request"),
    ("state_mismatch", 400, "protocol"),
    ("authorization_pending", 400, "protocol"),
    ("slow_down", 400, "unavailable"),
    ("expired_token", 400, "login"),
    ("access_denied", 403, "denied"),
    ("token_expired", 401, "login"),
    ("insufficient_scope", 403, "denied"),
    ("mfa_required", 403, "step_up"),
    ("mfa_enrolment_required", 403, "step_up"),
    ("step_up_required", 401, "step_up"),
    ("captcha_required", 400, "login"),
    ("invalid_credentials", 401, "login"),
    ("account_disabled", 403, "denied"),
    ("account_locked", 403, "unavailable"),
    ("email_unverified", 403, "login"),
    ("password_must_be_reset", 403, "login"),
    ("session_expired", 401, "login"),
    ("session_revoked", 401, "login"),
    ("not_authenticated", 401, "login"),
    ("silent_auth_failed", 400, "login"),
    ("network_error", 400, "unavailable"),
    ("rate_limited", 429, "unavailable"),
    ("server_error", 500, "unavailable"),
    ("not_found", 404, "protocol"),
    ("webauthn_failed", 401, "step_up"),
    ("totp_invalid", 401, "step_up"),
    // Beyond the platform's list: RFC 6749, OpenID Connect Core, RFC 9470.
    ("invalid_request", 400, "request"),
    ("unsupported_grant_type", 400, "denied"),
    ("temporarily_unavailable", 400, "unavailable"),
    ("interaction_required", 400, "consent"),
    ("login_required", 400, "login"),
    ("account_selection_required", 400, "login"),
    ("insufficient_user_authentication", 401, "step_up"),
    // Seen on other servers.
    ("scope_invalid", 400, "denied"),
    ("invalid_code", 403, "login"),
    ("device_not_found", 404, "login"),
];

/// The shapes in which a code comes.
fn shapes(status: u16, code: &str) -> [(&'static str, String, &'static str); 5] {
    let rfc6749 = json!({"error": code, "error_description": "Text for people."});
    let envelope = json!({
        "error": code, "message": "Text for people.", "details": {}, "request_id": "req_01H",
    });
    let problem = json!({
        "type": format!("https://tenant.example/problems/{code}"),
        "title": "Text", "status": status, "detail": "Text for people.",
    });
    let with_data = json!({"error": code, "message": "Text for people.", "data": {}});
    [
        ("RFC 6749", rfc6749.to_string(), "application/json"),
        ("envelope", envelope.to_string(), "application/json"),
        ("problem", problem.to_string(), "application/problem+json"),
        ("as a page", rfc6749.to_string(), "text/html"),
        ("with data", with_data.to_string(), "application/json"),
    ]
}

/// What a request for `audience` gets, after it was asked for twice: the second costs nothing.
pub(crate) async fn refusal(server: &Server, reply: TokenMock<'_>, audience: &str) -> Error {
    reply.named(audience).expect(1).mount().await;
    let client = server.client().build().unwrap();
    let request = TokenRequest::new(audience).scope("read write");
    let first = client.get_access_token(&request).await.unwrap_err();
    let second = client.get_access_token(&request).await.unwrap_err();
    assert_eq!(first.kind(), second.kind(), "{audience}");
    assert_eq!(first.is_retryable(), first.kind() == "unavailable");
    assert!(!first.next_move().is_empty(), "{audience}");
    assert!(!first.to_string().is_empty(), "{audience}");
    first
}

fn reason(error: &Error) -> DeniedReason {
    let Error::Denied(denied) = error else {
        panic!("{error:?}")
    };
    denied.reason()
}

pub(crate) fn trouble(error: &Error) -> UnavailableReason {
    let Error::Unavailable(unavailable) = error else {
        panic!("{error:?}")
    };
    unavailable.reason()
}

pub(crate) fn violation(error: &Error) -> &Violation {
    let Error::Protocol(violation) = error else {
        panic!("{error:?}")
    };
    ProtocolViolation::violation(violation)
}

#[tokio::test]
async fn every_code_in_every_shape_leads_to_its_next_move() {
    let server = Server::start().await;
    for (code, status, kind) in CODES {
        for (shape, body, content_type) in shapes(*status, code) {
            let audience = format!("{code}, {shape}");
            let reply = server.token().audience(&audience);
            let reply = reply.raw(*status, body, content_type);
            let error = refusal(&server, reply, &audience).await;
            assert_eq!(error.kind(), *kind, "{audience}: {error:?}");
            let answer = error.answer().unwrap();
            assert_eq!(answer.status(), *status, "{audience}");
            assert_eq!(answer.code(), Some(*code), "{audience}");
            assert_eq!(answer.description(), Some("Text for people."), "{audience}");
            let id = (shape == "envelope").then_some("req_01H");
            assert_eq!(answer.request_id(), id, "{audience}");
            let text = error.to_string();
            assert!(!text.contains("Text for people"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_refusal_costs_one_round_trip() {
    let server = Server::start().await;
    server.token().refuses(400, "invalid_scope").mount().await;
    // As often as anybody would retry.
    let client = server.client().retries(5).build().unwrap();
    client.get_access_token("api").await.unwrap_err();
    assert_eq!(server.count().await, 1);
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 1);
}

#[tokio::test]
async fn a_bad_secret_is_said_in_many_ways() {
    let server = Server::start().await;
    let invalid = json!({"error": "invalid_client"}).to_string();
    for (what, status, body, challenge) in [
        ("Basic", 401, invalid.as_str(), Some("Basic realm=\"x\"")),
        ("Bearer", 401, &invalid, Some("Bearer")),
        ("no scheme", 401, &invalid, Some("realm=\"x\"")),
        ("no header", 401, &invalid, None),
        ("better-auth", 400, &invalid, None),
        ("nothing", 401, "", None),
        ("glewlwyd", 403, "", None),
        ("a page", 401, "<html>", None),
    ] {
        let mut reply = server.token().audience(what).raw(status, body, "text/html");
        if let Some(challenge) = challenge {
            reply = reply.header("www-authenticate", challenge);
        }
        let error = refusal(&server, reply, what).await;
        assert_eq!(reason(&error), DeniedReason::CredentialsRejected, "{what}");
        assert!(error.next_move().contains("secret"), "{what}");
    }
}

#[tokio::test]
async fn reasons_tell_an_administrator_what_to_change() {
    let server = Server::start().await;
    for (status, code, expected) in [
        (400, "invalid_scope", DeniedReason::ScopeNotAllowed),
        (400, "scope_invalid", DeniedReason::ScopeNotAllowed),
        (403, "insufficient_scope", DeniedReason::ScopeNotAllowed),
        (400, "invalid_target", DeniedReason::AudienceNotAllowed),
        (
            400,
            "unauthorized_client",
            DeniedReason::ApplicationNotAllowed,
        ),
        (
            400,
            "unsupported_grant_type",
            DeniedReason::ApplicationNotAllowed,
        ),
        (403, "access_denied", DeniedReason::AccessDenied),
        (403, "account_disabled", DeniedReason::AccountDisabled),
        (403, "no_such_code", DeniedReason::Unspecified),
    ] {
        let reply = server.token().audience(code).refuses(status, code);
        let error = refusal(&server, reply, code).await;
        assert_eq!(reason(&error), expected, "{code}");
        let Error::Denied(denied) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(denied.audience().as_str(), code);
        assert_eq!(denied.scopes().to_string(), "read write");
        assert_eq!(denied.missing().to_string(), "read write");
    }
}

#[tokio::test]
async fn the_scope_that_stands_in_the_way_is_named_if_the_issuer_names_it() {
    let server = Server::start().await;
    let body = json!({"error": "invalid_scope", "scope": "write"});
    let reply = server.token().json(400, body);
    let error = refusal(&server, reply, "api").await;
    let Error::Denied(denied) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(denied.missing().to_string(), "write");
    assert!(error.next_move().contains("`write`"));
}

#[tokio::test]
async fn a_missing_consent_names_the_api_and_the_scopes() {
    let server = Server::start().await;
    let reply = server.token().refuses(400, "consent_required");
    let error = refusal(&server, reply, "api").await;
    let Error::Consent(consent) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(consent.audience().as_str(), "api");
    assert_eq!(consent.missing().to_string(), "read write");
    let text = format!("{error} {}", error.next_move());
    assert!(
        text.contains("`api`") && text.contains("`read write`"),
        "{text}"
    );
}

#[tokio::test]
async fn answers_without_a_code_are_read_by_their_status() {
    let server = Server::start().await;
    for (status, kind) in [
        (301, "protocol"),
        (302, "protocol"),
        (400, "protocol"),
        (401, "denied"),
        (403, "denied"),
        (404, "protocol"),
        (405, "protocol"),
        (408, "unavailable"),
        (410, "protocol"),
        (415, "protocol"),
        (425, "unavailable"),
        (429, "unavailable"),
        (500, "unavailable"),
        (502, "unavailable"),
        (503, "unavailable"),
        (504, "unavailable"),
        (599, "unavailable"),
    ] {
        for (shape, body, content_type) in [
            ("nothing", "", "text/plain"),
            ("a page", "<html><body>no</body></html>", "text/html"),
            ("a torn object", r#"{"error":"invalid_"#, "application/json"),
            ("an array", r#"["invalid_grant"]"#, "application/json"),
            ("a text", r#""invalid_grant""#, "application/json"),
            ("an odd code", r#"{"error":{"a":1}}"#, "application/json"),
            (
                "a problem without a type",
                r#"{"type":"about:blank","title":"no"}"#,
                "application/problem+json",
            ),
        ] {
            let audience = format!("{status}, {shape}");
            let reply = server.token().audience(&audience);
            let reply = reply.raw(status, body, content_type);
            let error = refusal(&server, reply, &audience).await;
            assert_eq!(error.kind(), kind, "{audience}: {error:?}");
            assert_eq!(error.answer().unwrap().status(), status, "{audience}");
        }
    }
}

#[tokio::test]
async fn a_status_that_asks_for_patience_outweighs_the_code() {
    let server = Server::start().await;
    for (status, expected) in [
        (429, UnavailableReason::RateLimited),
        (500, UnavailableReason::Issuer),
        (503, UnavailableReason::Issuer),
    ] {
        let audience = status.to_string();
        let reply = server.token().audience(&audience);
        let reply = reply.refuses(status, "invalid_grant");
        let error = refusal(&server, reply, &audience).await;
        assert_eq!(trouble(&error), expected);
    }
}

#[tokio::test]
async fn a_grant_is_compared_with_what_was_asked_for() {
    let token = |scope: Value| {
        let claims = json!({"aud": "api", "scope": scope});
        json!({"access_token": jwt(&claims), "expires_in": 60})
    };
    let opaque = |scope: Value| json!({"access_token": "opaque", "scope": scope});
    for (what, body, missing) in [
        ("all", opaque(json!("write read more")), None),
        ("some", opaque(json!("read")), Some("write")),
        ("twice the same", opaque(json!("read read")), Some("write")),
        ("nothing named", opaque(json!("")), Some("read write")),
        ("nothing said", opaque(Value::Null), None),
        ("all, in the token", token(json!("read write")), None),
        ("some, in the token", token(json!("read")), Some("write")),
        (
            "nothing, in the token",
            token(json!("")),
            Some("read write"),
        ),
    ] {
        let server = Server::start().await;
        server.token().json(200, body).expect(1).mount().await;
        let client = server.client().build().unwrap();
        let request = TokenRequest::new("api").scope("read write");
        let outcome = client.get_access_token(request).await;
        let Some(missing) = missing else {
            let token = outcome.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(
                token.scopes_are_reported(),
                what != "nothing said",
                "{what}"
            );
            continue;
        };
        let error = outcome.unwrap_err();
        assert_eq!(reason(&error), DeniedReason::Narrowed, "{what}");
        let Error::Denied(denied) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(denied.missing().to_string(), missing, "{what}");
    }
}

#[tokio::test]
async fn a_server_that_ignores_the_audience_is_found_out_if_its_token_can_be_read() {
    let server = Server::start().await;
    let other = jwt(&json!({"aud": ["other", "userinfo"]}));
    let reply = server.token().access_token(&other);
    let error = refusal(&server, reply, "api").await;
    let Violation::WrongAudience {
        expected, found, ..
    } = violation(&error)
    else {
        panic!("{error:?}")
    };
    assert_eq!(expected.as_str(), "api");
    assert_eq!(found, &["other", "userinfo"]);
    let text = error.to_string();
    assert!(text.contains("`api`") && text.contains("other"), "{text}");

    let server = Server::start().await;
    server.token().access_token("opaque").mount().await;
    let client = server.client().build().unwrap();
    let token = client.get_access_token("api").await.unwrap();
    assert!(!token.audience_is_checked());
}

#[tokio::test]
async fn nonsense_is_refused_before_anything_is_sent() {
    let server = Server::start().await;
    let client = server.client().build().unwrap();
    for request in [
        TokenRequest::new(""),
        TokenRequest::new("a\nb"),
        TokenRequest::new("api").scope("a\"b"),
        TokenRequest::new("api").parameter("scope", "a"),
        TokenRequest::new("api").parameter("client_secret", "a"),
    ] {
        let error = client.get_access_token(request).await.unwrap_err();
        assert_eq!(error.kind(), "request");
        assert!(error.answer().is_none() && !error.is_retryable());
        assert!(error.next_move().contains("not sent"), "{error}");
    }
    let requests = server.mock.received_requests().await.unwrap();
    assert!(requests.is_empty(), "{requests:?}");
}
