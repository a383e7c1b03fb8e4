//! Where a person is asked: from the authorization endpoint over the pages to the callback.

mod activate;
mod authorize;
mod callback;
mod consent;
mod logout;
mod proceed;
mod record;
mod redirect_uri;
mod second_factor;
mod sign_in;
mod stop;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::page;
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
