//! What happens to every request: noted, perhaps spoilt, answered.

mod router;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{DATE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::json;

use self::router::{nothing_here, router};
use crate::endpoint::{claimed_id, record_spoilt};
use crate::exchange::Exchange;
use crate::fault::{Action, Concern, Hangup, Mint, Plan, alter, replace};
use crate::form::Form;
use crate::host::Hosts;
use crate::requests::RequestRecord;
use crate::routes::{CONTROL, Endpoint, below_issuer, route_at};
use crate::tenant::Tenant;
use crate::{random, reply};

/// The way of every request through one emulator.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    tenant: Arc<Tenant>,
    router: TowerToHyperService<Router>,
    hosts: Hosts,
}

/// A request, read to its end.
#[derive(Debug)]
struct Arrival {
    parts: Parts,
    body: Bytes,
    subject: Subject,
    request_id: String,
    /// Its number in the log, unless it is about the emulator itself.
    number: Option<u64>,
}

/// What a request is about, as far as it says so itself; none of it is verified.
#[derive(Debug)]
struct Subject {
    path: String,
    /// Where the router finds what answers at the path.
    route: String,
    endpoint: Option<Endpoint>,
    client_id: Option<String>,
    audience: Option<String>,
    form: Form,
}

impl Pipeline {
    pub(crate) fn new(tenant: Arc<Tenant>, hosts: Hosts) -> Self {
        Self {
            router: TowerToHyperService::new(router(Arc::clone(&tenant))),
            tenant,
            hosts,
        }
    }

    /// Answers, or fails: then the connection is to be closed without a reply.
    pub(crate) async fn serve(self, request: Request<Body>) -> io::Result<Response> {
        let (parts, body) = request.into_parts();
        let request_id = random::id("req_", self.tenant.now());
        if !self.hosts.is_allowed(&parts) {
            return Ok(self.stamped(misdirected(&request_id), &request_id));
        }
        let Ok(body) = to_bytes(body, MOST_BODY).await else {
            return Ok(too_large(&request_id));
        };
        let subject = Subject::of(&parts, &body, &self.tenant);
        let number = self.note(&parts, &subject);
        let plan = self.plan(&subject);
        let arrival = Arrival {
            parts,
            body,
            subject,
            request_id,
            number,
        };
        let Some(hold) = plan.hold else {
            return self.reply(arrival, plan).await;
        };
        // In a task of its own, which a client that goes away does not end.
        let arriving = tokio::spawn(async move {
            tokio::time::sleep(hold).await;
            self.reply(arrival, plan).await
        });
        arriving.await.map_err(io::Error::other)?
    }

    async fn reply(self, arrival: Arrival, plan: Plan) -> io::Result<Response> {
        let Arrival {
            parts,
            body,
            subject,
            request_id,
            number,
        } = arrival;
        if let Some(delay) = plan.delay {
            tokio::time::sleep(delay).await;
        }
        let answer = self.answer(parts, body, &subject, &request_id, plan);
        let response = answer.await;
        if response.extensions().get::<Hangup>().is_some() {
            return Err(io::Error::other("the connection is dropped on purpose"));
        }
        if let Some(number) = number {
            self.tenant
                .requests
                .answered(number, response.status().as_u16());
        }
        Ok(self.stamped(response, &request_id))
    }

    /// Spoils the reply as a fault wants, or lets the endpoint answer.
    async fn answer(
        &self,
        parts: Parts,
        body: Bytes,
        subject: &Subject,
        request_id: &str,
        plan: Plan,
    ) -> Response {
        let Plan {
            delay_after,
            action,
            ..
        } = plan;
        let exchange = Exchange {
            request_id: request_id.to_owned(),
            user_agent: text_of(&parts, USER_AGENT),
            fault: action.as_ref().and_then(Action::name),
            mint: Mint::of(action.as_ref()),
        };
        let instead = action
            .as_ref()
            .and_then(|it| replace(it, self.tenant.now(), request_id));
        if let Some(response) = instead {
            if subject.endpoint == Some(Endpoint::Token) && parts.method == Method::POST {
                let client_id = subject.client_id.clone();
                record_spoilt(&self.tenant, &exchange, client_id, &subject.form);
            }
            return response;
        }
        let response = self.route(parts, body, &subject.route, exchange).await;
        if let Some(delay) = delay_after {
            tokio::time::sleep(delay).await;
        }
        match &action {
            Some(action) => alter(action, response).await,
            None => response,
        }
    }

