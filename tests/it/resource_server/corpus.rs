//! Hundreds of tokens over every rule, each through HTTP.

use aws_lc_rs::hmac;
use axum::Router;
use intelliauth::resource_server::{Claims, ProtectedRouter, require_scope};
use serde_json::{Value, json};

use super::issuer::{AUDIENCE, Api, Issuer, Keys, REMOVED, encode, merged};

fn api(issuer: &Issuer) -> Router {
    // Every token is verified anew.
    let verifier = issuer.verifier().remembered_tokens(0).build().unwrap();
    ProtectedRouter::new(verifier)
        .get(
            "/",
            require_scope("read:transactions").unwrap(),
            async |claims: Claims| claims.scopes().to_string(),
        )
        .into_router()
        .unwrap()
}

const EVERY: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// One of each family.
const SOME: [&str; 5] = ["RS256", "PS512", "ES256", "ES384", "EdDSA"];

/// Changes of header and claims that leave a token good.
fn good(now: u64) -> Vec<(Value, Value)> {
    let nested = (0..10).fold(json!(1), |inner, _| json!({ "x": [inner] }));
    let headers = [
        json!({}),
        json!({ "typ": REMOVED }),
        json!({ "typ": "JWT" }),
        json!({ "typ": "jwt" }),
        json!({ "typ": "AT+JWT" }),
        json!({ "typ": "application/at+jwt" }),
        json!({ "typ": "Application/At+Jwt" }),
        json!({ "x5t": "abc", "x5t#S256": "abc" }),
        json!({ "cty": "x", "other": { "a": [1, 2] } }),
    ];
    let claims = [
        json!({ "aud": [AUDIENCE] }),
        json!({ "aud": ["other", AUDIENCE] }),
        json!({ "exp": now - 29 }),
        json!({ "exp": now + 10_000_000 }),
        serde_json::from_str(&format!(r#"{{"exp":{now}.5}}"#)).unwrap(),
        json!({ "iat": now + 29 }),
        json!({ "nbf": now + 29 }),
        json!({ "nbf": now - 100 }),
        json!({ "iat": REMOVED }),
        json!({ "sub": REMOVED }),
        json!({ "client_id": REMOVED }),
        json!({ "client_id": REMOVED, "azp": "app" }),
        json!({ "jti": "x", "sid": "ses_1", "connection": "google-oauth2" }),
        json!({ "auth_level": "AAL2", "amr": ["pwd", "totp"], "acr": "aal2" }),
        json!({ "auth_level": "other" }),
        json!({ "auth_level": 2 }),
        json!({ "auth_level": null, "acr": "AAL1" }),
        json!({ "auth_level": { "name": "AAL2" }, "scp": 7 }),
        json!({ "scope": "a read:transactions b" }),
        json!({ "scope": "read:transactions read:transactions" }),
        json!({ "scope": " a  read:transactions " }),
        json!({ "scp": ["x"], "roles": ["admin"], "permissions": [] }),
        json!({ "nested": nested }),
        json!({ "name": "Ålice \u{1F600} \"quoted\" \\ \u{7}" }),
        json!({ "text": "x".repeat(8000) }),
        json!({ "jwk": {}, "crit": ["exp"], "alg": "none", "kid": "other" }),
        json!({ "number": 1.5e300, "small": -0.0001, "large": 9_007_199_254_740_993_u64 }),
        json!({ "act": { "sub": "app_other" }, "email_verified": true, "null": null }),
        json!({ "": "a member without a name" }),
    ];
    let headers = headers.into_iter().map(|header| (header, json!({})));
    let claims = claims.into_iter().map(|claims| (json!({}), claims));
    headers.chain(claims).collect()
}

/// Changes of header and claims that make a token bad.
fn bad(now: u64, issuer: &str) -> Vec<(Value, Value)> {
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let headers = [
        json!({ "typ": "id+jwt" }),
        json!({ "typ": "logout+jwt" }),
        json!({ "typ": "" }),
        json!({ "typ": 1 }),
        json!({ "typ": ["at+jwt"] }),
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "b64": false, "crit": ["b64"] }),
        json!({ "b64": true }),
        json!({ "jwk": { "kty": "oct", "k": "AAAA" } }),
        json!({ "jku": "http://127.0.0.1:9/keys" }),
        json!({ "x5u": "http://127.0.0.1:9/certificate" }),
        json!({ "x5c": ["AAAA"] }),
        json!({ "enc": "A128GCM" }),
        json!({ "zip": "DEF" }),
        json!({ "kid": 7 }),
        json!({ "kid": "unknown" }),
        json!({ "kid": "" }),
        json!({ "kid": "../../dev/null" }),
        json!({ "kid": null }),
        json!({ "alg": REMOVED }),
        json!({ "alg": "none" }),
        json!({ "alg": "nOnE" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "Ed25519" }),
        json!({ "alg": "ES512" }),
        json!({ "alg": 256 }),
        json!({ "alg": ["RS256", "ES256"] }),
        json!({ "deep": deep }),
        json!({ "padding": "x".repeat(5000) }),
    ];
    let claims = [
        json!({ "iss": REMOVED }),
        json!({ "iss": format!("{issuer}/") }),
        json!({ "iss": issuer.to_uppercase() }),
        json!({ "iss": [issuer] }),
        json!({ "iss": null }),
        json!({ "aud": REMOVED }),
        json!({ "aud": "api.health.cymmetri.com" }),
        json!({ "aud": AUDIENCE.to_uppercase() }),
        json!({ "aud": format!("{AUDIENCE} ") }),
        json!({ "aud": format!("{AUDIENCE} api.health.cymmetri.com") }),
        json!({ "aud": [] }),
        json!({ "aud": [AUDIENCE, 1] }),
        json!({ "aud": [[AUDIENCE]] }),
        json!({ "aud": { "x": AUDIENCE } }),
        json!({ "exp": REMOVED }),
        json!({ "exp": now - 30 }),
        json!({ "exp": 0 }),
        json!({ "exp": (now + 100).to_string() }),
        json!({ "exp": null }),
        json!({ "exp": true }),
        json!({ "exp": -1 }),
        json!({ "exp": 1e300 }),
        json!({ "exp": u64::MAX }),
        json!({ "exp": (now + 100) * 1000 }),
        json!({ "nbf": now + 31 }),
        json!({ "nbf": "0" }),
        json!({ "iat": now + 31 }),
        json!({ "iat": "0" }),
        json!({ "iat": -1 }),
        json!({ "scope": ["read:transactions"] }),
        json!({ "scope": 1 }),
        json!({ "scope": null }),
        json!({ "nonce": "n" }),
        json!({ "nonce": null }),
        json!({ "at_hash": "x" }),
        json!({ "c_hash": "x" }),
        json!({ "events": {} }),
        json!({ "cnf": { "jkt": "x" } }),
        json!({ "cnf": null }),
        json!({ "sub": 1 }),
        json!({ "client_id": [] }),
        json!({ "amr": "pwd" }),
        json!({ "deep": deep }),
        json!({ "text": "x".repeat(16_384) }),
    ];
    let headers = headers.into_iter().map(|header| (header, json!({})));
    let claims = claims.into_iter().map(|claims| (json!({}), claims));
    headers.chain(claims).collect()
}

