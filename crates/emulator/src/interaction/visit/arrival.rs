//! A request of a browser arrives: who it is, by its cookie, and what its query says.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::Visit;
use crate::endpoint::{Exchange, Form, admit};
use crate::interaction::Stop;
use crate::page::{self, Frame};
use crate::person::Browser;
use crate::random;
use crate::refusal::Refusal;
use crate::secret::{Digest, Secret};
use crate::tenant::Tenant;

/// What the query of a page says.
#[derive(Debug)]
pub(in crate::interaction) struct Query(pub(in crate::interaction) Form);

impl FromRequestParts<Arc<Tenant>> for Visit {
    type Rejection = Response;

    /// Knows the browser by its cookie, or gives it one.
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

/// The answer where not even a browser can be told apart: over the limit, or without randomness.
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

/// The browser, and the cookie that it gets if it had none.
fn recognized(tenant: &Tenant, headers: &HeaderMap) -> Result<(Browser, Option<String>), Refusal> {
    admit(tenant)?;
    let now = tenant.now();
    let known = cookie(headers, &cookie_name(tenant)).and_then(|value| {
        let mut live = tenant.live();
        let known = live.people.browsers.find_mut(Digest::of(&value))?;
        known.seen = now;
        Some(known.clone())
    });
    if let Some(browser) = known {
        return Ok((browser, None));
    }
    let (browser, value) = fresh(tenant, None)?;
    Ok((browser, Some(value)))
}

pub(super) fn fresh(
    tenant: &Tenant,
    session: Option<String>,
) -> Result<(Browser, String), Refusal> {
    let value = random::token()?;
    let csrf = random::token()?;
    let mut live = tenant.live();
    live.people.made.insert(&value);
    live.people.made.insert(&csrf);
    let browser = Browser {
        id: Digest::of(&value),
        csrf: Secret::new(csrf),
        session,
        seen: tenant.now(),
    };
    live.people.browsers.insert(browser.clone());
    Ok((browser, value))
}

/// Cookies know no ports: with the port in the name, two emulators on one machine stay apart.
pub(super) fn cookie_name(tenant: &Tenant) -> String {
    let authority = tenant.issuer.trim_start_matches("http://");
    let authority = authority.split('/').next().unwrap_or_default();
    let port = authority.rsplit(':').next().unwrap_or_default();
    format!("intelliauth_{port}")
}

/// RFC 6265 section 5.4: pairs, parted by `; `.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(COOKIE).iter();
    let mut pairs = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}