    async fn route(
        &self,
        mut parts: Parts,
        body: Bytes,
        path: &str,
        exchange: Exchange,
    ) -> Response {
        let request_id = exchange.request_id.clone();
        let path_and_query = match parts.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let Ok(uri) = path_and_query.parse::<Uri>() else {
            return nothing_here(&request_id);
        };
        parts.uri = uri;
        parts.extensions.insert(exchange);
        let request = Request::from_parts(parts, Body::from(body));
        match self.router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    fn plan(&self, subject: &Subject) -> Plan {
        let Some(endpoint) = subject.endpoint else {
            return Plan::default();
        };
        self.tenant.faults.take(Concern {
            endpoint,
            client_id: subject.client_id.as_deref(),
            audience: subject.audience.as_deref(),
            grant_type: subject.form.get("grant_type"),
        })
    }

    /// Notes the request, unless it is about the emulator itself. Returns its number.
    fn note(&self, parts: &Parts, subject: &Subject) -> Option<u64> {
        if subject.path.starts_with(CONTROL) {
            return None;
        }
        let tenant = &self.tenant;
        let read = |text: Option<&str>| text.map(|text| tenant.redact(text));
        Some(tenant.requests.arrived(RequestRecord {
            method: tenant.redact(parts.method.as_str()),
            path: tenant.redact_path(&subject.path),
            endpoint: subject.endpoint,
            status: None,
            grant_type: read(subject.form.get("grant_type")),
            client_id: read(subject.client_id.as_deref()),
            audience: read(subject.audience.as_deref()),
            scope: read(subject.form.get("scope")),
            at: tenant.now(),
        }))
    }

    /// The `Date` of the emulator's own clock: a `Retry-After` date is relative to it.
    fn stamped(&self, mut response: Response, request_id: &str) -> Response {
        let date = httpdate::fmt_http_date(self.tenant.now());
        let stamps = [(DATE, date.as_str()), (REQUEST_ID, request_id)];
        for (name, value) in stamps {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl Subject {
    fn of(parts: &Parts, body: &[u8], tenant: &Tenant) -> Self {
        let below = below_issuer(parts.uri.path(), tenant.issuer_path());
        let path = below.unwrap_or(OUTSIDE);
        let end_in_slash = tenant.live().switches.endpoints_end_in_slash;
        let route = route_at(path, end_in_slash).unwrap_or(NOT_HERE);
        let form = Form::read_leniently(body);
        Self {
            endpoint: Endpoint::of_path(route),
            client_id: claimed_id(&parts.headers, &form),
            audience: form
                .get("audience")
                .or_else(|| form.get("resource"))
                .map(str::to_owned),
            path: path.to_owned(),
            route: route.to_owned(),
            form,
        }
    }
}

fn text_of(parts: &Parts, name: HeaderName) -> Option<String> {
    let value = parts.headers.get(name)?;
    value.to_str().ok().map(str::to_owned)
}

/// RFC 9110 section 15.5.20: the request was meant for another server.
fn misdirected(request_id: &str) -> Response {
    let message =
        "an emulator on the loopback interface answers to 127.0.0.1, [::1] and localhost alone";
    let status = StatusCode::MISDIRECTED_REQUEST;
    reply::rest_error(status, "invalid_request", message, json!({}), request_id)
}

fn too_large(request_id: &str) -> Response {
    let message = "the body is larger than this server reads";
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    reply::rest_error(status, "invalid_request", message, json!({}), request_id)
}

/// No request to an issuer is larger; the admin API's lists of scopes fit as well.
const MOST_BODY: usize = 256 * 1024;

/// Where requests outside the issuer are routed to: nothing is there.
const OUTSIDE: &str = "/outside-the-issuer";

/// Where requests to an endpoint without the slash that it has are routed to: nothing is there.
const NOT_HERE: &str = "/not-the-advertised-endpoint";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
