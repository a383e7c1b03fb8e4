//! Which words are scopes.

/// RFC 6749 section 3.3: a scope token is printable ASCII without space, `"` and `\`.
pub(crate) fn is_scope(scope: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !scope.is_empty() && scope.bytes().all(allowed)
}

/// The scopes of OpenID Connect, which belong to no API.
pub(crate) fn is_oidc_scope(scope: &str) -> bool {
    OIDC_SCOPES.contains(&scope)
}

const OIDC_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_printable_ascii_without_quotes() {
        assert!(is_scope("read:transactions"));
        assert!(is_scope("https://api.x/read"));
        for bad in ["", "read x", "read\"", "read\\", "lesen:ä", "a\tb"] {
            assert!(!is_scope(bad), "{bad:?}");
        }
    }
}
