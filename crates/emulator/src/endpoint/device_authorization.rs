//! `POST /oauth2/device_authorization` (RFC 8628 section 3.1): a device asks for a person elsewhere.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::client_authentication::authenticate;
use crate::config::{Application, ApplicationKind};
use crate::exchange::{Exchange, admit, refused};
use crate::form::Form;
use crate::person::{AuthorizationRequest, Back, Decision, Device, Level, Prompt};
use crate::policy::{self, Standing};
use crate::refusal::{Code, Refusal};
use crate::secret::Digest;
use crate::tenant::Tenant;
use crate::{random, reply, routes};

pub(super) async fn device_authorization(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match begin(&tenant, &headers, &body) {
        Ok(begun) => reply::not_stored(reply::json(StatusCode::OK, &begun)),
        Err(refusal) => refused(&tenant, &exchange, &refusal),
    }
}

fn begin(tenant: &Tenant, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    admit(tenant)?;
    let form = Form::read_repeatable(headers, body, &["audience", "resource"])?;
    let application = authenticate(tenant, headers, &form)?;
    if application.kind == ApplicationKind::Service {
        let description = format!("application `{}` acts for itself only", application.id);
        return Err(Refusal::new(Code::UnauthorizedClient, description));
    }
    let device_code = random::token()?;
    let user_code = random::user_code()?;
    let id = Digest::of(&device_code);
    let request = read_request(tenant, &application, &form, id)?;
    let mut live = tenant.live();
    let switches = live.switches.clone();
    live.people.issued_secrets.insert(&device_code);
    live.people.issued_secrets.insert(&user_code);
    let device = Device {
        request,
        user_code: user_code.clone(),
        since: tenant.now(),
        decision: Decision::Open,
        interval: switches.device_interval,
        polled: None,
    };
    live.people.devices.insert(id, device);
    let page = format!("{}{}", tenant.issuer, routes::ACTIVATE);
    let mut reply = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": switches.device_code_ttl.as_secs(),
    });
    if switches.device_reply_includes_interval {
        reply["interval"] = switches.device_interval.as_secs().into();
    }
    Ok(reply)
}

fn read_request(
    tenant: &Tenant,
    application: &Application,
    form: &Form,
    id: Digest,
) -> Result<AuthorizationRequest, Refusal> {
    let live = tenant.live();
    let audiences = policy::named_audiences(application, &live.apis, &live.switches, form)?;
    let standing = Standing {
        application,
        apis: &live.apis,
        switches: &live.switches,
        consents: &live.people.consents,
    };
    let scopes = standing.named_scopes(&audiences, form.get("scope"))?;
    Ok(AuthorizationRequest {
        client_id: application.id.clone(),
        audiences,
        scopes,
        prompt: Prompt::default(),
        login_hint: None,
        max_age: None,
        level: Level::One,
        back: Back::Device(id),
    })
}
