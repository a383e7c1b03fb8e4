//! `POST /oauth2/introspect` (RFC 7662): what the tenant knows about a token.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::client_authentication::authenticate;
use super::token::{audience_claim, joined};
use crate::clock::unix_seconds;
use crate::exchange::{Exchange, admit, refused};
use crate::form::Form;
use crate::person::Grace;
use crate::refusal::{Code, Refusal};
use crate::reply;
use crate::tenant::{Live, Tenant};

pub(super) async fn introspect(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match explain(&tenant, &headers, &body) {
        Ok(explained) => reply::not_stored(reply::json(StatusCode::OK, &explained)),
        Err(refusal) => refused(&tenant, &exchange, &refusal),
    }
}

/// RFC 7662 section 2.1: the endpoint must require authorization, so a public application, whose
/// id is not a secret, cannot ask.
fn explain(tenant: &Tenant, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    admit(tenant)?;
    let form = Form::read(headers, body)?;
    let application = authenticate(tenant, headers, &form)?;
    if !application.is_confidential() {
        let description = "only an application with a secret may introspect";
        return Err(Refusal::new(Code::UnauthorizedClient, description));
    }
    Ok(state_of(tenant, form.require("token")?))
}

/// RFC 7662 section 2.2: nothing but `active` is said about a token that is not.
///
/// Not active are the expired, the revoked, the unknown, and those of a disabled application; the
/// platform documents that other services go on accepting the last kind until they expire.
fn state_of(tenant: &Tenant, token: &str) -> Value {
    let now = tenant.now();
    let live = tenant.live();
    let is_enabled = |id: &str| {
        live.registry
            .find(id)
            .is_some_and(|known| known.application.enabled)
    };
    let active = live
        .tokens
        .find(token)
        .filter(|known| !known.is_revoked && known.until > now && is_enabled(&known.client_id));
    let Some(issued) = active else {
        return refresh_token(&live, token, now).unwrap_or_else(|| json!({ "active": false }));
    };
    let mut state = json!({
        "active": true,
        "client_id": issued.client_id,
        "sub": issued.person.as_ref().map_or(&issued.client_id, |owner| &owner.user),
        "aud": audience_claim(&issued.audience, live.switches.audience_claim),
        "iss": tenant.issuer,
        "iat": unix_seconds(issued.since),
        "exp": unix_seconds(issued.until),
        "jti": issued.id,
        "token_type": "Bearer",
    });
    if !issued.scopes.is_empty() {
        state["scope"] = joined(issued.scopes.iter()).into();
    }
    if let Some(owner) = &issued.person {
        state["sid"] = owner.session.as_str().into();
    }
    state
}

/// A refresh token that a refresh would take.
fn refresh_token(live: &Live, token: &str, now: SystemTime) -> Option<Value> {
    let families = &live.people.families;
    let state = families.state(token, now, Grace::of(&live.switches));
    let grant = &families.of_token(token)?.grant;
    let known = live.registry.find(&grant.client_id)?;
    let is_active = state.is_accepted() && known.application.enabled;
    is_active.then(|| {
        json!({
            "active": true,
            "client_id": grant.client_id,
            "sub": grant.user,
            "sid": grant.session,
            "scope": joined(grant.scopes.iter()),
        })
    })
}
