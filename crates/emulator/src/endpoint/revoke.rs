//! `POST /oauth2/revoke` (RFC 7009): an application gives a token back.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;

use super::client_authentication::authenticate;
use crate::audit::{AuditParty, Event, Outcome};
use crate::config::Application;
use crate::exchange::{Exchange, admit, refused};
use crate::form::Form;
use crate::person::{FamilyDeath, Grant};
use crate::refusal::{Code, Refusal};
use crate::reply;
use crate::tenant::Tenant;

pub(super) async fn revoke(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match take_back(&tenant, &exchange, &headers, &body) {
        // RFC 7009 section 2.2: 200 also for an unknown token; the body is empty.
        Ok(()) => reply::not_stored(Response::new(Body::empty())),
        Err(refusal) => refused(&tenant, &exchange, &refusal),
    }
}

fn take_back(
    tenant: &Tenant,
    exchange: &Exchange,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Refusal> {
    admit(tenant)?;
    let form = Form::read(headers, body)?;
    let application = authenticate(tenant, headers, &form)?;
    let token = form.require("token")?;
    let id = {
        let mut live = tenant.live();
        let family = live
            .people
            .families
            .of_token(token)
            .map(|it| it.grant.clone());
        let Some(issued) = live.tokens.find(token) else {
            drop(live);
            return family.map_or(Ok(()), |grant| end(tenant, exchange, &application, &grant));
        };
        // RFC 7009 section 2.1: a token of another client is refused.
        if issued.client_id != application.id {
            let description = "the token was issued to another application";
            return Err(Refusal::new(Code::InvalidGrant, description));
        }
        let id = issued.id.clone();
        live.tokens.revoke(token);
        id
    };
    record(tenant, exchange, &application, id);
    Ok(())
}

/// RFC 7009 section 2.1: with a refresh token go the access tokens of the same sign-in.
fn end(
    tenant: &Tenant,
    exchange: &Exchange,
    application: &Application,
    grant: &Grant,
) -> Result<(), Refusal> {
    if grant.client_id != application.id {
        let description = "the token was issued to another application";
        return Err(Refusal::new(Code::InvalidGrant, description));
    }
    if tenant.end_family(&grant.family, FamilyDeath::GivenBack) {
        record(tenant, exchange, application, grant.family.clone());
    }
    Ok(())
}

fn record(tenant: &Tenant, exchange: &Exchange, application: &Application, id: String) {
    tenant.record(Event {
        kind: "oauth.token_revoked",
        actor: AuditParty::new("application", application.id.as_str()),
        target: AuditParty::new("token", id),
        outcome: Outcome::Success,
        data: json!({ "before": { "revoked": false }, "after": { "revoked": true } }),
        context: exchange.audit_context(),
    });
}
