//! [`KeySet`]: an issuer's public keys (RFC 7517 section 5).

use aws_lc_rs::signature::ParsedPublicKey;

use super::{algorithm::Algorithm, json::Object, key::Key, refused::Refused};

/// The keys that an issuer published, without those that cannot be used.
#[derive(Debug, PartialEq)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    skipped: usize,
}

/// Why a document is no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("it is no JSON object")]
    NotJson,
    #[error("there are no `keys` in it")]
    NoKeys,
    #[error("none of its keys can be used")]
    NoneUsable,
}

impl KeySet {
    /// Reads a key set. Keys that cannot be used are left out one by one, and of very many the first
    /// ones are read.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, KeySetError> {
        let document = Object::lenient(bytes).ok_or(KeySetError::NotJson)?;
        let keys = document.get("keys").and_then(|keys| keys.as_array());
        let listed = keys.ok_or(KeySetError::NoKeys)?;
        let mut keys: Vec<Key> = Vec::new();
        for key in listed.iter().take(KEYS_MAX) {
            let key = key.as_object().and_then(Key::read);
            // The same key twice is no choice between two.
            keys.extend(key.filter(|key| !keys.contains(key)));
        }
        if keys.is_empty() {
            return Err(KeySetError::NoneUsable);
        }
        let skipped = listed.len() - keys.len();
        Ok(Self { keys, skipped })
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many keys the document has besides these.
    pub(crate) fn skipped(&self) -> usize {
        self.skipped
    }

    /// The one key for a token with this algorithm and key id.
    ///
    /// RFC 7515 section 4.1.4 makes `kid` a hint. Here it names the key where it is there, and where
    /// it is not, the key must follow from the algorithm alone.
    pub(super) fn find(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<&ParsedPublicKey, Refused> {
        let is_named = |key: &&Key| id.is_none() || key.id() == id;
        let named = self.keys.iter().filter(is_named);
        let mut fitting = named.clone().filter_map(|key| key.verifier(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(Refused::AmbiguousKey),
            (None, _) if id.is_some() && named.clone().next().is_some() => Err(Refused::UnfitKey),
            (None, _) => Err(Refused::UnknownKey),
        }
    }
}

/// An issuer has a handful; each one costs some microseconds to read.
pub(crate) const KEYS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    };
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    fn ed25519(kid: &str) -> Value {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid })
    }

    fn p256() -> Value {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        })
    }

    fn changed(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
        jwk[name] = value.into();
        jwk
    }

    fn read(keys: &[Value]) -> Result<KeySet, KeySetError> {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn unusable_keys_are_left_out_one_by_one() {
        let good = changed(p256(), "kid", "good");
        let wrong = [
            json!(null),
            json!("key"),
            json!({}),
            json!({ "kty": "oct", "k": "AAAA", "kid": "good" }),
            changed(good.clone(), "use", "enc"),
            changed(good.clone(), "use", 1),
            changed(good.clone(), "key_ops", json!(["sign"])),
            changed(good.clone(), "key_ops", "verify"),
            changed(good.clone(), "d", "AAAA"),
            changed(good.clone(), "dp", "AAAA"),
            changed(good.clone(), "oth", json!([])),
            changed(good.clone(), "kid", 7),
            changed(good.clone(), "alg", "ES384"),
            changed(good.clone(), "alg", "ES256K"),
            changed(good.clone(), "alg", "RS256"),
            changed(good.clone(), "crv", "P-384"),
            changed(good.clone(), "kty", "RSA"),
            changed(good.clone(), "kty", "ec"),
            changed(good.clone(), "x", "AAAA"),
            changed(good.clone(), "x", good["y"].clone()),
            changed(
                good.clone(),
                "y",
                format!("{}=", good["y"].as_str().unwrap()),
            ),
            changed(ed25519("good"), "crv", "X25519"),
            changed(ed25519("good"), "x", "AAAA"),
            changed(ed25519("good"), "x", "A".repeat(43)),
            changed(ed25519("good"), "x", format!("AQ{}", "A".repeat(41))),
        ];
        let count = wrong.len();
        let keys: Vec<Value> = wrong.into_iter().chain([good]).collect();
        let set = read(&keys).unwrap();
        assert_eq!((set.len(), set.skipped()), (1, count));
        assert!(set.find(Algorithm::Es256, Some("good")).is_ok());
    }

    #[test]
    fn a_key_is_found_by_its_id_or_by_being_the_only_one_that_fits() {
        let set = read(&[ed25519("a"), ed25519("b"), changed(p256(), "kid", "c")]).unwrap();
        let find = |algorithm, id| set.find(algorithm, id).map(|_| ());
        assert_eq!(find(Algorithm::EdDsa, Some("a")), Ok(()));
        assert_eq!(find(Algorithm::Es256, None), Ok(()));
        assert_eq!(find(Algorithm::EdDsa, None), Err(Refused::AmbiguousKey));
        assert_eq!(find(Algorithm::EdDsa, Some("c")), Err(Refused::UnfitKey));
        assert_eq!(find(Algorithm::EdDsa, Some("d")), Err(Refused::UnknownKey));
        assert_eq!(find(Algorithm::EdDsa, Some("")), Err(Refused::UnknownKey));
        assert_eq!(find(Algorithm::Rs256, None), Err(Refused::UnknownKey));
        let nameless = read(&[p256()]).unwrap();
        let found = nameless.find(Algorithm::Es256, Some("x")).map(|_| ());
        assert_eq!(
            found,
            Err(Refused::UnknownKey),
            "a key without an id is not any key"
        );
    }

    #[test]
    fn the_same_key_twice_is_one_and_two_of_one_name_are_two() {
        let key = ed25519("a");
        assert_eq!(read(&[key.clone(), key.clone()]).unwrap().len(), 1);
        let set = read(&[key.clone(), ed25519("a")]).unwrap();
        let found = set.find(Algorithm::EdDsa, Some("a")).map(|_| ());
        assert_eq!(found, Err(Refused::AmbiguousKey));
        let one = || read(std::slice::from_ref(&key)).unwrap();
        assert_eq!(one(), one());
        assert_ne!(one(), read(&[ed25519("a")]).unwrap());
    }

    #[test]
    fn a_document_without_usable_keys_is_no_key_set() {
        let error = |text: &str| KeySet::read(text.as_bytes()).unwrap_err();
        for text in ["", "<html></html>", "[]", "null", "{"] {
            assert_eq!(error(text), KeySetError::NotJson, "{text}");
        }
        for text in ["{}", r#"{"keys":{}}"#, r#"{"keys":null}"#] {
            assert_eq!(error(text), KeySetError::NoKeys, "{text}");
        }
        for text in [r#"{"keys":[]}"#, r#"{"keys":[{}]}"#] {
            assert_eq!(error(text), KeySetError::NoneUsable, "{text}");
        }
    }

    #[test]
    fn of_very_many_keys_the_first_are_read() {
        let keys: Vec<Value> = (0..KEYS_MAX + 20)
            .map(|n| ed25519(&n.to_string()))
            .collect();
        let set = read(&keys).unwrap();
        assert_eq!((set.len(), set.skipped()), (KEYS_MAX, 20));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            name in "(kty|crv|x|y|n|e|alg|use|key_ops|kid)", text in ".*",
        ) {
            let _ = KeySet::read(&bytes);
            let _ = read(&[changed(p256(), &name, text)]);
        }
    }
}
