//! Which handler answers at which path, and what is answered where there is none.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Router};
use serde_json::json;

use crate::exchange::Exchange;
use crate::tenant::Tenant;
use crate::{admin, endpoint, interaction, reply};

/// Every path below the issuer.
pub(super) fn router(tenant: Arc<Tenant>) -> Router {
    endpoint::router()
        .merge(interaction::router())
        .merge(admin::router(&tenant))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(tenant)
}

/// The answer for everything outside: in the platform's envelope.
async fn not_found(exchange: Extension<Exchange>) -> Response {
    nothing_here(&exchange.request_id)
}

pub(super) fn nothing_here(request_id: &str) -> Response {
    let message = "there is nothing at this path; the metadata names the endpoints";
    reply::rest_error(
        StatusCode::NOT_FOUND,
        "not_found",
        message,
        json!({}),
        request_id,
    )
}

async fn method_not_allowed(exchange: Extension<Exchange>) -> Response {
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
