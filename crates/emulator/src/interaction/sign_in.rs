//! The sign-in page.

use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;

use super::proceed::is_young;
use super::stop::Stop;
use super::visit::{Query, Visit};
use crate::audit::{AuditParty, Event, Outcome};
use crate::page::{self, SignInView};
use crate::person::{AuthorizationRequest, Level, Session, SignIn, Step};
use crate::random;
use crate::tenant::Tenant;

/// What a person typed.
#[derive(Debug)]
enum Attempt {
    Right(String),
    /// An unknown address or a wrong password: the page has one sentence for both.
    Wrong,
    Suspended(String),
}

pub(super) async fn show(visit: Visit, Query(query): Query) -> Response {
    let ticket = query.get("ticket").unwrap_or_default();
    match visit.read_ticket(ticket, Step::SignIn) {
        Ok(found) => {
            let email = visit.hinted(&found.request);
            visit.sign_in_page(&found.request, ticket, &email, None)
        }
        Err(stop) => visit.stop(&stop),
    }
}

pub(super) async fn submit(mut visit: Visit, headers: HeaderMap, body: Bytes) -> Response {
    let signed_in = sign_in(&mut visit, &headers, &body);
    signed_in.unwrap_or_else(|stop| visit.stop(&stop))
}

fn sign_in(visit: &mut Visit, headers: &HeaderMap, body: &[u8]) -> Result<Response, Stop> {
    let form = visit.form(headers, body)?;
    let request = visit.take_ticket(&form, Step::SignIn)?.request;
    if form.get("action") == Some("continue") && visit.chosen(&request).is_some() {
        return Ok(visit.proceed(&request, true));
    }
    let email = form.get("email").unwrap_or_default();
    let password = form.get("password").unwrap_or_default();
    let message = match attempt(&visit.tenant, email, password) {
        Attempt::Right(user) => {
            visit.signed_in(&user)?;
            return Ok(visit.proceed(&request, true));
        }
        Attempt::Wrong => {
            visit.record_failure(email, "invalid_credentials");
            "The email address or the password is not right."
        }
        Attempt::Suspended(user) => {
            visit.record_failure(&user, "account_disabled");
            "This account is suspended. Ask your administrator."
        }
    };
    let ticket = visit.new_ticket(request.clone(), Step::SignIn, false)?;
    Ok(visit.sign_in_page(&request, &ticket, email, Some(message)))
}

fn attempt(tenant: &Tenant, email: &str, password: &str) -> Attempt {
    let live = tenant.live();
    let mut users = live.users.iter();
    let user = users.find(|user| user.email.eq_ignore_ascii_case(email.trim()));
    match user.filter(|user| user.password.matches(password)) {
        None => Attempt::Wrong,
        Some(user) if !user.enabled => Attempt::Suspended(user.id.clone()),
        Some(user) => Attempt::Right(user.id.clone()),
    }
}

impl Visit {
    /// Begins a session, under a new cookie.
    fn signed_in(&mut self, user: &str) -> Result<(), Stop> {
        let now = self.tenant.now();
        let id = random::id("ses_", now);
        let session = Session {
            id: id.clone(),
            user: user.to_owned(),
            sign_in: SignIn {
                at: now,
                level: Level::One,
            },
            is_revoked: false,
        };
        self.tenant.live().people.sessions.insert(session);
        self.set_session(Some(id.clone()))?;
        self.tenant.record(Event {
            kind: "user.signed_in",
            actor: AuditParty::new("user", user),
            target: AuditParty::new("session", id),
            outcome: Outcome::Success,
            data: json!({ "amr": ["pwd"] }),
            context: self.exchange.audit_context(),
        });
        Ok(())
    }

    fn record_failure(&self, who: &str, reason: &str) {
        self.tenant.record(Event {
            kind: "user.signed_in.failed",
            actor: AuditParty::new("user", self.tenant.redact(who)),
            target: self.tenant.itself(),
            outcome: Outcome::Failure,
            data: json!({ "reason": reason }),
            context: self.exchange.audit_context(),
        });
    }

    /// The session that a person may go on with instead of signing in again.
    fn chosen(&self, request: &AuthorizationRequest) -> Option<Session> {
        let is_offered = request.prompt.select_account && !request.prompt.login;
        let session = self.session().filter(|_| is_offered)?;
        is_young(request, &session, self.tenant.now()).then_some(session)
    }

    /// The address of the person whom the application expects.
    fn hinted(&self, request: &AuthorizationRequest) -> String {
        let hint = request.login_hint.clone().unwrap_or_default();
        let live = self.tenant.live();
        live.user(&hint).map_or(hint, |user| user.email.clone())
    }

    fn sign_in_page(
        &self,
        request: &AuthorizationRequest,
        ticket: &str,
        email: &str,
        message: Option<&str>,
    ) -> Response {
        let session = self.chosen(request);
        let frame = self.frame();
        let live = self.tenant.live();
        let application = live.registry.find(&request.client_id);
        let current = session
            .as_ref()
            .and_then(|session| live.user(&session.user));
        let view = SignInView {
            application: application.map_or("", |known| &known.application.name),
            current: current.map(|user| (user.name.as_str(), user.email.as_str())),
            email,
            message,
            ticket,
        };
        let content = page::sign_in(&frame, &view);
        drop(live);
        self.question(content, message, Some(&request.back))
    }
}
