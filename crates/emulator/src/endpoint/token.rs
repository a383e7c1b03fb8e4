//! `POST /oauth2/token`: an application gets a token for one API.

mod authorization_code;
mod device_code;
mod id_token;
mod mint;
mod person;
mod record;
mod refresh_token;
mod request;

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;

pub(super) use self::id_token::add_claims_about;
use self::mint::{Minted, Order, mint};
pub(super) use self::mint::{audience_claim, joined};
use self::record::record;
pub(crate) use self::record::record_spoilt;
use self::request::TokenRequest;
use super::client_authentication::authenticate;
use crate::config::{Application, ApplicationKind};
use crate::exchange::{Exchange, admit, refused};
use crate::form::Form;
use crate::policy;
use crate::refusal::{Code, Refusal};
use crate::reply;
use crate::tenant::{By, Tenant};

pub(super) async fn token(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let minted = grant(&tenant, &exchange, &headers, &body);
    record(
        &tenant,
        &exchange,
        &headers,
        &Form::read_leniently(&body),
        &minted,
    );
    match minted {
        Ok(minted) => {
            let includes_scope = tenant.live().switches.token_reply_includes_scope;
            reply::not_stored(reply::json(StatusCode::OK, &minted.reply(includes_scope)))
        }
        Err(refusal) => refused(&tenant, &exchange, &refusal),
    }
}

fn grant(
    tenant: &Tenant,
    exchange: &Exchange,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Minted, Refusal> {
    admit(tenant)?;
    let form = Form::read(headers, body)?;
    let grant_type = form.require("grant_type")?.to_owned();
    let application = authenticate(tenant, headers, &form)?;
    may_use(&application, &grant_type)?;
    if let Some(keep_old) = exchange.mint.rotate_keeping_old {
        let by = By {
            context: exchange.audit_context(),
            ..By::handle()
        };
        tenant.rotate_keys(keep_old, &by)?;
    }
    let request = TokenRequest {
        tenant,
        exchange,
        application,
        form,
    };
    match grant_type.as_str() {
        AUTHORIZATION_CODE => authorization_code::exchange(&request),
        REFRESH_TOKEN => refresh_token::refresh(&request),
        DEVICE_CODE => device_code::poll(&request),
        _ => client_credentials(&request),
    }
}

/// RFC 6749 section 4.4.
fn client_credentials(request: &TokenRequest<'_>) -> Result<Minted, Refusal> {
    let TokenRequest {
        tenant,
        exchange,
        application,
        form,
    } = request;
    let (audience, granted, switches) = {
        let live = tenant.live();
        let switches = &live.switches;
        let (audience, resource) = (form.get("audience"), form.get("resource"));
        let named = policy::named_audience(switches.audience_parameter, audience, resource)?;
        let audience = policy::audience(application, &live.apis, switches, named)?;
        let scope = form.get("scope");
        let granted = policy::scopes(application, &live.apis, switches, &audience, scope)?;
        (audience, granted, switches.clone())
    };
    let order = Order {
        application,
        audience,
        granted,
        grant: None,
    };
    mint(tenant, &exchange.mint, &switches, order)
}

/// Documented: an application of type service acts for itself, all others for a person.
fn may_use(application: &Application, grant_type: &str) -> Result<(), Refusal> {
    let is_service = application.kind == ApplicationKind::Service;
    let may = match grant_type {
        CLIENT_CREDENTIALS => is_service,
        AUTHORIZATION_CODE | REFRESH_TOKEN | DEVICE_CODE => !is_service,
        _ => {
            let description = format!("no grant `{}` here", grant_type.escape_default());
            return Err(Refusal::new(Code::UnsupportedGrantType, description));
        }
    };
    if may {
        return Ok(());
    }
    let description = format!("application `{}` may not use this grant", application.id);
    Err(Refusal::new(Code::UnauthorizedClient, description))
}

const CLIENT_CREDENTIALS: &str = "client_credentials";
const AUTHORIZATION_CODE: &str = "authorization_code";
const REFRESH_TOKEN: &str = "refresh_token";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
