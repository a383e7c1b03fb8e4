//! From page to page, as a person would.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use super::error::PageError;
use super::http::{Reply, exchange};
use crate::config::User;
use crate::routes;
use crate::secret::Secret;

/// What the person says on the consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Allow,
    Deny,
}

/// Where the pages ended.
#[derive(Debug)]
pub(super) enum End {
    /// At the application; the callback was not followed.
    Callback(Url),
    /// On a last page, as with a device.
    Page,
}

/// One person at work.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) address: SocketAddr,
    pub(super) prefix: String,
    pub(super) authority: String,
    pub(super) user: User,
    pub(super) user_code: String,
    pub(super) cookie: Arc<Mutex<Option<String>>>,
}

impl Driver {
    /// Opens an address and answers every page that comes. One visit after the other: signing in
    /// changes the cookie, and a second tab would be left with the old one.
    pub(super) fn visit(&self, target: &str, wish: Wish) -> Result<End, PageError> {
        let mut cookie = self.cookie.lock().unwrap_or_else(PoisonError::into_inner);
        self.walk(target, wish, &mut cookie)
    }

    fn walk(
        &self,
        target: &str,
        wish: Wish,
        cookie: &mut Option<String>,
    ) -> Result<End, PageError> {
        let mut reply = self.send("GET", target, ("", cookie))?;
        for _page in 0..MOST_PAGES {
            if let Some(location) = reply.location() {
                let Some(target) = self.below(location) else {
                    let url = Url::parse(location);
                    return url
                        .map(End::Callback)
                        .map_err(|_unreadable| PageError::NoPage(reply.status));
                };
                let target = target.to_owned();
                reply = self.send("GET", &target, ("", cookie))?;
                continue;
            }
            let page = reply.attribute("data-page=\"");
            let (path, fields) = match page.as_deref() {
                Some("device-allowed" | "device-denied") => return Ok(End::Page),
                Some("stopped") => return Err(stopped(&reply)),
                Some(page) => self.answer(page, wish, &reply)?,
                None => return Err(PageError::NoPage(reply.status)),
            };
            let target = format!("{}{path}", self.prefix);
            reply = self.send("POST", &target, (&fields, cookie))?;
        }
        Err(PageError::NoPage(reply.status))
    }

    /// The form that a person would send from this page.
    fn answer(
        &self,
        page: &str,
        wish: Wish,
        reply: &Reply,
    ) -> Result<(&'static str, String), PageError> {
        if let Some(message) = reply.attribute("id=\"problem\">") {
            return Err(PageError::Refused(message));
        }
        let second = self.user.second_factor.as_ref();
        let (path, own) = match page {
            "sign-in" => {
                let password = self.user.password.expose();
                let own = vec![("email", self.user.email.as_str()), ("password", password)];
                (routes::SIGN_IN, own)
            }
            "second-factor" => {
                let code = second.map_or("", Secret::expose);
                (routes::SECOND_FACTOR, vec![("code", code)])
            }
            "consent" => {
                let action = if wish == Wish::Allow { "allow" } else { "deny" };
                (routes::CONSENT, vec![("action", action)])
            }
            "activate" => (
                routes::ACTIVATE,
                vec![("user_code", self.user_code.as_str())],
            ),
            _ => return Err(PageError::NoPage(reply.status)),
        };
        let mut form = form_urlencoded::Serializer::new(String::new());
        for name in ["csrf", "ticket"] {
            if let Some(value) = reply.attribute(&format!("name=\"{name}\" value=\"")) {
                form.append_pair(name, &value);
            }
        }
        form.extend_pairs(own);
        Ok((path, form.finish()))
    }

    fn send(
        &self,
        method: &str,
        target: &str,
        (body, cookie): (&str, &mut Option<String>),
    ) -> Result<Reply, PageError> {
        let reply = exchange(self.address, method, target, (cookie.as_deref(), body))?;
        if let Some(fresh) = reply.cookie() {
            *cookie = Some(fresh);
        }
        Ok(reply)
    }

    /// Path and query of an address of this emulator.
    fn below<'l>(&self, location: &'l str) -> Option<&'l str> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Some(location);
        }
        let below = location.strip_prefix(self.authority.as_str())?;
        below
            .starts_with(&format!("{}/", self.prefix))
            .then_some(below)
    }
}

fn stopped(reply: &Reply) -> PageError {
    PageError::Stopped {
        title: reply.attribute("<h1>").unwrap_or_default(),
        error: reply.attribute("<code>").unwrap_or_default(),
    }
}

/// The longest way has seven: activation, sign-in, wrong turn, second factor, consent, end.
const MOST_PAGES: usize = 12;
