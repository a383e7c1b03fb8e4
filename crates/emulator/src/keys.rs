//! The tenant's signing keys and the documents made of them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Keys could not be made or used.
#[derive(Debug, thiserror::Error)]
#[error("the RSA key could not be made or used")]
pub(crate) struct KeyFailure;

/// One RSA key pair of 2048 bits, made here and never written anywhere.
pub(crate) struct SigningKey {
    pair: KeyPair,
    id: String,
}

impl SigningKey {
    /// Makes a new pair; takes some tens of milliseconds.
    pub(crate) fn generate() -> Result<Self, KeyFailure> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_unspecified| KeyFailure)?;
        let id = thumbprint(&pair);
        Ok(Self { pair, id })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// A compact JWS (RFC 7515 section 7.1) with RS256 (RFC 7518 section 3.3).
    pub(crate) fn sign(&self, typ: Option<&str>, claims: &Value) -> Result<String, KeyFailure> {
        let mut header = json!({ "alg": "RS256", "kid": self.id });
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        let input = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                input.as_bytes(),
                &mut signature,
            )
            .map_err(|_unspecified| KeyFailure)?;
        Ok(format!("{input}.{}", encode(signature)))
    }

    fn jwk(&self, includes_alg: bool) -> Value {
        let public = self.pair.public_key();
        let mut jwk = json!({
            "kty": "RSA",
            "use": "sig",
            "kid": self.id,
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        });
        if includes_alg {
            jwk["alg"] = "RS256".into();
        }
        jwk
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The key that signs now and those that still verify.
#[derive(Debug)]
pub(crate) struct KeyRing {
    /// Newest first: the first one signs, all are published.
    keys: Mutex<Vec<Arc<SigningKey>>>,
}

impl KeyRing {
    pub(crate) fn new(key: SigningKey) -> Self {
        Self {
            keys: Mutex::new(vec![Arc::new(key)]),
        }
    }

    /// Signs with a new key from now on. Returns its id.
    pub(crate) fn rotate(&self, keep_old: bool) -> Result<String, KeyFailure> {
        let key = Arc::new(SigningKey::generate()?);
        let id = key.id().to_owned();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keep_old {
            keys.clear();
        }
        keys.insert(0, key);
        Ok(id)
    }

    pub(crate) fn current(&self) -> Result<Arc<SigningKey>, KeyFailure> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.first().map(Arc::clone).ok_or(KeyFailure)
    }

    /// The JWK set (RFC 7517 section 5).
    pub(crate) fn jwks(&self, includes_alg: bool) -> Value {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let jwks: Vec<Value> = keys.iter().map(|key| key.jwk(includes_alg)).collect();
        json!({ "keys": jwks })
    }
}

/// RFC 7638 section 3: the digest over the required members in alphabetical order.
fn thumbprint(pair: &KeyPair) -> String {
    let public = pair.public_key();
    let members = format!(
        r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
        encode(public.exponent().big_endian_without_leading_zero()),
        encode(public.modulus().big_endian_without_leading_zero()),
    );
    encode(digest(&SHA256, members.as_bytes()))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_signs_with_a_new_key_and_keeps_or_drops_the_old() {
        let ring = KeyRing::new(SigningKey::generate().unwrap());
        let first = ring.current().unwrap().id().to_owned();
        let second = ring.rotate(true).unwrap();
        assert_ne!(first, second);
        assert_eq!(ring.current().unwrap().id(), second);
        assert_eq!(ring.jwks(true)["keys"].as_array().unwrap().len(), 2);
        ring.rotate(false).unwrap();
        assert_eq!(ring.jwks(true)["keys"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn debug_shows_only_the_id() {
        let key = SigningKey::generate().unwrap();
        assert_eq!(
            format!("{key:?}"),
            format!("SigningKey {{ id: {:?}, .. }}", key.id())
        );
    }
}
