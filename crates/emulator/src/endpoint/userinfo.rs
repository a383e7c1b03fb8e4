//! `/oauth2/userinfo` (OpenID Connect Core section 5.3): who the person behind a token is.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::token::add_claims_about;
use crate::clock::rfc3339;
use crate::exchange::{Exchange, admit, refused};
use crate::refusal::{Code, Refusal};
use crate::reply;
use crate::tenant::Tenant;

pub(super) async fn userinfo(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
) -> Response {
    match about(&tenant, &headers) {
        Ok(claims) => reply::not_stored(reply::json(StatusCode::OK, &claims)),
        Err(refusal) => refused(&tenant, &exchange, &refusal),
    }
}

/// Documented: always `sub`, `email`, `email_verified`, `created_at`, `updated_at`.
fn about(tenant: &Tenant, headers: &HeaderMap) -> Result<Value, Refusal> {
    admit(tenant)?;
    let refused = || {
        let description = "the access token is missing, expired, revoked, or not of a person";
        Refusal::new(Code::InvalidToken, description)
            .with_header(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")
    };
    let token = bearer(headers).ok_or_else(refused)?;
    let now = tenant.now();
    let live = tenant.live();
    let issued = live.tokens.find(token);
    let issued = issued
        .filter(|it| !it.is_revoked && it.until > now)
        .ok_or_else(refused)?;
    let user = issued
        .person
        .as_ref()
        .and_then(|owner| live.user(&owner.user));
    let user = user.filter(|user| user.enabled).ok_or_else(refused)?;
    if !issued.scopes.contains("openid") {
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"openid\"";
        let description = "the access token lacks the scope `openid`";
        let refusal = Refusal::new(Code::InsufficientScope, description);
        return Err(refusal.with_header(WWW_AUTHENTICATE, challenge));
    }
    let created_at = rfc3339(live.seeded_at);
    let mut claims = json!({
        "sub": user.id,
        "created_at": created_at,
        "updated_at": created_at,
    });
    add_claims_about(&mut claims, user, |scope| {
        scope == "email" || issued.scopes.contains(scope)
    });
    Ok(claims)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
