//! `/activate`: a person types the code that a device shows (RFC 8628 section 3.3).

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use super::Stop;
use super::visit::{Visit, refused};
use crate::endpoint::{Exchange, Form};
use crate::page;
use crate::tenant::Tenant;

pub(super) async fn show(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let visit = match Visit::of(&tenant, &exchange, &headers) {
        Ok(visit) => visit,
        Err(refusal) => return refused(&tenant, &exchange, refusal),
    };
    let query = Form::read_leniently(query.unwrap_or_default().as_bytes());
    // RFC 8628 section 3.3.1: the code that came along is shown, and the person confirms it.
    let code = query.get("user_code").unwrap_or_default();
    let content = page::activate(&visit.frame(), code, None);
    visit.page(StatusCode::OK, content, None)
}

pub(super) async fn submit(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let visit = match Visit::of(&tenant, &exchange, &headers) {
        Ok(visit) => visit,
        Err(refusal) => return refused(&tenant, &exchange, refusal),
    };
    let activated = activate(&visit, &headers, &body);
    activated.unwrap_or_else(|stop| visit.stop(&stop))
}

fn activate(visit: &Visit<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Response, Stop> {
    let form = visit.form(headers, body)?;
    let code = form.get("user_code").unwrap_or_default();
    let now = visit.tenant.now();
    let ask = {
        let live = visit.tenant.live();
        live.people
            .devices
            .waiting(code, now, live.switches.device_code_ttl)
    };
    if let Some(ask) = ask {
        return Ok(visit.proceed(&ask, false));
    }
    let message = "This code is not right, or it is too old. Look at the device again.";
    let content = page::activate(&visit.frame(), code, Some(message));
    Ok(visit.page(StatusCode::UNPROCESSABLE_ENTITY, content, None))
}
