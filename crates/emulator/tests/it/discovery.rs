//! Metadata and keys, and tokens verified with nothing but them.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use intelliauth_emulator::{Config, sample};
use serde_json::{Value, json};

use crate::support::{SERVICE_POST, World, part, sample_world};

/// Verifies a token with the published keys; the id of the key that did, if one did.
fn verified_by(token: &str, jwks: &Value) -> Option<String> {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let id = part(token, 0)["kid"].clone();
    let key = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == id)?;
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public = RsaPublicKeyComponents {
        n: number("n"),
        e: number("e"),
    };
    public
        .verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &signature)
        .unwrap();
    id.as_str().map(str::to_owned)
}

async fn jwks(world: &World) -> Value {
    world.get("/.well-known/jwks.json").await.json()
}

#[tokio::test]
async fn the_metadata_is_the_documented_one_at_both_places() {
    let world = sample_world().await;
    let metadata = world.get("/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["issuer"], world.emulator.issuer());
    assert_eq!(
        metadata["token_endpoint"],
        world.emulator.url("/oauth2/token")
    );
    assert_eq!(
        metadata["jwks_uri"],
        world.emulator.url("/.well-known/jwks.json")
    );
    assert_eq!(
        metadata["introspection_endpoint"],
        world.emulator.url("/oauth2/introspect")
    );
    assert_eq!(
        metadata["revocation_endpoint"],
        world.emulator.url("/oauth2/revoke")
    );
    assert_eq!(
        metadata["token_endpoint_auth_methods_supported"],
        json!(["client_secret_basic", "client_secret_post", "none"])
    );
    let other = world
        .get("/.well-known/oauth-authorization-server")
        .await
        .json();
    assert_eq!(metadata, other);
}

#[tokio::test]
async fn a_token_is_verified_with_the_published_key() {
    let world = sample_world().await;
    let token = world.banking_token().await;
    assert!(verified_by(&token, &jwks(&world).await).is_some());
}

#[tokio::test]
async fn rotation_signs_with_a_new_key_and_keeps_the_old_one_published() {
    let world = sample_world().await;
    let old = world.banking_token().await;
    let id = world.emulator.rotate_keys().unwrap();
    let new = world.banking_token().await;
    let keys = jwks(&world).await;
    assert_eq!(verified_by(&new, &keys), Some(id.clone()));
    let old_id = verified_by(&old, &keys).unwrap();
    assert_ne!(old_id, id);
}

#[tokio::test]
async fn replaced_keys_are_gone() {
    let world = sample_world().await;
    let old = world.banking_token().await;
    world.emulator.replace_keys().unwrap();
    let keys = jwks(&world).await;
    assert_eq!(verified_by(&old, &keys), None);
    assert!(verified_by(&world.banking_token().await, &keys).is_some());
}

#[tokio::test]
async fn two_emulators_have_different_keys() {
    let (one, two) = tokio::join!(sample_world(), sample_world());
    let token = one.banking_token().await;
    assert_eq!(verified_by(&token, &jwks(&two).await), None);
}

#[tokio::test]
async fn an_issuer_with_a_path_serves_below_it() {
    let world = World::of(Config::sample().issuer_path("/tenants/a")).await;
    let issuer = world.emulator.issuer();
    assert!(issuer.ends_with("/tenants/a"), "{issuer}");
    let root = issuer.strip_suffix("/tenants/a").unwrap();
    for address in [
        format!("{issuer}/.well-known/openid-configuration"),
        format!("{issuer}/.well-known/oauth-authorization-server"),
        format!("{root}/.well-known/oauth-authorization-server/tenants/a"),
        format!("{root}/.well-known/openid-configuration/tenants/a"),
    ] {
        let text = world
            .http()
            .get(&address)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let metadata: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(metadata["issuer"], issuer, "{address}");
        assert_eq!(
            metadata["token_endpoint"],
            format!("{issuer}/oauth2/token"),
            "{address}"
        );
    }
    let reply = world.token(&[("audience", sample::BANKING)]).await;
    assert_eq!(reply.claims()["iss"], issuer);
    assert_eq!(world.emulator.count("/oauth2/token"), 1);
    let outside = world
        .http()
        .post(format!("{root}/oauth2/token"))
        .send()
        .await
        .unwrap();
    assert_eq!(outside.status(), 404);
    assert_eq!(world.emulator.token_requests(), 1);
}

#[tokio::test]
async fn requests_are_noted_without_their_query() {
    let world = sample_world().await;
    world
        .get("/.well-known/jwks.json?client_secret=sample-value")
        .await;
    world.post("/oauth2/token", &SERVICE_POST).await;
    let requests = world.emulator.requests();
    assert_eq!(requests[0].path, "/.well-known/jwks.json");
    assert_eq!(requests[0].method, "GET");
    assert_eq!(requests[0].status, Some(200));
    assert_eq!(
        requests[1].grant_type.as_deref(),
        Some("client_credentials")
    );
    assert_eq!(requests[1].client_id.as_deref(), Some(sample::SERVICE));
    assert_eq!(requests[1].status, Some(400));
    assert_eq!(world.emulator.count("/.well-known/jwks.json"), 1);
    world.emulator.clear_requests();
    assert!(world.emulator.requests().is_empty());
    assert_eq!(world.emulator.token_requests(), 0);
}