fn header(algorithm: &str) -> Value {
    json!({ "alg": algorithm, "kid": Keys::id(algorithm), "typ": "at+jwt" })
}

/// Texts that no JSON library would write.
fn bad_texts(issuer: &Issuer, algorithm: &str) -> Vec<String> {
    let (header, claims) = (header(algorithm).to_string(), issuer.claims().to_string());
    let with = |text: &str, member: &str| format!("{},{member}}}", text.strip_suffix('}').unwrap());
    let headers = [
        with(&header, r#""alg":"none""#),
        with(&header, &format!(r#""\u0061lg":"{algorithm}""#)),
        with(&header, r#""x":{"a":1,"a":1}"#),
        format!("{header} x"),
        header.replace('"', "'"),
        format!("[{header}]"),
        String::new(),
    ];
    let bodies = [
        with(&claims, r#""aud":"other""#),
        with(&claims, r#""scope":"read:transactions""#),
        with(&claims, r#""\u0065xp":99999999999"#),
        with(&claims, r#""x":[{"a":1,"a":2}]"#),
        with(&claims, r#""x":1e999"#),
        with(&claims, &format!(r#""x":{}"#, "9".repeat(400))),
        with(&claims, r#""x":NaN"#),
        with(&claims, r#""x":"\ud800""#),
        with(
            &claims,
            r#""x":"
""#,
        ),
        with(&claims, r#""x":01"#),
        with(
            &claims,
            &format!(r#""x":{}{}"#, "[".repeat(3000), "]".repeat(3000)),
        ),
        format!("{claims}{claims}"),
        format!("[{claims}]"),
        format!("\u{feff}{claims}"),
        claims.replace('"', "'"),
        claims.trim_end_matches('}').to_owned(),
        "null".to_owned(),
        String::new(),
    ];
    let headers = headers
        .iter()
        .map(|text| issuer.keys.sign(algorithm, text, &claims));
    let bodies = bodies
        .iter()
        .map(|text| issuer.keys.sign(algorithm, &header, text));
    headers.chain(bodies).collect()
}

/// Tokens whose spelling or signature was changed afterwards.
fn forged(issuer: &Issuer, algorithm: &str) -> Vec<String> {
    let token = issuer.token_of(algorithm, &json!({}));
    let mut parts = token.split('.');
    let (head, body, signature) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let bytes = issuer.keys.signature(algorithm, &format!("{head}.{body}"));
    let flipped: Vec<u8> = bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| byte ^ u8::from(at == 7))
        .collect();
    let stranger = Keys::generate().sign(
        algorithm,
        &header(algorithm).to_string(),
        &issuer.claims().to_string(),
    );
    let other_body = encode(
        merged(
            issuer.claims(),
            &json!({ "scope": "admin read:transactions" }),
        )
        .to_string(),
    );
    let confused = encode(json!({ "alg": "HS256", "kid": Keys::id(algorithm) }).to_string());
    let mac = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &issuer.keys.rsa_modulus()),
        format!("{confused}.{body}").as_bytes(),
    );
    let none = encode(json!({ "alg": "none" }).to_string());
    vec![
        stranger,
        format!("{head}.{body}."),
        format!("{head}.{body}"),
        format!("{head}.{body}.{signature}.{signature}"),
        format!("{head}.{body}.{signature}.x.y"),
        format!("{head}..{signature}"),
        format!(".{body}.{signature}"),
        format!("{head}.{other_body}.{signature}"),
        format!("{head}.{body}.{}", encode(&flipped)),
        format!("{head}.{body}.{}", encode(&bytes[1..])),
        format!("{head}.{body}.{}", encode([&bytes[..], &[0]].concat())),
        format!("{head}.{body}.{}", encode(vec![0; bytes.len()])),
        format!("{head}.{body}.{}", encode(vec![0; 4096])),
        format!("{head}=.{body}.{signature}"),
        format!("{head}.{body}.{signature}="),
        format!("{head}.{body}.{signature}=="),
        format!("{head}.{body}A.{signature}"),
        format!("{head}.{body}.+{}", &signature[1..]),
        format!("{confused}.{body}.{}", encode(mac)),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        json!({ "payload": body, "protected": head, "signature": signature }).to_string(),
        "x".to_owned(),
        "x".repeat(16_385),
    ]
}

#[tokio::test]
async fn what_keeps_to_the_rules_is_accepted() {
    let issuer = Issuer::start().await;
    let api = Api::serve(api(&issuer)).await;
    let mut count = 0;
    for algorithm in EVERY {
        for (header_changes, changes) in good(issuer.now()) {
            let header = merged(header(algorithm), &header_changes);
            let claims = merged(issuer.claims(), &changes);
            let token = issuer
                .keys
                .sign(algorithm, &header.to_string(), &claims.to_string());
            let answer = api.get("/", &token).await;
            assert_eq!(answer.status, 200, "{header} {changes}: {answer:?}");
            assert!(answer.body.contains("read:transactions"));
            count += 1;
        }
    }
    assert!(count >= 300, "{count}");
    assert_eq!(issuer.fetches().await, 1);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_not_repeated() {
    let issuer = Issuer::start().await;
    let api = Api::serve(api(&issuer)).await;
    let mut tokens = Vec::new();
    for algorithm in SOME {
        for (header_changes, changes) in bad(issuer.now(), &issuer.url()) {
            let header = merged(header(algorithm), &header_changes);
            let claims = merged(issuer.claims(), &changes);
            tokens.push(
                issuer
                    .keys
                    .sign(algorithm, &header.to_string(), &claims.to_string()),
            );
        }
        tokens.extend(bad_texts(&issuer, algorithm));
        tokens.extend(forged(&issuer, algorithm));
        // The key of another family, by its name.
        for other in SOME
            .into_iter()
            .filter(|other| Keys::id(other) != Keys::id(algorithm))
        {
            let header = json!({ "alg": algorithm, "kid": Keys::id(other) });
            tokens.push(issuer.keys.sign(
                algorithm,
                &header.to_string(),
                &issuer.claims().to_string(),
            ));
        }
    }
    assert!(tokens.len() >= 300, "{}", tokens.len());
    for token in &tokens {
        let answer = api.get("/", token).await;
        let header = token
            .split('.')
            .next()
            .map(|part| part.chars().take(200).collect::<String>());
        assert_eq!(
            (answer.status, answer.error()),
            (401, Some("invalid_token")),
            "{header:?} {answer:?}"
        );
        assert_eq!(answer.json(), json!({ "error": "invalid_token" }));
        let challenge = answer.challenge.unwrap();
        for part in token.split('.').filter(|part| part.len() > 8) {
            assert!(!challenge.contains(part), "{challenge}");
        }
    }
    assert!(issuer.fetches().await <= 2, "unknown keys cost one fetch");
}
