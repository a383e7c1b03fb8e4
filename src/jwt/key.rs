//! [`Key`]: one public key of an issuer (RFC 7517 section 4), ready to verify.

mod weak;

use aws_lc_rs::signature::{ED25519, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};

use super::{
    algorithm::{Algorithm, Scheme},
    json::Object,
    jws::decode,
};
use weak::{is_weak_ed25519, is_weak_rsa};

/// A public key, parsed once for each algorithm that it can be used with.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<Box<str>>,
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

impl Key {
    /// Reads a JWK; nothing if it cannot verify signatures, or must not.
    pub(super) fn read(jwk: &Object<'_>) -> Option<Self> {
        let is_usable = !jwk.has_duplicates() && is_for_signatures(jwk) && is_public(jwk);
        is_usable.then_some(())?;
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(Box::from(id.as_text()?)),
        };
        // RFC 7517 section 4.4: a key that names its algorithm is for that one alone.
        let only = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::named(name.as_text()?)?),
        };
        let algorithms = Algorithm::ALL.into_iter();
        let verifiers: Vec<_> = algorithms
            .filter(|algorithm| only.is_none_or(|only| only == *algorithm))
            .filter_map(|algorithm| Some((algorithm, parse(jwk, algorithm.scheme())?)))
            .collect();
        (!verifiers.is_empty()).then_some(Self { id, verifiers })
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn verifier(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let mut verifiers = self.verifiers.iter();
        let found = verifiers.find(|(one, _)| *one == algorithm);
        found.map(|(_, verifier)| verifier)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |((one, key), (other, other_key)): (
            &(Algorithm, ParsedPublicKey),
            &(Algorithm, ParsedPublicKey),
        )| one == other && key.as_ref() == other_key.as_ref();
        self.id == other.id
            && self.verifiers.len() == other.verifiers.len()
            && self.verifiers.iter().zip(&other.verifiers).all(is_same)
    }
}

/// RFC 7517 sections 4.2 and 4.3: both are optional, and exclude what they do not name.
fn is_for_signatures(jwk: &Object<'_>) -> bool {
    let is_used = jwk
        .get("use")
        .is_none_or(|usage| usage.as_text() == Some("sig"));
    let may_verify = jwk.get("key_ops").is_none_or(|operations| {
        let mut operations = operations.as_array().unwrap_or_default().iter();
        operations.any(|operation| operation.as_text() == Some("verify"))
    });
    is_used && may_verify
}

/// A private key that was published is no secret any more. A symmetric key has only such a part.
fn is_public(jwk: &Object<'_>) -> bool {
    // RFC 7518 sections 6.2.2, 6.3.2 and 6.4, RFC 8037 section 2.
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    !private.into_iter().any(|name| jwk.has(name))
}

fn parse(jwk: &Object<'_>, scheme: Scheme) -> Option<ParsedPublicKey> {
    let text = |name| jwk.get(name)?.as_text();
    let bytes = |name| decode(text(name)?).ok();
    match (text("kty")?, scheme) {
        ("RSA", Scheme::Rsa(parameters)) => rsa(parameters, &bytes("n")?, &bytes("e")?),
        (
            "EC",
            Scheme::Ec {
                curve,
                coordinate,
                verification,
            },
        ) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            let is_whole = x.len() == coordinate && y.len() == coordinate;
            (is_whole && text("crv") == Some(curve)).then_some(())?;
            // SEC 1 section 2.3.4: the uncompressed form; parsing checks that it is on the curve.
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            ParsedPublicKey::new(verification, point).ok()
        }
        ("OKP", Scheme::Ed25519) if text("crv") == Some("Ed25519") => {
            let is_sound = |x: &Vec<u8>| x.len() == ED25519_LENGTH && !is_weak_ed25519(x);
            let x = bytes("x").filter(is_sound)?;
            ParsedPublicKey::new(&ED25519, x).ok()
        }
        _ => None,
    }
}

/// RFC 7518 sections 3.3 and 3.5: 2048 bits or more. What is longer than 8192 only costs time.
fn rsa(parameters: &'static RsaParameters, n: &[u8], e: &[u8]) -> Option<ParsedPublicKey> {
    let (n, e) = (without_zeros(n), without_zeros(e));
    let spare = n.first()?.leading_zeros() as usize;
    let is_sized = (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&(n.len() * 8 - spare));
    // With 1 as its exponent a key signs everything; an even one has no inverse.
    let is_odd = e.last()? % 2 == 1 && n.last()? % 2 == 1;
    let is_exponent = is_odd && e != [1] && e.len() <= RSA_EXPONENT_MAX;
    (is_sized && is_exponent && !is_weak_rsa(n)).then_some(())?;
    RsaPublicKeyComponents { n, e }
        .to_parsed_public_key(parameters)
        .ok()
}

/// Some servers write the sign byte of their big integers.
fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;

/// In bytes. Usual is 65537; a long exponent makes verifying as slow as signing.
const RSA_EXPONENT_MAX: usize = 4;

/// RFC 8032 section 5.1.5 (in bytes).
const ED25519_LENGTH: usize = 32;
