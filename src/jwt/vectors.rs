//! Wycheproof's vectors through the signature layer.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    algorithm::Algorithm,
    jws::{Compact, Headers},
    key_set::KeySet,
};

/// Whether the layer accepts the token under this key, with the key's own family allowed.
fn accepts(key: &Value, token: &Value) -> bool {
    let document = match key.get("keys") {
        Some(_) => key.clone(),
        None => json!({ "keys": [key] }),
    };
    let Some(token) = token.as_str() else {
        return false; // JSON serialisation.
    };
    let family = document["keys"][0]["kty"].as_str().unwrap_or_default();
    let allowed: Vec<Algorithm> = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| match algorithm {
            Algorithm::EdDsa => family == "OKP",
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => family == "EC",
            _ => family == "RSA",
        })
        .collect();
    let Ok(keys) = KeySet::read(document.to_string().as_bytes()) else {
        return false;
    };
    Compact::parse(token, &Headers::default())
        .is_ok_and(|token| token.verify(&keys, &allowed).is_ok())
}

/// Runs the tests of a file that apply; how many were accepted and refused, as they should be.
fn run(file: &str, applies: impl Fn(u64) -> bool) -> (usize, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    let document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for group in document["testGroups"].as_array().unwrap() {
        let has_public = group.get("public").is_some();
        let key = if has_public {
            &group["public"]
        } else {
            &group["private"]
        };
        for test in group["tests"].as_array().unwrap() {
            let id = test["tcId"].as_u64().unwrap();
            if !applies(id) {
                continue;
            }
            // A key without a public half is for HMAC, which is never accepted.
            let expected = has_public && test["result"] == "valid";
            assert_eq!(
                accepts(key, &test["jws"]),
                expected,
                "{file} {id} {}",
                test["comment"]
            );
            *if expected {
                &mut accepted
            } else {
                &mut refused
            } += 1;
        }
    }
    (accepted, refused)
}

#[test]
fn signatures_agree() {
    // In these the JWK's `alg` differs from the header's, or is the misspelt "ES521".
    let found = run("wycheproof-json_web_signature_test.json", |id| {
        ![346, 347, 350, 351].contains(&id)
    });
    assert_eq!(found, (32, 325 + 40));
}

#[test]
fn mixed_forms_agree() {
    // From 50 on they are encrypted.
    let found = run("wycheproof-json_web_crypto_test.json", |id| id < 50);
    assert_eq!(found, (2, 26 + 21));
}

#[test]
fn keys_agree() {
    // From 25 on they are encrypted.
    let found = run("wycheproof-json_web_key_test.json", |id| id < 25);
    assert_eq!(found, (1, 10 + 13));
}
