//! Keys, tokens, and a server for metadata and key set.

use anyhow::{Result, anyhow};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(super) const AUDIENCE: &str = "api.banking.cymmetri.com";

/// An issuer with a key of each algorithm.
pub(super) struct Issuer {
    pub(super) url: String,
    pub(super) keys: [Key; 3],
}

pub(super) struct Key {
    /// The algorithm's; the key's id as well.
    pub(super) name: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Issuer {
    pub(super) async fn start() -> Result<Self> {
        let keys = [
            (
                "ES256",
                Pair::Ec(
                    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                        .map_err(unspecified)?,
                ),
            ),
            (
                "RS256",
                Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(unspecified)?),
            ),
            (
                "EdDSA",
                Pair::Ed25519(Ed25519KeyPair::generate().map_err(unspecified)?),
            ),
        ]
        .map(|(name, pair)| Key { name, pair });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let metadata = json!({ "issuer": url, "token_endpoint": format!("{url}/t"), "jwks_uri": format!("{url}/keys") });
        let set = json!({ "keys": keys.iter().map(Key::jwk).collect::<Vec<_>>() });
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async move || Json(metadata)),
            )
            .route("/keys", get(async move || Json(set)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, keys })
    }

    pub(super) fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().map(Key::jwk).collect::<Vec<_>>() })
    }
}

impl Key {
    /// A token with what the platform writes: about 700 bytes, and more with RSA.
    pub(super) fn token(&self, issuer: &str) -> Result<String> {
        let header = json!({ "alg": self.name, "kid": self.name, "typ": "at+jwt" });
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)?
            .as_secs();
        let claims = json!({
            "iss": issuer, "sub": "usr_01HZX0ALICE0000000000000", "aud": AUDIENCE,
            "iat": now, "exp": now + 36_000, "scope": "read:accounts read:transactions write:settings",
            "client_id": "app_01HZX0SERVICE00000000000", "jti": "tok_01HZX0TOKEN0000000000000",
            "sid": "ses_01HZX0SESSION00000000000", "auth_level": "AAL2", "amr": ["pwd", "totp"],
            "connection": "google-oauth2", "email": "alice@cymmetri.example", "email_verified": true,
        });
        let signed = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &signature::RSA_PKCS1_SHA256,
                    &random,
                    signed.as_bytes(),
                    &mut signature,
                )
                .map_err(unspecified)?;
                signature
            }
            Pair::Ec(pair) => pair
                .sign(&random, signed.as_bytes())
                .map_err(unspecified)?
                .as_ref()
                .to_vec(),
            Pair::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        Ok(format!("{signed}.{}", encode(signature)))
    }

    /// The key as the bare check wants it: parsed once.
    pub(super) fn public(&self) -> Result<ParsedPublicKey> {
        let parsed = match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let components = RsaPublicKeyComponents {
                    n: key.modulus().big_endian_without_leading_zero(),
                    e: key.exponent().big_endian_without_leading_zero(),
                };
                components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            }
            Pair::Ec(pair) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key()),
            Pair::Ed25519(pair) => ParsedPublicKey::new(&ED25519, pair.public_key()),
        };
        parsed.map_err(|error| anyhow!("{error}"))
    }

    pub(super) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let n = encode(key.modulus().big_endian_without_leading_zero());
                let e = encode(key.exponent().big_endian_without_leading_zero());
                json!({ "kty": "RSA", "alg": self.name, "kid": self.name, "use": "sig", "n": n, "e": e })
            }
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "alg": self.name, "kid": self.name, "use": "sig", "x": encode(x), "y": encode(y) })
            }
            Pair::Ed25519(pair) => {
                let x = encode(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "alg": self.name, "kid": self.name, "use": "sig", "x": x })
            }
        }
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn decode(part: &str) -> Result<Vec<u8>> {
    Ok(URL_SAFE_NO_PAD.decode(part)?)
}

fn unspecified(error: aws_lc_rs::error::Unspecified) -> anyhow::Error {
    anyhow!("{error}")
}
