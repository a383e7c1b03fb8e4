//! `/oauth2/token`: what is granted, and every way it is refused.

use intelliauth_emulator::sample;
use serde_json::json;

use crate::support::sample_world;

#[tokio::test]
async fn a_service_gets_a_token_for_one_api() {
    let world = sample_world().await;
    let reply = world
        .token(&[("audience", sample::BANKING), ("scope", "read:accounts")])
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let json = reply.json();
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["expires_in"], 3600);
    assert_eq!(json["scope"], "read:accounts");
    let claims = reply.claims();
    assert_eq!(claims["iss"], json!(world.emulator.issuer()));
    assert_eq!(claims["sub"], sample::SERVICE);
    assert_eq!(claims["aud"], sample::BANKING);
    assert_eq!(claims["scope"], "read:accounts");
    assert_eq!(world.emulator.token_requests(), 1);
    assert_eq!(world.emulator.tokens_issued(), 1);
}
