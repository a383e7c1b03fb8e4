//! [`UnverifiedClaims`]: a compact JWT read without trusting it.
//!
//! A client is not the audience of an access token and must not rely on what is inside. It looks for
//! one reason only: to notice that the issuer answered for another API than the one asked for.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::json::Object;
use crate::scope::Scopes;

/// The claims of a JWT whose signature was not checked.
///
/// Good for showing what a token is for; never for a decision about access. `Debug` shows the names
/// of the claims, not their values.
pub struct UnverifiedClaims {
    claims: Map<String, Value>,
    /// Whether the header calls it an access token as RFC 9068 has them.
    is_profiled: bool,
}

impl UnverifiedClaims {
    /// Reads the claims of a compact JWS; nothing if `token` is not one (an opaque token, a JWE).
    ///
    /// A JWS whose claims cannot be read, or of which two have one name (RFC 7519 section 4), has none: it
    /// names no audience, so it is no token for any.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        let is_compact_jws = parts.next().is_none();
        let header: Map<String, Value> = decode(header)?;
        (is_compact_jws && header.contains_key("alg")).then_some(())?;
        // RFC 9068 section 2.1; RFC 7515 section 4.1.9 allows the long form, in any case.
        let typ = header.get("typ").and_then(Value::as_str);
        let is_profiled = typ.is_some_and(|typ| {
            ["at+jwt", "application/at+jwt"].contains(&typ.to_ascii_lowercase().as_str())
        });
        let claims = decode(claims).unwrap_or_default();
        Some(Self {
            claims,
            is_profiled,
        })
    }

    /// The claims as a type of yours; nothing if they do not fit it.
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(Value::Object(self.claims.clone())).ok()
    }

    /// `iss`: who issued the token (RFC 7519 section 4.1.1).
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// `sub`: who the token speaks for (RFC 7519 section 4.1.2).
    pub fn subject(&self) -> Option<&str> {
        self.claims.get("sub")?.as_str()
    }

    /// `aud`: which APIs the token is for, one string or an array of them (RFC 7519 section 4.1.3).
    pub fn audiences(&self) -> Vec<&str> {
        match self.claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// `scope`: what the token allows, separated by spaces (RFC 9068 section 2.2.3); nothing if absent.
    pub fn scopes(&self) -> Option<Scopes> {
        self.claims.get("scope")?.as_str().map(Scopes::from_reply)
    }

    /// The scopes that the token holds, as far as it tells.
    ///
    /// RFC 9068 section 2.2.3: an access token that was asked for with scopes should name its own. So
    /// one of that profile without any claim for them holds none, which is how some servers answer
    /// when they know no scope that was asked for: their reply leaves out `scope` as well.
    pub(crate) fn granted(&self) -> Option<Scopes> {
        let is_silent = ["scope", "scp"]
            .iter()
            .all(|name| !self.claims.contains_key(*name));
        if self.is_profiled && is_silent {
            Some(Scopes::none())
        } else {
            self.scopes()
        }
    }

    /// `exp − iat` in seconds, where both are there and the difference is a sensible number.
    pub(crate) fn lifetime(&self) -> Option<f64> {
        let number = |name| self.claims.get(name).and_then(Value::as_f64);
        Some(number("exp")? - number("iat")?).filter(|lifetime| lifetime.is_finite())
    }
}

impl fmt::Debug for UnverifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedClaims")?;
        f.debug_set().entries(self.claims.keys()).finish()
    }
}

fn decode(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    // `serde_json` takes the last of two members with one name, another reader the first.
    Object::strict(&bytes)?;
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
    fn an_access_token_of_the_profile_that_names_no_scope_holds_none() {
        let granted = |typ: &str, claims: &str| {
            let header = format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#);
            let claims = UnverifiedClaims::read(&token(&header, claims)).unwrap();
            claims.granted().map(|scopes| scopes.to_string())
        };
        for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
            assert_eq!(granted(typ, "{}").as_deref(), Some(""), "{typ}");
        }
        assert_eq!(granted("at+jwt", r#"{"scope":"x"}"#).as_deref(), Some("x"));
        assert_eq!(granted("JWT", r#"{"scope":"x"}"#).as_deref(), Some("x"));
        assert_eq!(granted("JWT", "{}"), None, "it need not name them");
        for other in [r#"{"scope":["x"]}"#, r#"{"scp":["x"]}"#, r#"{"scp":"x"}"#] {
            assert_eq!(granted("at+jwt", other), None, "not a claim that is read");
        }
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
        ] {
            assert!(UnverifiedClaims::read(opaque).is_none(), "{opaque}");
        }
    }

    #[test]
    fn a_jws_whose_claims_cannot_be_read_names_no_audience() {
        let header = r#"{"alg":"RS256"}"#;
        let nested = format!(
            r#"{{"aud":"a","x":{}{}}}"#,
            "[".repeat(200),
            "]".repeat(200)
        );
        let standard = token(header, r#"{"aud":"a","x":"??>>~~"}"#).replace(['-', '_'], "+");
        assert!(standard.contains('+'));
        for unreadable in [
            standard,
            token(header, "[]"),
            token(header, "\u{feff}{\"aud\":\"a\"}"),
            token(header, r#"{"aud":"other","aud":"a"}"#),
            token(header, r#"{"aud":"a","x":1e999}"#),
            token(header, r#"{"aud":"a","x":"\ud800"}"#),
            token(header, &nested),
        ] {
            let claims = UnverifiedClaims::read(&unreadable).unwrap();
            assert!(claims.audiences().is_empty(), "{unreadable}");
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
