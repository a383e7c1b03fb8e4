//! `/api/v1/applications`: register, read, change, rotate, revoke.

use std::sync::Arc;

use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize as _;
use serde_json::json;

use super::answer::{Rejection, answer, by, rejected};
use super::body::{Fields, required};
use super::page::Page;
use crate::clock::rfc3339;
use crate::config::{Application, ApplicationKind};
use crate::exchange::Exchange;
use crate::random;
use crate::secret::Secret;
use crate::tenant::{ChangeError, Lifetime, Registration, Tenant, Update};

pub(super) async fn list(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    RawQuery(query): RawQuery,
) -> Response {
    let views = tenant.live().registry.views();
    match Page::read(query.as_deref()) {
        Ok(page) => page.answer(views.into_iter(), &exchange),
        Err(rejection) => rejected(&exchange, &rejection),
    }
}

pub(super) async fn one(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    Path(id): Path<String>,
) -> Response {
    let view = tenant
        .live()
        .known(&id)
        .map(Registration::view)
        .map_err(Rejection::from);
    answer(&exchange, StatusCode::OK, view)
}

/// Registers an application. The reply is the only one that ever shows its secret.
pub(super) async fn register(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    body: Bytes,
) -> Response {
    let registered = read_application(&tenant, &body).and_then(|application| {
        let secret = application.secret.clone();
        let mut view = tenant.register(application, &by(&exchange))?.view();
        if let Some(secret) = secret {
            view["secret"] = secret.expose().into();
        }
        Ok(view)
    });
    answer(&exchange, StatusCode::CREATED, registered)
}

pub(super) async fn update(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let updated = read_update(&body).and_then(|update| {
        let registration = tenant.update(&id, update, &by(&exchange))?;
        Ok(registration.view())
    });
    answer(&exchange, StatusCode::OK, updated)
}

pub(super) async fn rotate_secret(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    Path(id): Path<String>,
) -> Response {
    let rotated = tenant.rotate_secret(&id, &by(&exchange));
    let rotated = rotated.map_err(Rejection::from).map(|(secret, until)| {
        json!({ "id": id, "secret": secret, "previous_expires_at": rfc3339(until) })
    });
    answer(&exchange, StatusCode::OK, rotated)
}

pub(super) async fn revoke_tokens(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    Path(id): Path<String>,
) -> Response {
    let revoked = tenant.revoke_tokens(&id, &by(&exchange));
    let revoked = revoked.map_err(Rejection::from);
    let revoked = revoked.map(|count| json!({ "id": id, "revoked": count }));
    answer(&exchange, StatusCode::OK, revoked)
}

fn read_application(tenant: &Tenant, body: &[u8]) -> Result<Application, Rejection> {
    let fields = Fields::read(body, &FIELDS)?;
    let name = required("name", fields.string("name")?)?;
    let expected = "must be one of service, web, native, browser";
    let kind = fields.get("type", expected, |value| {
        ApplicationKind::deserialize(value).ok()
    })?;
    let kind = required("type", kind)?;
    let id = fields
        .string("id")?
        .unwrap_or_else(|| random::id("app_", tenant.now()));
    let secret = match kind {
        ApplicationKind::Service | ApplicationKind::Web => {
            let secret = random::token().map_err(|random::NoRandomness| ChangeError::Crypto)?;
            Some(Secret::new(secret))
        }
        ApplicationKind::Native | ApplicationKind::Browser => None,
    };
    let mut application = Application::new(id, kind, secret)
        .name(name)
        .allow_scopes(fields.strings("allowed_scopes")?.unwrap_or_default())
        .allow_audiences(fields.strings("allowed_audiences")?.unwrap_or_default());
    application.audience = fields.string("audience")?;
    application.token_lifetime = fields.seconds("token_lifetime")?;
    application.redirect_uris = fields.strings("redirect_uris")?.unwrap_or_default();
    application.logout_uris = fields.strings("logout_uris")?.unwrap_or_default();
    application.enabled = fields.boolean("enabled")?.unwrap_or(true);
    Ok(application)
}

fn read_update(body: &[u8]) -> Result<Update, Rejection> {
    let fields = Fields::read(body, &CHANGEABLE)?;
    // `null` goes back to the tenant's own setting; a missing field changes nothing.
    let lifetime = if fields.is_null("token_lifetime") {
        Some(Lifetime::OfTenant)
    } else {
        fields.seconds("token_lifetime")?.map(Lifetime::Own)
    };
    Ok(Update {
        name: fields.string("name")?,
        allowed_scopes: fields.strings("allowed_scopes")?,
        allowed_audiences: fields.strings("allowed_audiences")?,
        enabled: fields.boolean("enabled")?,
        token_lifetime: lifetime,
    })
}

const FIELDS: [&str; 10] = [
    "id",
    "name",
    "type",
    "allowed_scopes",
    "allowed_audiences",
    "audience",
    "token_lifetime",
    "redirect_uris",
    "logout_uris",
    "enabled",
];

const CHANGEABLE: [&str; 5] = [
    "name",
    "allowed_scopes",
    "allowed_audiences",
    "enabled",
    "token_lifetime",
];
