//! `POST /oauth2/token`: an application gets a token for one API.

mod mint;
mod record;

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use self::mint::{Minted, mint};
pub(super) use self::mint::{audience_claim, joined};
use self::record::record;
pub(crate) use self::record::record_spoilt;
use super::client_authentication::authenticate;
use super::{Exchange, Form, admit, refused};
use crate::config::{Application, ApplicationKind};
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
    let minted = client_credentials(&tenant, &exchange, &headers, &body);
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

/// RFC 6749 section 4.4.
fn client_credentials(
    tenant: &Tenant,
    exchange: &Exchange,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Minted, Refusal> {
    admit(tenant)?;
    let form = Form::read(headers, body)?;
    let grant_type = form.require("grant_type")?;
    let application = authenticate(tenant, headers, &form)?;
    may_use(&application, grant_type)?;
    let (audience, granted, switches) = {
        let live = tenant.live();
        let switches = &live.switches;
        let (audience, resource) = (form.get("audience"), form.get("resource"));
        let named = policy::named_audience(switches.audience_parameter, audience, resource)?;
        let audience = policy::audience(&application, &live.apis, switches, named)?;
        let scope = form.get("scope");
        let granted = policy::scopes(&application, &live.apis, switches, &audience, scope)?;
        (audience, granted, switches.clone())
    };
    let fault = &exchange.mint;
    if let Some(keep_old) = fault.rotate_keeping_old {
        let by = By {
            context: exchange.audit_context(),
            ..By::handle()
        };
        tenant.rotate_keys(keep_old, &by)?;
    }
    mint(tenant, fault, &switches, &application, audience, granted)
}

fn may_use(application: &Application, grant_type: &str) -> Result<(), Refusal> {
    let is_service = application.kind == ApplicationKind::Service;
    match grant_type {
        "client_credentials" if is_service => Ok(()),
        "client_credentials" => {
            let description = format!("application `{}` may not use this grant", application.id);
            Err(Refusal::new(Code::UnauthorizedClient, description))
        }
        _ => {
            let description = format!("no grant `{}` here", grant_type.escape_default());
            Err(Refusal::new(Code::UnsupportedGrantType, description))
        }
    }
}
