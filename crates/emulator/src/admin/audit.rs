//! `/api/v1/audit`: the audit log, oldest first.

use std::sync::Arc;

use axum::extract::{Extension, RawQuery, State};
use axum::response::Response;
use serde_json::Value;

use super::answer::rejected;
use super::page::Page;
use crate::exchange::Exchange;
use crate::tenant::Tenant;

pub(super) async fn list(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    RawQuery(query): RawQuery,
) -> Response {
    let page = match Page::read(query.as_deref()) {
        Ok(page) => page,
        Err(rejection) => return rejected(&exchange, &rejection),
    };
    let only = only_type(query.as_deref());
    let entries = tenant.audit.entries().into_iter();
    let entries = entries.filter(|entry| only.as_ref().is_none_or(|only| entry.kind == *only));
    let entries: Vec<Value> = entries
        .map(|entry| serde_json::to_value(entry).unwrap_or_default())
        .collect();
    page.answer(entries.into_iter(), &exchange)
}

fn only_type(query: Option<&str>) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs
        .find(|(name, _)| name == "type")
        .map(|(_, value)| value.into_owned())
}
