//! The id token (OpenID Connect Core section 2): who signed in, for the application alone.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::request::TokenRequest;
use crate::clock::{later, unix_seconds};
use crate::config::User;
use crate::person::Grant;
use crate::refusal::Refusal;

/// Makes one. On a refresh it has no `nonce` (section 12.2).
pub(super) fn make(
    request: &TokenRequest<'_>,
    grant: &Grant,
    access_token: &str,
    is_first: bool,
) -> Result<String, Refusal> {
    let tenant = request.tenant;
    let mut claims = claims(request, grant, access_token);
    if let Some(nonce) = grant.nonce.as_ref().filter(|_| is_first) {
        claims["nonce"] = nonce.as_str().into();
    }
    if let Some((name, value)) = &request.exchange.mint.id_token_claim {
        spoil(&mut claims, name, value);
    }
    let token = tenant.keys.current()?.sign(Some("JWT"), &claims)?;
    let mut live = tenant.live();
    live.people.issued_secrets.insert(&token);
    live.people
        .id_tokens
        .insert(&token, &grant.session, &grant.client_id);
    Ok(token)
}

fn claims(request: &TokenRequest<'_>, grant: &Grant, access_token: &str) -> Value {
    let tenant = request.tenant;
    let live = tenant.live();
    let now = tenant.now();
    let until = later(now, live.switches.access_ttl);
    let mut claims = json!({
        "iss": tenant.issuer,
        "sub": grant.user,
        "aud": grant.client_id,
        "iat": unix_seconds(now),
        "exp": unix_seconds(until),
        "auth_time": unix_seconds(grant.sign_in.at),
        "acr": grant.sign_in.level.as_str(),
        "amr": grant.sign_in.methods(),
        "sid": grant.session,
        "at_hash": half_hash(access_token),
    });
    if let Some(user) = live.user(&grant.user) {
        add_claims_about(&mut claims, user, |scope| grant.has(scope));
    }
    claims
}

/// What the scopes `profile` and `email` are about, as far as a person here has it.
pub(in crate::endpoint) fn add_claims_about(
    claims: &mut Value,
    user: &User,
    has: impl Fn(&str) -> bool,
) {
    if has("profile") {
        let (given, family) = user.name.split_once(' ').unwrap_or((&user.name, ""));
        claims["name"] = user.name.as_str().into();
        claims["given_name"] = given.into();
        claims["preferred_username"] = user.email.as_str().into();
        if !family.is_empty() {
            claims["family_name"] = family.into();
        }
    }
    if has("email") {
        claims["email"] = user.email.as_str().into();
        claims["email_verified"] = true.into();
    }
}

fn spoil(claims: &mut Value, name: &str, value: &Value) {
    match claims.as_object_mut() {
        Some(claims) if value.is_null() => drop(claims.remove(name)),
        Some(claims) => drop(claims.insert(name.to_owned(), value.clone())),
        None => {}
    }
}

/// Section 3.1.3.6: the left half of the hash of the access token.
fn half_hash(access_token: &str) -> String {
    let hash = digest(&SHA256, access_token.as_bytes());
    let half = hash.as_ref().get(..16).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half)
}
