//! `/activate`: a person types the code that a device shows (RFC 8628 section 3.3).

use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;

use super::stop::Stop;
use super::visit::{Query, Visit};
use crate::page;

pub(super) async fn show(visit: Visit, Query(query): Query) -> Response {
    // RFC 8628 section 3.3.1: the code that came along is shown, and the person confirms it.
    let code = query.get("user_code").unwrap_or_default();
    visit.activate_page(code, None)
}

pub(super) async fn submit(visit: Visit, headers: HeaderMap, body: Bytes) -> Response {
    let activated = activate(&visit, &headers, &body);
    activated.unwrap_or_else(|stop| visit.stop(&stop))
}

fn activate(visit: &Visit, headers: &HeaderMap, body: &[u8]) -> Result<Response, Stop> {
    let form = visit.form(headers, body)?;
    let code = form.get("user_code").unwrap_or_default();
    let now = visit.tenant.now();
    let request = {
        let live = visit.tenant.live();
        live.people
            .devices
            .waiting(code, now, live.switches.device_code_ttl)
    };
    if let Some(request) = request {
        return Ok(visit.proceed(&request, false));
    }
    let message = "This code is not right, or it is too old. Look at the device again.";
    Ok(visit.activate_page(code, Some(message)))
}

impl Visit {
    fn activate_page(&self, code: &str, message: Option<&str>) -> Response {
        let content = page::activate(&self.frame(), code, message);
        self.question(content, message, None)
    }
}
