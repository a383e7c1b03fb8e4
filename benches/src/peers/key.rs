//! A key for the peers that sign what they send.

use std::{env, fs, path::PathBuf};

use anyhow::{Result, anyhow};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;

/// A service account whose tokens come from `endpoint`.
pub(super) fn service_account(endpoint: &Endpoint) -> Result<Value> {
    Ok(json!({
        "type": "service_account",
        "project_id": "benchmark",
        "private_key_id": "throw-away",
        "private_key": pem()?,
        "client_email": "benchmark@benchmark.iam.gserviceaccount.com",
        "client_id": "1",
        "auth_uri": endpoint.url(),
        "token_uri": endpoint.token_url(),
    }))
}

/// A throw-away RSA key, made once and kept among the build's output.
///
/// Kept, because finding two primes takes a different number of instructions each time, which would
/// drown those that a run under valgrind is after.
fn pem() -> Result<String> {
    let path = target().join("throw-away-rsa.pem");
    if let Ok(kept) = fs::read_to_string(&path) {
        return Ok(kept);
    }
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no RSA key was made"))?;
    let der: Pkcs8V1Der<'_> = pair
        .as_der()
        .map_err(|_| anyhow!("the key has no DER form"))?;
    let text = STANDARD.encode(der.as_ref());
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (at, letter) in text.chars().enumerate() {
        pem.push(letter);
        if at % 64 == 63 {
            pem.push('\n');
        }
    }
    pem.push_str("\n-----END PRIVATE KEY-----\n");
    fs::write(path, &pem)?;
    Ok(pem)
}

/// The folder that this program was built into.
fn target() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    program.parent().map(PathBuf::from).unwrap_or_default()
}
