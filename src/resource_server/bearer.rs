//! Where a request carries its token (RFC 6750 section 2).

use http::{HeaderMap, HeaderValue, Method, Uri, header};

/// What a request says of its token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials<'a> {
    /// There is none where one is looked for.
    None,
    Token(&'a str),
    /// The scheme is right, and what follows cannot be a token.
    Malformed,
    /// There is more than one.
    Several,
}

/// Reads the `Authorization` header. A token in the query, a form or a cookie does not count: it ends
/// up in logs and histories (RFC 9700 section 4.3.2).
pub(super) fn credentials<'a>(headers: &'a HeaderMap, uri: &Uri) -> Credentials<'a> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), further) = (values.next(), values.next()) else {
        return Credentials::None;
    };
    if further.is_some() {
        return Credentials::Several;
    }
    let Some(token) = after_scheme(value) else {
        return Credentials::None;
    };
    // RFC 6750 section 2: no more than one method in a request.
    if has_query_token(uri) {
        return Credentials::Several;
    }
    match std::str::from_utf8(token) {
        Ok(token) if is_token(token) => Credentials::Token(token),
        _ => Credentials::Malformed,
    }
}

/// What follows `Bearer` (RFC 9110 section 11.1: in any case), if that is the scheme.
fn after_scheme(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(SCHEME.as_bytes());
    let ends = rest.first().is_none_or(|next| *next == b' ');
    (is_bearer && ends).then(|| rest.trim_ascii())
}

/// RFC 6750 section 2.1: `b64token`.
fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(is_allowed)
}

/// Whether the query has an `access_token`, however it is spelt.
fn has_query_token(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    let mut names = url::form_urlencoded::parse(query.as_bytes());
    names.any(|(name, _)| name == "access_token")
}

/// Whether a browser asks what it may send (Fetch standard, CORS preflight); it never has a token.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

const SCHEME: &str = "Bearer";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&[u8]], uri: &str) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                header::AUTHORIZATION,
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        format!("{:?}", credentials(&headers, &uri.parse().unwrap()))
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            assert_eq!(
                read(&[format!("{scheme} a.b-_~+/==").as_bytes()], "/"),
                r#"Token("a.b-_~+/==")"#
            );
        }
        assert_eq!(read(&[b"Bearer   a"], "/"), r#"Token("a")"#);
        for other in [
            "Basic YTpi",
            "Bearerx a",
            "DPoP a",
            "",
            "a.b.c",
            "Bearer\ta",
        ] {
            assert_eq!(read(&[other.as_bytes()], "/"), "None", "{other}");
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_malformed() {
        for value in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer a b",
            b"Bearer a,b",
            b"Bearer \"a\"",
            b"Bearer =",
            b"Bearer a=b",
            b"Bearer \xff",
            "Bearer ä".as_bytes(),
        ] {
            assert_eq!(read(&[value], "/"), "Malformed", "{value:?}");
        }
    }

    #[test]
    fn one_token_is_enough() {
        assert_eq!(read(&[b"Bearer a", b"Bearer b"], "/"), "Several");
        assert_eq!(read(&[b"Bearer a", b"Basic b"], "/"), "Several");
        for query in [
            "access_token=b",
            "x=1&access_token=",
            "access%5Ftoken=b",
            "access_token",
        ] {
            let uri = format!("/a?{query}");
            assert_eq!(read(&[b"Bearer a"], &uri), "Several", "{query}");
            assert_eq!(read(&[], &uri), "None", "{query}");
            assert_eq!(read(&[b"Basic a"], &uri), "None", "{query}");
        }
        assert_eq!(
            read(&[b"Bearer a"], "/a?token=b&xaccess_token=c"),
            r#"Token("a")"#
        );
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(value in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60), query in "[!-~]{0,30}") {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", value.as_slice()].concat()) {
                headers.append(header::AUTHORIZATION, value);
            }
            if let Ok(uri) = format!("/?{query}").parse::<Uri>() {
                let _ = credentials(&headers, &uri);
            }
        }
    }
}
