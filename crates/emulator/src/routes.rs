//! Which path below the issuer is which endpoint.

use serde::{Deserialize, Serialize};

/// An endpoint of the platform, as faults and records name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// Both metadata documents: OpenID Connect's and RFC 8414's.
    Discovery,
    /// The signing keys.
    Jwks,
    /// `/oauth2/token`.
    Token,
    /// `/oauth2/introspect`.
    Introspect,
    /// `/oauth2/revoke`.
    Revoke,
    /// `/oauth2/authorize`.
    Authorize,
    /// `/oauth2/device_authorization`.
    DeviceAuthorization,
    /// `/oauth2/userinfo`.
    Userinfo,
    /// `/oauth2/logout`.
    Logout,
    /// The pages that a person sees: sign-in, second factor, consent, activation.
    Pages,
    /// Everything below `/api/v1`.
    Admin,
}

impl Endpoint {
    /// The endpoint at a path below the issuer.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        match path {
            OPENID_CONFIGURATION | AUTHORIZATION_SERVER => Some(Self::Discovery),
            JWKS => Some(Self::Jwks),
            TOKEN => Some(Self::Token),
            INTROSPECT => Some(Self::Introspect),
            REVOKE => Some(Self::Revoke),
            AUTHORIZE => Some(Self::Authorize),
            DEVICE_AUTHORIZATION => Some(Self::DeviceAuthorization),
            USERINFO => Some(Self::Userinfo),
            LOGOUT => Some(Self::Logout),
            SIGN_IN | SECOND_FACTOR | CONSENT | ACTIVATE | SIGNED_OUT => Some(Self::Pages),
            _ => path.starts_with(ADMIN).then_some(Self::Admin),
        }
    }
}

/// The route that answers at a path below the issuer.
///
/// An endpoint that the metadata names answers at exactly the address that stands there, so that a
/// client which does not take it as it is finds nothing. `None` if it stands there with a slash at
/// its end and the path has none.
pub(crate) fn route_at(path: &str, endpoints_end_in_slash: bool) -> Option<&str> {
    let is_advertised = |path: &str| ADVERTISED.contains(&path);
    if !endpoints_end_in_slash {
        return Some(path);
    }
    match path.strip_suffix('/') {
        Some(unslashed) if is_advertised(unslashed) => Some(unslashed),
        None if is_advertised(path) => None,
        _ => Some(path),
    }
}

/// The path below an issuer at `prefix`; `None` outside the issuer.
///
/// The metadata of an issuer with a path stands at two places: OpenID Connect Discovery section 4
/// appends the well-known part to the issuer, RFC 8414 section 3.1 puts it before the issuer's path.
pub(crate) fn below_issuer<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    if prefix.is_empty() {
        return Some(path);
    }
    let well_known = path.strip_suffix(prefix);
    if let Some(OPENID_CONFIGURATION | AUTHORIZATION_SERVER) = well_known {
        return well_known;
    }
    match path.strip_prefix(prefix) {
        Some("") => Some("/"),
        below => below.filter(|below| below.starts_with('/')),
    }
}

pub(crate) const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
pub(crate) const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
pub(crate) const JWKS: &str = "/.well-known/jwks.json";
pub(crate) const TOKEN: &str = "/oauth2/token";
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
pub(crate) const REVOKE: &str = "/oauth2/revoke";
pub(crate) const AUTHORIZE: &str = "/oauth2/authorize";
pub(crate) const DEVICE_AUTHORIZATION: &str = "/oauth2/device_authorization";
pub(crate) const USERINFO: &str = "/oauth2/userinfo";
pub(crate) const LOGOUT: &str = "/oauth2/logout";
pub(crate) const SIGN_IN: &str = "/sign-in";
pub(crate) const SECOND_FACTOR: &str = "/second-factor";
pub(crate) const CONSENT: &str = "/consent";
pub(crate) const ACTIVATE: &str = "/activate";
pub(crate) const SIGNED_OUT: &str = "/signed-out";
pub(crate) const ICON: &str = "/assets/icon.svg";
pub(crate) const STYLE: &str = "/assets/style.css";
pub(crate) const ADMIN: &str = "/api/v1/";
/// What only an emulator has: its clock, faults and counts.
pub(crate) const CONTROL: &str = "/emulator/v1/";

/// What the metadata names.
const ADVERTISED: [&str; 8] = [
    JWKS,
    TOKEN,
    INTROSPECT,
    REVOKE,
    AUTHORIZE,
    DEVICE_AUTHORIZATION,
    USERINFO,
    LOGOUT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_without_a_path_keeps_every_path() {
        assert_eq!(below_issuer("/oauth2/token", ""), Some("/oauth2/token"));
        assert_eq!(below_issuer("/oauth2/token/", ""), Some("/oauth2/token/"));
        assert_eq!(below_issuer("/", ""), Some("/"));
    }

    #[test]
    fn an_issuer_with_a_path_has_its_metadata_at_both_places() {
        let prefix = "/tenants/a";
        for path in [
            "/tenants/a/.well-known/openid-configuration",
            "/.well-known/openid-configuration/tenants/a",
        ] {
            assert_eq!(
                below_issuer(path, prefix),
                Some(OPENID_CONFIGURATION),
                "{path}"
            );
        }
        assert_eq!(
            below_issuer("/.well-known/oauth-authorization-server/tenants/a", prefix),
            Some(AUTHORIZATION_SERVER)
        );
        assert_eq!(below_issuer("/tenants/a/oauth2/token", prefix), Some(TOKEN));
        assert_eq!(below_issuer("/tenants/a", prefix), Some("/"));
    }

    #[test]
    fn an_endpoint_answers_where_the_metadata_says() {
        assert_eq!(route_at("/oauth2/token", false), Some(TOKEN));
        assert_eq!(route_at("/oauth2/token/", false), Some("/oauth2/token/"));
        assert_eq!(route_at("/oauth2/token", true), None);
        assert_eq!(route_at("/oauth2/token/", true), Some(TOKEN));
        assert_eq!(route_at("/oauth2/token//", true), Some("/oauth2/token//"));
        assert_eq!(route_at("/api/v1/audit", true), Some("/api/v1/audit"));
        assert_eq!(route_at("/", true), Some("/"));
    }

    #[test]
    fn other_paths_are_outside_the_issuer() {
        for path in [
            "/oauth2/token",
            "/tenants/ab/oauth2/token",
            "/.well-known/jwks.json/tenants/a",
        ] {
            assert_eq!(below_issuer(path, "/tenants/a"), None, "{path}");
        }
    }
}
