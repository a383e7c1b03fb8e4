//! The endpoints of OAuth, one file each, and what they share.

mod client_authentication;
mod device_authorization;
mod discovery;
mod form;
mod introspect;
mod revoke;
mod token;
mod userinfo;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;

pub(crate) use self::client_authentication::claimed_id;
pub(crate) use self::form::Form;
pub(crate) use self::token::record_spoilt;
use crate::audit::AuditContext;
use crate::config::{RetryHint, TenantState};
use crate::fault::Mint;
use crate::refusal::{Code, Refusal};
use crate::tenant::Tenant;
use crate::{admin, interaction, reply, routes};

/// What the pipeline hands to every endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) request_id: String,
    pub(crate) user_agent: Option<String>,
    /// The name of the fault that this request meets.
    pub(crate) fault: Option<String>,
    /// What it wants the minted token to be.
    pub(crate) mint: Mint,
}

impl Exchange {
    pub(crate) fn audit_context(&self) -> AuditContext {
        AuditContext {
            request_id: Some(self.request_id.clone()),
            user_agent: self.user_agent.clone(),
        }
    }
}

/// Every path below the issuer.
pub(crate) fn router(tenant: Arc<Tenant>) -> Router {
    Router::new()
        .route(routes::OPENID_CONFIGURATION, get(discovery::metadata))
        .route(routes::AUTHORIZATION_SERVER, get(discovery::metadata))
        .route(routes::JWKS, get(discovery::jwks))
        .route(routes::TOKEN, post(token::token))
        .route(routes::INTROSPECT, post(introspect::introspect))
        .route(routes::REVOKE, post(revoke::revoke))
        .route(
            routes::DEVICE_AUTHORIZATION,
            post(device_authorization::device_authorization),
        )
        .route(
            routes::USERINFO,
            get(userinfo::userinfo).post(userinfo::userinfo),
        )
        .merge(interaction::router())
        .merge(admin::router(&tenant))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(tenant)
}

/// The answer for everything outside: in the platform's envelope.
pub(crate) async fn not_found(exchange: axum::Extension<Exchange>) -> Response {
    nothing_here(&exchange.request_id)
}

pub(crate) fn nothing_here(request_id: &str) -> Response {
    let message = "there is nothing at this path; the metadata names the endpoints";
    reply::rest_error(
        StatusCode::NOT_FOUND,
        "not_found",
        message,
        json!({}),
        request_id,
    )
}

async fn method_not_allowed(exchange: axum::Extension<Exchange>) -> Response {
    let message = "this endpoint wants another method; see the header Allow";
    let status = StatusCode::METHOD_NOT_ALLOWED;
    reply::rest_error(
        status,
        "method_not_allowed",
        message,
        json!({}),
        &exchange.request_id,
    )
}

/// Answers a refusal in the tenant's shape.
fn refused(tenant: &Tenant, exchange: &Exchange, refusal: &Refusal) -> Response {
    let shape = tenant.live().switches.oauth_error_shape;
    reply::refusal(refusal, shape, &exchange.request_id)
}

/// What stands before every OAuth endpoint: the tenant's limit and its suspension.
pub(crate) fn admit(tenant: &Tenant) -> Result<(), Refusal> {
    if let Some(wait) = tenant.over_limit() {
        // Rounded up: a client that comes back then must be let in.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let refusal = Refusal::new(Code::RateLimited, "too many requests for this tenant");
        let hint = tenant.live().switches.retry_hint;
        return Err(match hint {
            RetryHint::Seconds => refusal.with_header(RETRY_AFTER, &seconds.to_string()),
            RetryHint::Date => {
                let at = tenant.now() + std::time::Duration::from_secs(seconds);
                refusal.with_header(RETRY_AFTER, &httpdate::fmt_http_date(at))
            }
            RetryHint::None => refusal,
        });
    }
    let state = tenant.live().switches.tenant_state;
    if state == TenantState::Suspended {
        return Err(Refusal::new(
            Code::TenantSuspended,
            "this tenant is suspended",
        ));
    }
    Ok(())
}
