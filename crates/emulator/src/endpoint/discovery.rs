//! The tenant's metadata and keys: public, and served even while the tenant is suspended.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::reply;
use crate::tenant::Tenant;

/// `GET /.well-known/openid-configuration` and RFC 8414's counterpart.
///
/// The members of the platform's documented sample, less what is not served here: its response types
/// other than `code`, and token exchange. Beyond it what OpenID Connect Discovery has for the rest.
pub(super) async fn metadata(State(tenant): State<Arc<Tenant>>) -> Response {
    let issuer = &tenant.issuer;
    let live = tenant.live();
    let slash = ["", "/"][usize::from(live.switches.endpoints_end_in_slash)];
    let at = |path: &str| format!("{issuer}{path}{slash}");
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth2/authorize"),
        "token_endpoint": at("/oauth2/token"),
        "userinfo_endpoint": at("/oauth2/userinfo"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "revocation_endpoint": at("/oauth2/revoke"),
        "introspection_endpoint": at("/oauth2/introspect"),
        "device_authorization_endpoint": at("/oauth2/device_authorization"),
        "end_session_endpoint": at("/oauth2/logout"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "acr_values_supported": ["AAL1", "AAL2"],
        "authorization_response_iss_parameter_supported": live.switches.callback_includes_iss,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "claims_parameter_supported": false,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "token_endpoint_auth_methods_supported": live.switches.client_authentication,
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "code_challenge_methods_supported": ["S256"],
    });
    reply::json(StatusCode::OK, &document)
}

/// `GET /.well-known/jwks.json`
pub(super) async fn jwks(State(tenant): State<Arc<Tenant>>) -> Response {
    let includes_alg = tenant.live().switches.jwks_includes_alg;
    reply::json(StatusCode::OK, &tenant.keys.jwks(includes_alg))
}
