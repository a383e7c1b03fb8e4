//! People, their sessions, consents and refresh tokens.
//!
//! `/api/v1/users` is the platform's; whether it has a place for the rest is not documented, so that
//! stands below `/emulator/v1`.

use std::sync::Arc;

use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Rejection, answer, by, rejected};
use super::body::{Fields, required};
use super::page::Page;
use crate::config::User;
use crate::exchange::Exchange;
use crate::login::{PageError, Person};
use crate::person::Which;
use crate::tenant::Tenant;

pub(super) async fn users(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    RawQuery(query): RawQuery,
) -> Response {
    match Page::read(query.as_deref()) {
        Ok(page) => {
            let views: Vec<Value> = tenant.live().users.iter().map(view).collect();
            page.answer(views.into_iter(), &exchange)
        }
        Err(rejection) => rejected(&exchange, &rejection),
    }
}

/// Suspends a person, or lets them in again.
pub(super) async fn update_user(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let updated = Fields::read(&body, &["enabled"]).and_then(|fields| {
        let enabled = required("enabled", fields.boolean("enabled")?)?;
        let user = tenant.set_user_enabled(&id, enabled, &by(&exchange))?;
        Ok(view(&user))
    });
    answer(&exchange, StatusCode::OK, updated)
}

/// A person opens a URL or types the code of a device, and says yes or no: for tests in other
/// languages. The pages are driven over HTTP, as by [`Person`].
pub(super) async fn login(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    body: Bytes,
) -> Response {
    let done = match Login::read(&body) {
        Ok(login) => login.run(Arc::clone(&tenant)).await,
        Err(rejection) => Err(rejection),
    };
    answer(&exchange, StatusCode::OK, done)
}

/// What [`login`] is asked for.
#[derive(Debug)]
struct Login {
    user: String,
    url: Option<String>,
    user_code: Option<String>,
    allows: bool,
}

impl Login {
    fn read(body: &[u8]) -> Result<Self, Rejection> {
        let fields = Fields::read(body, &["user", "url", "user_code", "allow"])?;
        Ok(Self {
            user: required("user", fields.string("user")?)?,
            url: fields.string("url")?,
            user_code: fields.string("user_code")?,
            allows: fields.boolean("allow")?.unwrap_or(true),
        })
    }

    async fn run(self, tenant: Arc<Tenant>) -> Result<Value, Rejection> {
        let person = Person::new(tenant, self.user);
        let failed = |field: &str, error: &PageError| Rejection::invalid(field, error.to_string());
        match (self.url, self.user_code) {
            (Some(url), None) => {
                let callback = if self.allows {
                    person.approve(&url).await
                } else {
                    person.deny(&url).await
                };
                let callback = callback.map_err(|error| failed("url", &error))?;
                Ok(json!({ "callback": callback.as_str() }))
            }
            (None, Some(code)) => {
                let decided = if self.allows {
                    person.device_approve(&code).await
                } else {
                    person.device_deny(&code).await
                };
                decided.map_err(|error| failed("user_code", &error))?;
                Ok(json!({ "callback": null }))
            }
            _ => Err(Rejection::invalid(
                "url",
                "give either `url` or `user_code`",
            )),
        }
    }
}

pub(super) async fn consents(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    let records = json!(tenant.live().people.consents.records());
    answer(&exchange, StatusCode::OK, Ok(records))
}

/// Takes consents back: at the API of `audience`, about the person where it is `null`, all without.
pub(super) async fn revoke_consents(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    body: Bytes,
) -> Response {
    let revoked = Fields::read(&body, &["user", "application", "audience"]).and_then(|fields| {
        let user = required("user", fields.string("user")?)?;
        let application = required("application", fields.string("application")?)?;
        let audience = fields.string("audience")?;
        let which = match &audience {
            Some(audience) => Which::Api(audience),
            None if fields.is_null("audience") => Which::AboutPerson,
            None => Which::All,
        };
        let records = tenant.revoke_consent((&user, &application), which, &by(&exchange));
        Ok(json!({ "revoked": records.len() }))
    });
    answer(&exchange, StatusCode::OK, revoked)
}

pub(super) async fn sessions(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    answer(&exchange, StatusCode::OK, Ok(json!(tenant.sessions())))
}

pub(super) async fn revoke_session(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    Path(id): Path<String>,
) -> Response {
    let revoked = tenant.revoke_session(&id, &by(&exchange));
    let revoked = revoked.map(|()| json!({ "id": id })).map_err(Into::into);
    answer(&exchange, StatusCode::OK, revoked)
}

pub(super) async fn families(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
) -> Response {
    answer(&exchange, StatusCode::OK, Ok(json!(tenant.families())))
}

/// The state of a refresh token; asking does not use it.
pub(super) async fn refresh_token_state(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    body: Bytes,
) -> Response {
    let state = Fields::read(&body, &["token"]).and_then(|fields| {
        let token = required("token", fields.string("token")?)?;
        let state = tenant.refresh_token_state(&token);
        let live = tenant.live();
        let family = live.people.families.of_token(&token);
        let mut view = json!(state);
        view["is_accepted"] = state.is_accepted().into();
        view["family"] = json!(family.map(|family| &family.grant.family));
        Ok(view)
    });
    answer(&exchange, StatusCode::OK, state)
}

/// A person as the admin API shows one: everything but the secrets.
fn view(user: &User) -> Value {
    json!({
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "enabled": user.enabled,
        "has_second_factor": user.second_factor.is_some(),
        "entitlements": user.entitlements,
    })
}
