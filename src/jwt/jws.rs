//! [`Compact`]: a JWS in its compact form (RFC 7515 section 7.1), parsed and verified strictly.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{algorithm::Algorithm, json::Object, key_set::KeySet, refused::Refused};

/// A compact JWS whose header can be accepted and whose signature was not checked.
pub(crate) struct Compact<'a> {
    header: Arc<Header>,
    /// The header's own text, if it is not the last one that was kept.
    new: Option<&'a str>,
    /// What was signed: header and payload as they stand in the token.
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

struct Header {
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    kind: Kind,
}

/// The header of the last good token: an issuer writes the same one for as long as it has one key.
///
/// It is compared as a whole. Whether what it says is allowed is asked anew each time.
#[derive(Default)]
pub(crate) struct Headers(ArcSwapOption<(Box<str>, Arc<Header>)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}

impl Headers {
    fn find(&self, part: &str) -> Option<Arc<Header>> {
        let last = self.0.load();
        let (text, header) = last.as_deref()?;
        (**text == *part).then(|| Arc::clone(header))
    }

    /// Keeps the header of a token that was good.
    pub(crate) fn keep(&self, token: &Compact<'_>) {
        if let Some(text) = token.new {
            let header = Arc::clone(&token.header);
            self.0.store(Some(Arc::new((text.into(), header))));
        }
    }
}

/// What the header member `typ` calls a token (RFC 7515 section 4.1.9: in any case, and
/// `application/` can be left out).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is no such member.
    Untold,
    /// `JWT`.
    Jwt,
    /// `at+jwt`, an access token (RFC 9068 section 2.1).
    AccessToken,
    Other,
}

