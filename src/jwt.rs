//! Reading a compact JWT without trusting it.
//!
//! A client is not the audience of an access token and must not rely on what is inside. It looks for
//! one reason only: to notice that the issuer answered for another API than the one asked for.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::scope::Scopes;

/// The claims of a JWT whose signature nobody has checked.
///
/// Good for showing what a token is for; never for a decision about access. `Debug` shows the names
/// of the claims, not their values.
pub struct UnverifiedClaims(Map<String, Value>);

impl UnverifiedClaims {
    /// Reads the claims of a compact JWS; nothing if `token` is not one (an opaque token, a JWE).
    pub(crate) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        let is_compact_jws = parts.next().is_none();
        let header: Map<String, Value> = decode(header)?;
        (is_compact_jws && header.contains_key("alg")).then_some(())?;
        decode(claims).map(Self)
    }

    /// The claims as a type of yours; nothing if they do not fit it.
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(Value::Object(self.0.clone())).ok()
    }

    /// `iss`: who issued the token (RFC 7519 section 4.1.1).
    pub fn issuer(&self) -> Option<&str> {
        self.0.get("iss")?.as_str()
    }

    /// `sub`: who the token speaks for (RFC 7519 section 4.1.2).
    pub fn subject(&self) -> Option<&str> {
        self.0.get("sub")?.as_str()
    }

    /// `aud`: which APIs the token is for, one string or an array of them (RFC 7519 section 4.1.3).
    pub fn audiences(&self) -> Vec<&str> {
        match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// `scope`: what the token allows, separated by spaces (RFC 9068 section 2.2.3); nothing if absent.
    pub fn scopes(&self) -> Option<Scopes> {
        self.0.get("scope")?.as_str().map(Scopes::from_reply)
    }

    /// `exp − iat` in seconds, where both are there and the difference is a sensible number.
    pub(crate) fn lifetime(&self) -> Option<f64> {
        let number = |name| self.0.get(name).and_then(Value::as_f64);
        Some(number("exp")? - number("iat")?).filter(|lifetime| lifetime.is_finite())
    }
}

impl fmt::Debug for UnverifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedClaims")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn decode(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        )
    }

    #[test]
    fn a_compact_jws_is_read() {
        let text = token(
            r#"{"alg":"RS256"}"#,
            r#"{"aud":["a","b"],"scope":"y x","exp":90.5,"iat":30}"#,
        );
        let claims = UnverifiedClaims::read(&text).unwrap();
        assert_eq!(claims.audiences(), ["a", "b"]);
        assert_eq!(claims.scopes().unwrap().to_string(), "x y");
        assert_eq!(claims.lifetime(), Some(60.5));
        assert!(claims.subject().is_none() && claims.issuer().is_none());
    }

    #[test]
    fn anything_else_is_opaque() {
        let jws = token(r#"{"alg":"RS256"}"#, "{}");
        for opaque in [
            "",
            "abc",
            "a.b.c",
            "..",
            &format!("{jws}.x.y"),
            &token("{}", "{}"),
            &token(r#"{"alg":"x"}"#, "[]"),
        ] {
            assert!(UnverifiedClaims::read(opaque).is_none(), "{opaque}");
        }
    }

    #[test]
    fn debug_shows_names_alone() {
        let claims =
            UnverifiedClaims::read(&token(r#"{"alg":"x"}"#, r#"{"email":"alice@x"}"#)).unwrap();
        assert_eq!(format!("{claims:?}"), r#"UnverifiedClaims{"email"}"#);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", header in ".*", claims in ".*") {
            let _ = UnverifiedClaims::read(&text);
            if let Some(claims) = UnverifiedClaims::read(&token(&header, &claims)) {
                let _ = (claims.lifetime(), claims.audiences(), claims.scopes());
            }
        }
    }
}
