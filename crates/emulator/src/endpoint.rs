//! The endpoints of OAuth, one file each.

mod client_authentication;
mod device_authorization;
mod discovery;
mod introspect;
mod revoke;
mod token;
mod userinfo;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use self::client_authentication::claimed_id;
pub(crate) use self::token::record_spoilt;
use crate::routes;
use crate::tenant::Tenant;

/// What applications call.
pub(crate) fn router() -> Router<Arc<Tenant>> {
    Router::new()
        .route(routes::OPENID_CONFIGURATION, get(discovery::metadata))
        .route(routes::AUTHORIZATION_SERVER, get(discovery::metadata))
        .route(routes::JWKS, get(discovery::jwks))
        .route(routes::TOKEN, post(token::token))
        .route(routes::INTROSPECT, post(introspect::introspect))
        .route(routes::REVOKE, post(revoke::revoke))
        .route(
            routes::DEVICE_AUTHORIZATION,
            post(device_authorization::device_authorization),
        )
        .route(
            routes::USERINFO,
            get(userinfo::userinfo).post(userinfo::userinfo),
        )
}
