//! Where a person is asked: from the authorization endpoint over the pages to the callback.

mod activate;
mod authorize;
mod callback;
mod consent;
mod logout;
mod proceed;
mod redirect_uri;
mod second_factor;
mod sign_in;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::page;
use crate::refusal::{Code, Refusal};
use crate::routes;
use crate::tenant::Tenant;

/// The authorization endpoint, the pages and the logout.
pub(crate) fn router() -> Router<Arc<Tenant>> {
    Router::new()
        .route(routes::AUTHORIZE, get(authorize::authorize))
        .route(routes::SIGN_IN, get(sign_in::show).post(sign_in::submit))
        .route(
            routes::SECOND_FACTOR,
            get(second_factor::show).post(second_factor::submit),
        )
        .route(routes::CONSENT, get(consent::show).post(consent::submit))
        .route(routes::ACTIVATE, get(activate::show).post(activate::submit))
        .route(routes::LOGOUT, get(logout::arrive).post(logout::submit))
        .route(routes::SIGNED_OUT, get(logout::signed_out))
        .route(routes::STYLE, get(page::style))
        .route(routes::ICON, get(page::icon))
}

/// Why nothing goes on, on a page of ours: the application never hears of it.
#[derive(Debug)]
struct Stop {
    refusal: Box<Refusal>,
    title: &'static str,
}

impl Stop {
    fn new(title: &'static str, code: Code, description: impl Into<String>) -> Self {
        let refusal = Box::new(Refusal::new(code, description));
        Self { refusal, title }
    }

    /// The ticket is used, expired, or of another browser.
    fn gone() -> Self {
        let description = "This page was used already or is too old. \
                           Go back to the application and start again.";
        Self::new("This page has expired", Code::InvalidRequest, description)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        let title = match refusal.code {
            Code::RateLimited => "Too many requests",
            Code::TenantSuspended => "This account is paused",
            Code::ServerError => "Something went wrong",
            _ => "This request cannot be answered",
        };
        let refusal = Box::new(refusal);
        Self { refusal, title }
    }
}
