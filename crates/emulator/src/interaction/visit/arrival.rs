//! How a request becomes a visit: the browser by its cookie, and the parameters of the query.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::Visit;
use super::cookie::recognized;
use crate::exchange::Exchange;
use crate::form::Form;
use crate::interaction::stop::Stop;
use crate::page::{self, Frame};
use crate::refusal::Refusal;
use crate::tenant::Tenant;

/// The query of a page.
#[derive(Debug)]
pub(in crate::interaction) struct Query(pub(in crate::interaction) Form);

impl FromRequestParts<Arc<Tenant>> for Visit {
    type Rejection = Response;

    /// Identifies the browser by its cookie, or gives it one.
    async fn from_request_parts(
        parts: &mut Parts,
        tenant: &Arc<Tenant>,
    ) -> Result<Self, Self::Rejection> {
        let exchange = Extension::<Exchange>::from_request_parts(parts, tenant).await;
        let Extension(exchange) = exchange.map_err(IntoResponse::into_response)?;
        match recognized(tenant, &parts.headers) {
            Ok((browser, cookie)) => Ok(Self {
                tenant: Arc::clone(tenant),
                exchange,
                browser,
                cookie,
            }),
            Err(refusal) => Err(refused(tenant, &exchange, refusal)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(Form::read_leniently(query.as_bytes())))
    }
}

/// The answer where no browser can be identified: over the limit, or without randomness.
fn refused(tenant: &Tenant, exchange: &Exchange, refusal: Refusal) -> Response {
    let stop = Stop::from(refusal);
    let frame = Frame {
        prefix: tenant.issuer_path(),
        tenant: tenant.title(),
        csrf: "",
    };
    let content = page::stopped(&frame, stop.title, &stop.refusal, &exchange.request_id);
    let mut response = page::response(stop.refusal.code.status(), content, None);
    for (name, value) in stop.refusal.headers {
        response.headers_mut().insert(name, value);
    }
    response
}