impl<'a> Compact<'a> {
    /// Takes `token` apart; of its three parts only the header is looked into.
    pub(crate) fn parse(token: &'a str, headers: &Headers) -> Result<Self, Refused> {
        if token.len() > TOKEN_LIMIT {
            return Err(Refused::TooLarge);
        }
        let (header, rest) = token.split_once('.').ok_or(Refused::NotCompact)?;
        let (payload, signature) = rest.split_once('.').ok_or(Refused::NotCompact)?;
        if signature.contains('.') {
            // Five parts are a JWE, which would be for another reader.
            return Err(Refused::NotCompact);
        }
        // Not a byte of it is moved: header, payload and the point between them.
        let signed = token
            .get(..=header.len() + payload.len())
            .unwrap_or_default();
        let known = headers.find(header);
        let new = known.is_none().then_some(header);
        let header = match known {
            Some(known) => known,
            None => Arc::new(Header::read(header)?),
        };
        Ok(Self {
            header,
            new,
            signed,
            payload,
            signature,
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.header.kind
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// The payload, if a key of the issuer signed it with an allowed algorithm.
    ///
    /// RFC 8725 section 3.1: the algorithm has to be on the list and fit the key. A token that names
    /// one of its own choice gets nowhere.
    pub(crate) fn verify(&self, keys: &KeySet, allowed: &[Algorithm]) -> Result<Vec<u8>, Refused> {
        let algorithm = self.header.algorithm;
        if !allowed.contains(&algorithm) {
            return Err(Refused::Algorithm);
        }
        let key = keys.find(algorithm, self.header.key_id.as_deref())?;
        let mut buffer = [0; SIGNATURE_LIMIT];
        let length = URL_SAFE_NO_PAD
            .decode_slice(self.signature, &mut buffer)
            .map_err(|_unshown| Refused::Encoding)?;
        let signature = buffer.get(..length).unwrap_or_default();
        key.verify_sig(self.signed.as_bytes(), signature)
            .map_err(|_unspecified| Refused::Signature)?;
        decode(self.payload)
    }
}

impl Header {
    fn read(part: &str) -> Result<Self, Refused> {
        if part.len() > HEADER_LIMIT {
            return Err(Refused::TooLarge);
        }
        let bytes = decode(part)?;
        let header = Object::strict(&bytes).ok_or(Refused::Json)?;
        if let Some(name) = REFUSED.into_iter().find(|name| header.has(name)) {
            return Err(Refused::Header(name));
        }
        let text = |name: &'static str| {
            let value = header.get(name);
            value.map(|value| value.as_text().ok_or(Refused::Header(name)))
        };
        let algorithm = text("alg").ok_or(Refused::Header("alg"))??;
        Ok(Self {
            algorithm: Algorithm::named(algorithm).ok_or(Refused::Algorithm)?,
            key_id: text("kid").transpose()?.map(Box::from),
            kind: text("typ").transpose()?.map_or(Kind::Untold, kind),
        })
    }
}

fn kind(typ: &str) -> Kind {
    let is = |name: &str| typ.eq_ignore_ascii_case(name);
    if is("JWT") {
        Kind::Jwt
    } else if is("at+jwt") || is("application/at+jwt") {
        Kind::AccessToken
    } else {
        Kind::Other
    }
}

/// RFC 4648 section 3.5 and RFC 7515 section 2: no padding, no other characters, and no bits set
/// that carry nothing, so that one token has one spelling.
pub(super) fn decode(part: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_unshown| Refused::Encoding)
}

/// Members that change what is verified, or bring a key along.
///
/// RFC 7515 section 4.1.11 obliges a reader to refuse a `crit` that it does not understand, and no
/// extension is understood here; `b64` (RFC 7797) is one of them. A key in the token's own header
/// (RFC 7515 sections 4.1.2 to 4.1.6) would be the attacker's. `enc` and `zip` belong to a JWE.
const REFUSED: [&str; 8] = ["crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip"];

/// A token that is larger (in bytes) fits no header of a usual server.
pub(crate) const TOKEN_LIMIT: usize = 16_384;

/// A header names an algorithm and a key; it is the only part that is read before the signature.
const HEADER_LIMIT: usize = 4096;

/// The signature of an RSA key of 8192 bits, the largest that is used.
const SIGNATURE_LIMIT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Result<Kind, Refused> {
        let token = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header));
        Compact::parse(&token, &Headers::default()).map(|token| token.kind())
    }

    #[test]
    fn the_kind_is_read_in_any_case() {
        for (typ, kind) in [
            ("JWT", Kind::Jwt),
            ("jwt", Kind::Jwt),
            ("AT+JWT", Kind::AccessToken),
            ("Application/AT+jwt", Kind::AccessToken),
            ("application/jwt", Kind::Other),
            ("logout+jwt", Kind::Other),
            ("", Kind::Other),
        ] {
            let header = format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#);
            assert_eq!(parse(&header), Ok(kind), "{typ}");
        }
        assert_eq!(parse(r#"{"alg":"RS256"}"#), Ok(Kind::Untold));
    }

    #[test]
    fn headers_that_lead_elsewhere_are_refused() {
        for name in REFUSED {
            for value in ["null", "[]", "\"x\"", "true", "{}"] {
                let header = format!(r#"{{"alg":"RS256","{name}":{value}}}"#);
                assert_eq!(parse(&header), Err(Refused::Header(name)), "{header}");
            }
        }
        for alg in ["none", "None", "HS256", "RS255", "", "Ed25519"] {
            let header = format!(r#"{{"alg":"{alg}"}}"#);
            assert_eq!(parse(&header), Err(Refused::Algorithm), "{alg}");
        }
        for (header, member) in [
            ("{}", "alg"),
            (r#"{"alg":1}"#, "alg"),
            (r#"{"alg":["RS256"]}"#, "alg"),
            (r#"{"alg":null}"#, "alg"),
            (r#"{"alg":"RS256","kid":1}"#, "kid"),
            (r#"{"alg":"RS256","typ":{}}"#, "typ"),
        ] {
            assert_eq!(parse(header), Err(Refused::Header(member)), "{header}");
        }
        assert_eq!(parse(r#"{"alg":"RS256","alg":"none"}"#), Err(Refused::Json));
    }

    #[test]
    fn only_the_compact_form_is_taken() {
        let refused = |token: &str| {
            Compact::parse(token, &Headers::default())
                .map(|_| ())
                .unwrap_err()
        };
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        let spaced = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256" }"#);
        assert!(Compact::parse(&format!("{spaced}.e30.c2ln"), &Headers::default()).is_ok());
        for token in [
            "",
            "a",
            "a.b",
            ".",
            &format!("{header}.a.b.c.d"),
            &format!("{header}.a.b.c"),
        ] {
            assert_eq!(refused(token), Refused::NotCompact, "{token}");
        }
        assert_eq!(refused("..."), Refused::NotCompact);
        let parts = Compact::parse("e30.b.c", &Headers::default());
        assert_eq!(parts.map(|_| ()).unwrap_err(), Refused::Header("alg"));
        let token = format!("{header}.b.c");
        let token = Compact::parse(&token, &Headers::default()).unwrap();
        assert_eq!(
            (token.signed, token.payload, token.signature),
            (&*format!("{header}.b"), "b", "c")
        );
        assert_eq!(refused(".."), Refused::Json);
        for token in [
            format!("{header}=.e30.c2ln"),
            format!(" {header}.e30.c2ln"),
            format!("{header}\n.e30.c2ln"),
            // The last character with a bit set that carries nothing.
            format!("{}R.e30.c2ln", spaced.strip_suffix('Q').unwrap()),
            r#"{"payload":"e30","signatures":[]}.."#.to_owned(),
        ] {
            assert_eq!(refused(&token), Refused::Encoding, "{token}");
        }
        assert_eq!(refused(&"a".repeat(TOKEN_LIMIT + 1)), Refused::TooLarge);
        let long = format!("{}.e30.c2ln", "a".repeat(HEADER_LIMIT + 1));
        assert_eq!(refused(&long), Refused::TooLarge);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", header in ".*") {
            let _ = Compact::parse(&text, &Headers::default());
            let _ = parse(&header);
        }
    }
}
