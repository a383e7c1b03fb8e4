//! One request of a browser: its cookie, its form, its next page.

mod arrival;
mod cookie;

use std::sync::Arc;

use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use maud::Markup;

pub(super) use self::arrival::Query;
use self::cookie::{cookie_name, fresh};
use super::stop::Stop;
use crate::exchange::Exchange;
use crate::form::Form;
use crate::page::{self, Frame};
use crate::person::{AuthorizationRequest, Back, Browser, Session, Step, Ticket};
use crate::refusal::{Code, Refusal};
use crate::tenant::Tenant;
use crate::{random, reply, routes};

/// One browser, and the request that it sends.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) tenant: Arc<Tenant>,
    pub(super) exchange: Exchange,
    pub(super) browser: Browser,
    /// The cookie that the reply sets.
    cookie: Option<String>,
}

impl Visit {
    /// The session of the person who is signed in in this browser.
    pub(super) fn session(&self) -> Option<Session> {
        let now = self.tenant.now();
        let live = self.tenant.live();
        let session = live.people.sessions.find(self.browser.session.as_ref()?)?;
        let is_enabled = live.user(&session.user).is_some_and(|user| user.enabled);
        let is_alive = is_enabled && session.is_alive(now, live.switches.session_ttl);
        is_alive.then(|| session.clone())
    }

    /// Signs a person in or out in this browser. The cookie changes with it, so that a cookie which was
    /// known before a sign-in is worthless after it.
    pub(super) fn set_session(&mut self, session: Option<String>) -> Result<(), Refusal> {
        self.tenant.live().people.browsers.remove(self.browser.id);
        let (browser, value) = fresh(&self.tenant, session)?;
        self.browser = browser;
        self.cookie = Some(value);
        Ok(())
    }

    /// A form that was sent from a page of this browser.
    pub(super) fn form(&self, headers: &HeaderMap, body: &[u8]) -> Result<Form, Stop> {
        let form = Form::read(headers, body)?;
        let is_ours = form
            .get("csrf")
            .is_some_and(|csrf| self.browser.csrf.matches(csrf));
        if is_ours {
            return Ok(form);
        }
        let description = "This form did not come from a page that this browser was shown. \
                           Cookies must be on. Go back to the application and start again.";
        Err(Stop::new(
            "This form cannot be used",
            Code::InvalidRequest,
            description,
        ))
    }

    /// The ticket of a page, which stays usable.
    pub(super) fn read_ticket(&self, ticket: &str, step: Step) -> Result<Ticket, Stop> {
        let now = self.tenant.now();
        let live = self.tenant.live();
        let found = live.people.tickets.find(ticket, now);
        let found = found.filter(|it| it.step == step && it.browser == self.browser.id);
        found.cloned().ok_or_else(Stop::gone)
    }

    /// The ticket of a form, which no other form can use again.
    pub(super) fn take_ticket(&self, form: &Form, step: Step) -> Result<Ticket, Stop> {
        let ticket = form.get("ticket").unwrap_or_default();
        self.read_ticket(ticket, step)?;
        let now = self.tenant.now();
        let taken = self.tenant.live().people.tickets.take(ticket, now);
        taken.ok_or_else(Stop::gone)
    }

    /// A ticket for the next page.
    pub(super) fn new_ticket(
        &self,
        request: AuthorizationRequest,
        step: Step,
        has_signed_in: bool,
    ) -> Result<String, Refusal> {
        let value = random::token()?;
        let ticket = Ticket {
            browser: self.browser.id,
            request,
            step,
            has_signed_in,
            since: self.tenant.now(),
        };
        let mut live = self.tenant.live();
        live.people.issued_secrets.insert(&value);
        live.people.tickets.insert(&value, ticket);
        Ok(value)
    }

    /// What every page shows around its content.
    pub(super) fn frame(&self) -> Frame<'_> {
        Frame {
            prefix: self.tenant.issuer_path(),
            tenant: self.tenant.title(),
            csrf: self.browser.csrf.expose(),
        }
    }

    pub(super) fn page(
        &self,
        status: StatusCode,
        content: Markup,
        back: Option<&Back>,
    ) -> Response {
        let target = match back {
            Some(Back::Redirect(callback)) => Some(callback.redirect_uri.as_str()),
            Some(Back::Device(_)) | None => None,
        };
        self.page_with_target(status, content, target)
    }

    /// A page whose form may end at `target`, an address of the application.
    pub(super) fn page_with_target(
        &self,
        status: StatusCode,
        content: Markup,
        target: Option<&str>,
    ) -> Response {
        self.stamped(page::response(status, content, target))
    }

    /// A page that asks something: for the first time, or again with what was wrong.
    pub(super) fn question(
        &self,
        content: Markup,
        message: Option<&str>,
        back: Option<&Back>,
    ) -> Response {
        let status = match message {
            None => StatusCode::OK,
            Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        self.page(status, content, back)
    }

    /// RFC 9110 section 15.4.4: the next request is a GET, even after a POST.
    pub(super) fn redirect_to_page(&self, path: &str) -> Response {
        self.redirect(&format!("{}{path}", self.tenant.issuer_path()))
    }

    pub(super) fn redirect(&self, location: &str) -> Response {
        let mut response = reply::not_stored(Response::default());
        *response.status_mut() = StatusCode::SEE_OTHER;
        page::harden(response.headers_mut());
        match HeaderValue::from_str(location) {
            Ok(location) => drop(response.headers_mut().insert(LOCATION, location)),
            Err(_unprintable) => *response.status_mut() = StatusCode::BAD_REQUEST,
        }
        self.stamped(response)
    }

    pub(super) fn step(&self, step: Step, ticket: &str) -> Response {
        let path = match step {
            Step::SignIn => routes::SIGN_IN,
            Step::SecondFactor => routes::SECOND_FACTOR,
            Step::Consent => routes::CONSENT,
        };
        self.redirect_to_page(&format!("{path}?ticket={ticket}"))
    }

    pub(super) fn stop(&self, stop: &Stop) -> Response {
        let frame = self.frame();
        let refusal = &stop.refusal;
        let content = page::stopped(&frame, stop.title, refusal, &self.exchange.request_id);
        let mut response = self.page(refusal.code.status(), content, None);
        for (name, value) in &refusal.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }

    fn stamped(&self, mut response: Response) -> Response {
        if let Some(value) = &self.cookie {
            let path = match self.tenant.issuer_path() {
                "" => "/",
                path => path,
            };
            let name = cookie_name(&self.tenant);
            let cookie = format!("{name}={value}; Path={path}; HttpOnly; SameSite=Lax");
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(SET_COOKIE, cookie);
            }
        }
        response
    }
}
