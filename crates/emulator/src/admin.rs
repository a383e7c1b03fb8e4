//! The admin API, and what only an emulator has: both behind the admin token.

mod answer;
mod applications;
mod audit;
mod body;
mod control;
mod page;
mod people;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, patch, post};
use serde_json::json;

use crate::exchange::Exchange;
use crate::reply;
use crate::tenant::Tenant;

pub(crate) fn router(tenant: &Arc<Tenant>) -> Router<Arc<Tenant>> {
    platform()
        .merge(control())
        .route_layer(from_fn_with_state(Arc::clone(tenant), guard))
}

/// What the platform has too.
fn platform() -> Router<Arc<Tenant>> {
    use self::applications::{list, one, register, revoke_tokens, rotate_secret, update};

    Router::new()
        .route("/api/v1/applications", get(list).post(register))
        .route("/api/v1/applications/{id}", get(one).patch(update))
        .route(
            "/api/v1/applications/{id}/rotate-secret",
            post(rotate_secret),
        )
        .route(
            "/api/v1/applications/{id}/revoke-tokens",
            post(revoke_tokens),
        )
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/users", get(people::users))
        .route("/api/v1/users/{id}", patch(people::update_user))
}

/// What only an emulator has.
fn control() -> Router<Arc<Tenant>> {
    use self::control::{
        add_fault, advance, change_switches, clear_faults, clear_requests, clock, faults, requests,
        reset, rotate_keys, switches,
    };

    Router::new()
        .route("/emulator/v1/clock", get(clock).post(advance))
        .route(
            "/emulator/v1/faults",
            get(faults).post(add_fault).delete(clear_faults),
        )
        .route(
            "/emulator/v1/consents",
            get(people::consents).delete(people::revoke_consents),
        )
        .route("/emulator/v1/login", post(people::login))
        .route("/emulator/v1/sessions", get(people::sessions))
        .route("/emulator/v1/sessions/{id}", delete(people::revoke_session))
        .route("/emulator/v1/families", get(people::families))
        .route(
            "/emulator/v1/refresh-tokens/state",
            post(people::refresh_token_state),
        )
        .route("/emulator/v1/keys/rotate", post(rotate_keys))
        .route(
            "/emulator/v1/requests",
            get(requests).delete(clear_requests),
        )
        .route("/emulator/v1/reset", post(reset))
        .route(
            "/emulator/v1/switches",
            get(switches).patch(change_switches),
        )
}

/// Lets in requests with the admin token (RFC 6750 section 2.1).
async fn guard(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    request: Request,
    next: Next,
) -> Response {
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| {
        let (scheme, token) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    if token.is_some_and(|token| tenant.admin_token.matches(token)) {
        return next.run(request).await;
    }
    let message = "send the admin token: Authorization: Bearer ...";
    let (status, code) = (StatusCode::UNAUTHORIZED, "not_authenticated");
    let mut response = reply::rest_error(status, code, message, json!({}), &exchange.request_id);
    let challenge = axum::http::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}
