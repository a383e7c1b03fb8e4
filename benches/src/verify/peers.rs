//! Other verifiers, each told to check what ours does as far as it can.

use std::{hint::black_box, sync::Arc};

use anyhow::{Result, anyhow};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use jwt_authorizer::{Authorizer, JwtAuthorizer};
use serde::Deserialize;
use tokio::runtime::Handle;

use super::issuer::{AUDIENCE, Issuer, Key};
use crate::case::{Loop, repeat};

/// What an API would look at.
#[derive(Clone, Debug, Deserialize)]
struct Claims {
    sub: String,
    scope: String,
}

/// Its key is found and parsed before; the key's id is looked up as its documentation says.
pub(super) fn jsonwebtoken(issuer: &Issuer, key: &Key, token: &str) -> Result<Loop> {
    let algorithm: Algorithm = key.name.parse()?;
    let public = DecodingKey::from_jwk(&serde_json::from_value(key.jwk())?)?;
    let mut rules = Validation::new(algorithm);
    rules.leeway = 30;
    rules.set_issuer(&[&issuer.url]);
    rules.set_audience(&[AUDIENCE]);
    rules.set_required_spec_claims(&["exp", "iss", "aud"]);
    rules.validate_nbf = true;
    let (token, kid) = (token.to_owned(), key.name);
    Ok(repeat(move || {
        let header = decode_header(black_box(&token)).ok()?;
        (header.kid.as_deref() == Some(kid)).then_some(())?;
        let claims = decode::<Claims>(&token, &public, &rules).ok()?.claims;
        (!claims.sub.is_empty() && claims.scope.contains("read:transactions")).then_some(claims)
    }))
}

pub(super) fn jwt_authorizer(runtime: &Handle, issuer: &Issuer, token: &str) -> Result<Loop> {
    let rules = jwt_authorizer::Validation::new()
        .iss(&[&issuer.url])
        .aud(&[AUDIENCE])
        .nbf(true)
        .leeway(30);
    let builder =
        JwtAuthorizer::<Claims>::from_jwks_text(&issuer.jwks().to_string()).validation(rules);
    let verifier: Authorizer<Claims> = runtime
        .block_on(builder.build())
        .map_err(|error| anyhow!("{error}"))?;
    runtime
        .block_on(verifier.check_auth(token))
        .map_err(|error| anyhow!("{error}"))?;
    let (runtime, token) = (runtime.clone(), token.to_owned());
    Ok(Arc::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let claims = black_box(verifier.check_auth(black_box(&token)).await);
                assert!(claims.is_ok(), "a good token was refused");
            }
        });
    }))
}
