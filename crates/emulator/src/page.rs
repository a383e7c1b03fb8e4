//! The pages that a person sees: plain HTML that works without scripts, and one stylesheet.

mod consent;
mod device;
mod layout;
mod sign_in;
mod sign_out;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use maud::Markup;
use url::{Host, Url};

pub(crate) use self::consent::{ConsentView, Item, Section, Target, consent};
pub(crate) use self::device::{activate, device_allowed, device_denied};
pub(crate) use self::layout::{Frame, stopped};
pub(crate) use self::sign_in::{SecondFactorView, SignInView, second_factor, sign_in};
pub(crate) use self::sign_out::{sign_out, signed_out};

/// A page. `target` is where its form may lead to in the end: browsers hold a redirect after a form
/// against `form-action`.
pub(crate) fn response(status: StatusCode, content: Markup, target: Option<&str>) -> Response {
    let mut response = Response::new(Body::from(content.into_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    harden(headers);
    let policy = policy(target.and_then(source).as_deref());
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// What every reply to a browser says: no framing, no guessing of types, no referrer.
pub(crate) fn harden(headers: &mut HeaderMap) {
    let pairs: [(HeaderName, &str); 5] = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in pairs {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// `GET /assets/style.css`
pub(crate) async fn style() -> Response {
    asset(include_str!("page/style.css"), "text/css; charset=utf-8")
}

/// `GET /assets/icon.svg`
pub(crate) async fn icon() -> Response {
    asset(include_str!("page/icon.svg"), "image/svg+xml")
}

fn asset(text: &'static str, content_type: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn policy(form_target: Option<&str>) -> String {
    let target = form_target
        .map(|target| format!(" {target}"))
        .unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{target}; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

/// A redirect URI as a source of a policy: its origin, or its scheme if it is a private one.
fn source(redirect_uri: &str) -> Option<String> {
    let url = Url::parse(redirect_uri).ok()?;
    let origin = url.origin();
    // A policy cannot name an IPv6 address (CSP Level 3 section 2.3.1): its scheme has to do.
    let has_name = !matches!(url.host(), Some(Host::Ipv6(_)));
    if origin.is_tuple() && has_name {
        return Some(origin.ascii_serialization());
    }
    Some(format!("{}:", url.scheme()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_the_origin_of_the_callback_and_nothing_of_its_path() {
        let rows = [
            (
                "http://127.0.0.1:4000/callback?a=;b",
                Some("http://127.0.0.1:4000"),
            ),
            ("com.example.app:/callback", Some("com.example.app:")),
            ("http://[::1]:4000/callback", Some("http:")),
            ("nonsense", None),
        ];
        for (uri, expected) in rows {
            assert_eq!(source(uri).as_deref(), expected, "{uri}");
        }
    }
}
