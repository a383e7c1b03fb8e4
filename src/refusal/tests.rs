use proptest::prelude::*;

use super::*;

fn refusal(status: u16, challenges: &[&str]) -> Refusal {
    let mut headers = HeaderMap::new();
    for challenge in challenges {
        let value = HeaderValue::from_bytes(challenge.as_bytes()).unwrap();
        headers.append(WWW_AUTHENTICATE, value);
    }
    Refusal::new(StatusCode::from_u16(status).unwrap(), &headers)
}

use RefusalKind::{
    InsufficientAuthentication as Weak, InsufficientScope as Narrow, InvalidToken as Stale, Other,
};

/// Status, challenge, what it is about, the scopes that it names.
const CORPUS: &[(u16, &str, RefusalKind, &str)] = &[
    // RFC 6750 section 3, RFC 9470 section 3, RFC 9728 section 5.1, RFC 9110 section 11.6.1.
    (401, r#"Bearer realm="example""#, Stale, ""),
    (
        401,
        r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#,
        Stale,
        "",
    ),
    (
        401,
        r#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR""#,
        Weak,
        "",
    ),
    (
        401,
        r#"Bearer error="insufficient_user_authentication", error_description="More recent authentication is required", max_age="5""#,
        Weak,
        "",
    ),
    (
        401,
        r#"Bearer resource_metadata="https://resource.example.com/.well-known/oauth-protected-resource""#,
        Stale,
        "",
    ),
    (
        401,
        r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#,
        Other,
        "",
    ),
    (
        401,
        r#"Newauth realm="apps", type=1, title="Login to \"apps\", or", Basic realm="simple""#,
        Other,
        "",
    ),
    (400, r#"Bearer error="invalid_request""#, Other, ""),
    (401, r#"Bearer error="invalid_request""#, Other, ""),
    (
        403,
        r#"Bearer error="insufficient_scope", error_description="the token lacks a scope", scope="read:settings write:settings""#,
        Narrow,
        "read:settings write:settings",
    ),
    (
        401,
        r#"Bearer error="insufficient_scope", scope="files:read""#,
        Narrow,
        "files:read",
    ),
    (403, r#"Bearer error="insufficient_scope""#, Narrow, ""),
    (403, "Bearer", Other, ""),
    (403, r#"Bearer scope="a""#, Narrow, "a"),
    (200, r#"Bearer error="invalid_token""#, Other, ""),
    (407, r#"Bearer error="invalid_token""#, Other, ""),
    // This crate's own resource server.
    (401, "Bearer", Stale, ""),
    (
        401,
        r#"Bearer error="invalid_token", error_description="what follows the scheme is no token""#,
        Stale,
        "",
    ),
    (
        401,
        r#"Bearer error="insufficient_user_authentication", error_description="a stronger sign-in is needed", acr_values="AAL2""#,
        Weak,
        "",
    ),
    // In any case, with any space, in any order, unquoted, without commas.
    (401, "bearer", Stale, ""),
    (401, "BEARER ERROR=invalid_token", Stale, ""),
    (401, "Bearer error = \"invalid_token\"", Stale, ""),
    (401, "Bearer\terror\t=\tinvalid_token", Stale, ""),
    (401, ",,Bearer ,, error=invalid_token ,,", Stale, ""),
    (
        401,
        r#"Bearer error="invalid_token" error_description="x""#,
        Stale,
        "",
    ),
    (
        403,
        r#"Bearer scope="a b",error="insufficient_scope""#,
        Narrow,
        "a b",
    ),
    (
        403,
        r#"Bearer realm="a, b", error="insufficient_scope", scope="a""#,
        Narrow,
        "a",
    ),
    (
        403,
        r#"Bearer realm="Basic error=\"x\", scope=\"evil\"", error="insufficient_scope", scope="a""#,
        Narrow,
        "a",
    ),
    // Several challenges in one header.
    (401, r#"Negotiate, Bearer error="invalid_token""#, Stale, ""),
    (
        401,
        r#"Negotiate YIIJvwYGKwYBBQUCoIIJszCCCa+gJDAi==, Bearer error="invalid_token""#,
        Stale,
        "",
    ),
    (401, "NTLM, Negotiate", Other, ""),
    (401, r#"Basic realm="proxy""#, Other, ""),
    (
        401,
        r#"Digest realm="d", nonce="n", algorithm=MD5, qop="auth""#,
        Other,
        "",
    ),
    (
        401,
        r#"DPoP error="invalid_token", algs="ES256""#,
        Other,
        "",
    ),
    (
        401,
        r#"DPoP algs="ES256", Bearer error="invalid_token""#,
        Stale,
        "",
    ),
    (
        401,
        r#"Bearer realm="one", Bearer error="invalid_token""#,
        Stale,
        "",
    ),
    (
        403,
        r#"Bearer realm="one", Bearer error="insufficient_scope", scope="a""#,
        Narrow,
        "a",
    ),
    (
        401,
        r#"Basic error="invalid_token", Digest error="invalid_token""#,
        Other,
        "",
    ),
    // Shapes of other servers.
    (
        401,
        r#"Bearer authorization_uri="https://login.windows.net/t", error="invalid_token", error_description="The access token expiry UTC time '1/1/2026' is earlier""#,
        Stale,
        "",
    ),
    (
        401,
        r#"Bearer authorization_uri="https://login.microsoftonline.com/t", resource_id="https://storage.azure.com""#,
        Stale,
        "",
    ),
    (
        401,
        r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net""#,
        Stale,
        "",
    ),
    (
        401,
        r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="eyJ9""#,
        Other,
        "",
    ),
    (
        401,
        r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#,
        Stale,
        "",
    ),
    (
        403,
        r#"Bearer realm="https://accounts.google.com/", error="insufficient_scope", scope="https://www.googleapis.com/auth/drive https://www.googleapis.com/auth/drive.file""#,
        Narrow,
        "https://www.googleapis.com/auth/drive https://www.googleapis.com/auth/drive.file",
    ),
    (
        401,
        r#"Bearer realm="my-realm", error="invalid_token", error_description="Token verification failed""#,
        Stale,
        "",
    ),
    (
        401,
        r#"Bearer error="invalid_token", error_description="An error occurred while attempting to decode the Jwt: Jwt expired at 2026-01-01T00:00:00Z", error_uri="https://tools.ietf.org/html/rfc6750#section-3.1""#,
        Stale,
        "",
    ),
    (
        403,
        r#"Bearer error="insufficient_scope", error_description="The request requires higher privileges than provided by the access token.", error_uri="https://tools.ietf.org/html/rfc6750#section-3.1""#,
        Narrow,
        "",
    ),
    (
        401,
        r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull""#,
        Stale,
        "repository:library/x:pull",
    ),
    (
        401,
        r#"Bearer error="invalid_token", error_description="Missing Authorization header", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp""#,
        Stale,
        "",
    ),
    (
        403,
        r#"Bearer error="insufficient_scope", scope="files:read files:write", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource", error_description="Additional file write permission required""#,
        Narrow,
        "files:read files:write",
    ),
    (
        401,
        r#"OAuth realm="Service", error="token_expired""#,
        Other,
        "",
    ),
    (
        401,
        r#"Bearer charset="UTF-8", error="invalid_token""#,
        Stale,
        "",
    ),
    // Broken ones.
    (401, "", Stale, ""),
    (401, "=", Stale, ""),
    (401, ",", Stale, ""),
    (401, r#"error="invalid_token""#, Stale, ""),
    (401, r#"Bearer error="invalid_token"#, Stale, ""),
    (401, r#"Bearer error="invalid_token\"#, Stale, ""),
    (401, "Bearer error=", Stale, ""),
    (401, r#"Bearer error="""#, Other, ""),
    (401, r#"Bearer "invalid_token""#, Stale, ""),
    (401, "Bearer: error=invalid_token", Stale, ""),
    (
        403,
        "Bearer error=\"insufficient_scope\", scope=\"a \u{e4} b\"",
        Narrow,
        "a b",
    ),
    (
        403,
        r#"Bearer error="insufficient_scope", scope="a", scope="b""#,
        Narrow,
        "a",
    ),
    (401, "401", Other, ""),
];

#[test]
fn real_challenges_are_understood() {
    assert!(CORPUS.len() >= 60, "{}", CORPUS.len());
    for (status, challenge, kind, scopes) in CORPUS {
        let refusal = refusal(*status, &[challenge]);
        assert_eq!(refusal.kind(), *kind, "{status} {challenge}");
        let expected: Scopes = scopes.parse().unwrap();
        assert_eq!(refusal.scopes(), expected, "{challenge}");
    }
}

#[test]
fn several_headers_are_read_like_one_with_commas() {
    let basic = r#"Basic realm="simple""#;
    let bearer =
        r#"Bearer error="insufficient_user_authentication", acr_values="AAL2 AAL3", max_age=300"#;
    let refusal = refusal(401, &[basic, bearer]);
    assert_eq!(refusal.kind(), Weak);
    assert_eq!(refusal.acr_values(), Some("AAL2 AAL3"));
    assert_eq!(refusal.max_age(), Some(Duration::from_secs(300)));
}

#[test]
fn the_place_where_an_api_describes_itself_is_read() {
    let metadata = "https://mcp.example/.well-known/oauth-protected-resource";
    let refusal = refusal(401, &[&format!("Bearer resource_metadata=\"{metadata}\"")]);
    assert_eq!(refusal.resource_metadata().unwrap().as_str(), metadata);
}

#[test]
fn an_answer_without_any_challenge_is_about_the_token_if_its_status_is_401() {
    assert_eq!(refusal(401, &[]).kind(), Stale);
    assert_eq!(refusal(403, &[]).kind(), Other);
    assert_eq!(refusal(500, &[]).kind(), Other);
}

#[test]
fn the_bodies_of_the_platform_are_read() {
    let read = |status, body: &str| refusal(status, &[]).body(body.as_bytes());
    let one = read(
        403,
        r#"{"error":"insufficient_scope","required":"write:settings"}"#,
    );
    assert_eq!(
        (one.kind(), one.scopes().to_string().as_str()),
        (Narrow, "write:settings")
    );
    let two = read(
        403,
        r#"{"error":"insufficient_scope","required":["a","b"]}"#,
    );
    assert_eq!(two.scopes().to_string(), "a b");
    let envelope = r#"{"error":"insufficient_scope","message":"no","details":{"required":"a"},"request_id":"req_1"}"#;
    assert_eq!(read(403, envelope).scopes().to_string(), "a");
    assert_eq!(
        read(401, r#"{"error":"step_up_required","message":"prove"}"#).kind(),
        Weak
    );
    assert_eq!(read(401, r#"{"error":"token_expired"}"#).kind(), Stale);
    assert_eq!(
        read(401, r#"{"error":{"code":"mfa_required"}}"#).kind(),
        Weak
    );
    assert_eq!(read(403, r#"{"error":"quota_exceeded"}"#).kind(), Other);
}

#[test]
fn a_challenge_counts_for_more_than_the_body() {
    let body = br#"{"error":"invalid_token"}"#;
    let challenge = r#"Bearer error="insufficient_user_authentication""#;
    assert_eq!(refusal(401, &[challenge]).body(body).kind(), Weak);
}

#[test]
fn a_body_of_more_than_8_kib_is_not_read() {
    let body = |spaces| format!("{{\"error\":\"step_up_required\"}}{}", " ".repeat(spaces));
    assert_eq!(refusal(401, &[]).body(body(8000).as_bytes()).kind(), Weak);
    assert_eq!(refusal(401, &[]).body(body(8192).as_bytes()).kind(), Stale);
}

#[test]
fn a_header_is_read_up_to_8_kib() {
    let late = format!("Basic x={}, Bearer error=invalid_token", "y".repeat(8192));
    assert_eq!(refusal(401, &[&late]).kind(), Other);
}

#[test]
fn the_status_of_grpc_counts_in_headers_and_trailers() {
    let headers = |status: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static(status));
        headers
    };
    let none = HeaderMap::new();
    assert_eq!(Refusal::new(StatusCode::OK, &headers("16")).kind(), Stale);
    assert_eq!(Refusal::new(StatusCode::OK, &headers("0")).kind(), Other);
    assert_eq!(Refusal::new(StatusCode::OK, &headers("7")).kind(), Other);
    let answer = Refusal::new(StatusCode::OK, &none);
    assert_eq!(answer.kind(), Other);
    assert_eq!(answer.trailers(&headers("16")).kind(), Stale);
    let mut lacking = headers("7");
    let challenge = r#"Bearer error="insufficient_scope", scope="a""#;
    lacking.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    let answer = Refusal::new(StatusCode::OK, &none).trailers(&lacking);
    assert_eq!(
        (answer.kind(), answer.scopes().to_string().as_str()),
        (Narrow, "a")
    );
}

#[test]
fn debug_shows_nothing_that_the_api_wrote() {
    let refusal = refusal(401, &[r#"Bearer error="hush", scope="hush", realm="hush""#]);
    let shown = format!(
        "{:?}",
        refusal.body(br#"{"error":"hush","required":"hush"}"#)
    );
    assert!(!shown.contains("hush"), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer(
        header in proptest::collection::vec(any::<u8>(), 0..600),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        status in 100u16..600,
    ) {
        let mut challenges = Vec::new();
        challenges::read(&header, &mut challenges);
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&header) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        let refusal = Refusal::new(StatusCode::from_u16(status).unwrap(), &headers).body(&body);
        let _ = (refusal.kind(), refusal.scopes(), refusal.max_age(), refusal.resource_metadata());
    }

    #[test]
    fn what_is_quoted_comes_out_as_it_was(value in "[ -~]{0,60}", before in "[a-zA-Z]{1,9}") {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        let header = format!("{before} realm=\"x\", Bearer error=\"{quoted}\", scope=a");
        let refusal = refusal(403, &[&header]);
        prop_assert_eq!(refusal.error(), Some(value.as_str()));
    }
}
