//! `/emulator/v1`: the clock, faults, counts and switches, for tests in any language.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::answer::{Rejection, answer, by};
use super::body::{Fields, required};
use crate::clock::rfc3339;
use crate::config::Switches;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::reply;
use crate::routes::Endpoint;
use crate::tenant::Tenant;

pub(super) async fn clock(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    answer(
        &exchange,
        StatusCode::OK,
        Ok(json!({ "now": rfc3339(tenant.now()) })),
    )
}

pub(super) async fn advance(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    body: Bytes,
) -> Response {
    let advanced = read_seconds(&body).map(|by| {
        tenant.clock.advance(by);
        json!({ "now": rfc3339(tenant.now()) })
    });
    answer(&exchange, StatusCode::OK, advanced)
}

pub(super) async fn faults(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    answer(&exchange, StatusCode::OK, Ok(json!(tenant.faults.all())))
}

pub(super) async fn add_fault(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    body: Bytes,
) -> Response {
    let added = serde_json::from_slice::<Fault>(&body);
    let added = added.map_err(|error| Rejection::invalid("fault", error.to_string()));
    let added = added.map(|fault| {
        let view = json!(fault);
        tenant.faults.add(fault);
        view
    });
    answer(&exchange, StatusCode::CREATED, added)
}

pub(super) async fn clear_faults(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    tenant.faults.clear();
    answer(&exchange, StatusCode::OK, Ok(json!([])))
}

pub(super) async fn rotate_keys(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    body: Bytes,
) -> Response {
    let rotated = Fields::read(&body, &["keep_old"]).and_then(|fields| {
        let keep_old = fields.boolean("keep_old")?.unwrap_or(true);
        Ok(json!({ "kid": tenant.rotate_keys(keep_old, &by(&exchange))? }))
    });
    answer(&exchange, StatusCode::OK, rotated)
}

/// The requests, and in `meta.counts` what a test most often wants of them.
pub(super) async fn requests(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    let records = tenant.requests.records();
    let token_requests = records
        .iter()
        .filter(|record| record.endpoint == Some(Endpoint::Token))
        .count();
    let meta = json!({
        "counts": {
            "requests": records.len(),
            "token_requests": token_requests,
            "tokens_issued": tenant.tokens_issued(),
        },
        "request_id": exchange.request_id,
    });
    reply::envelope_of(StatusCode::OK, json!(records), meta)
}

pub(super) async fn clear_requests(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    tenant.clear_requests();
    answer(&exchange, StatusCode::OK, Ok(json!([])))
}

pub(super) async fn reset(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    tenant.reset();
    answer(
        &exchange,
        StatusCode::OK,
        Ok(json!({ "now": rfc3339(tenant.now()) })),
    )
}

pub(super) async fn switches(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    let view = json!(tenant.live().switches);
    answer(&exchange, StatusCode::OK, Ok(view))
}

pub(super) async fn change_switches(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    body: Bytes,
) -> Response {
    let current = json!(tenant.live().switches);
    let changed = merged(current, &body).map(|switches| {
        let view = json!(switches);
        tenant.change_switches(|live| *live = switches, &by(&exchange));
        view
    });
    answer(&exchange, StatusCode::OK, changed)
}

fn merged(mut current: Value, body: &[u8]) -> Result<Switches, Rejection> {
    let change: Value = serde_json::from_slice(body)
        .map_err(|error| Rejection::malformed(format!("the body is not JSON: {error}")))?;
    let Value::Object(change) = change else {
        return Err(Rejection::malformed("the body must be a JSON object"));
    };
    // One by one, so that a complaint names the switch.
    for (name, value) in change {
        current[&name] = value;
        Switches::deserialize(&current)
            .map_err(|error| Rejection::invalid(&name, error.to_string()))?;
    }
    Switches::deserialize(&current).map_err(|error| Rejection::malformed(error.to_string()))
}

/// `{"seconds": 90}` or `{"seconds": 0.5}`.
fn read_seconds(body: &[u8]) -> Result<Duration, Rejection> {
    let fields = Fields::read(body, &["seconds"])?;
    let expected = "must be a number of seconds, zero or more";
    let seconds = fields.get("seconds", expected, |value| {
        Duration::try_from_secs_f64(value.as_f64()?).ok()
    })?;
    required("seconds", seconds)
}
