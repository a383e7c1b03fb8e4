//! People, as npm's `openid-client` sees them: it checks callback and id token by its own rules.

use intelliauth_emulator::{Config, Emulator, Fault, sample};
use serde_json::{Value, json};

use crate::support::Peer;

const REDIRECT: &str = "http://127.0.0.1:49152/callback";
const SCOPES: &str = "openid profile email offline_access read:transactions read:records";

async fn emulator() -> Emulator {
    let quick = |switches: &mut intelliauth_emulator::Switches| {
        switches.device_interval = std::time::Duration::from_secs(1);
    };
    Emulator::start(Config::sample().switches(quick))
        .await
        .unwrap()
}

/// Alice signs in and allows everything; what the client makes of the callback.
async fn sign_in(emulator: &Emulator, peer: &mut Peer) -> Value {
    let begun = peer.ask(&json!({
        "do": "begin", "client_id": sample::NATIVE, "redirect_uri": REDIRECT, "scope": SCOPES,
    }));
    let begun = &begun["ok"];
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(begun["url"].as_str().unwrap()).await.unwrap();
    peer.ask(&json!({
        "do": "finish",
        "client_id": sample::NATIVE,
        "callback": callback.as_str(),
        "verifier": begun["verifier"],
        "state": begun["state"],
        "nonce": begun["nonce"],
    }))
}

#[tokio::test]
async fn a_sign_in_and_its_refreshes_satisfy_a_foreign_client() {
    let emulator = emulator().await;
    let mut peer = Peer::openid_client(&emulator);
    let signed_in = sign_in(&emulator, &mut peer).await;
    let tokens = &signed_in["ok"];
    assert_eq!(tokens["claims"]["sub"], sample::ALICE, "{signed_in}");
    assert_eq!(tokens["userinfo"]["email"], sample::ALICE_EMAIL);
    let mut token = tokens["refresh_token"].clone();
    for audience in [sample::HEALTH, sample::BANKING, sample::HEALTH] {
        let refreshed = peer.ask(&json!({
            "do": "refresh", "client_id": sample::NATIVE, "refresh_token": token, "audience": audience,
        }));
        assert_eq!(refreshed["ok"]["claims"]["aud"], audience, "{refreshed}");
        assert_eq!(refreshed["ok"]["claims"]["sub"], sample::ALICE);
        token = refreshed["ok"]["refresh_token"].clone();
    }
    assert_eq!(emulator.families()[0].rotations, 3);
    let refused = peer.ask(&json!({
        "do": "refresh",
        "client_id": sample::NATIVE,
        "refresh_token": token,
        "audience": sample::SETTINGS,
        "scope": "write:settings",
    }));
    assert_eq!(refused["error"]["code"], "consent_required", "{refused}");
}

#[tokio::test]
async fn what_is_spoilt_on_purpose_is_refused_by_a_foreign_client() {
    let emulator = emulator().await;
    let mut peer = Peer::openid_client(&emulator);
    let faults = [
        Fault::id_token_claim("nonce", "another"),
        Fault::id_token_claim("aud", "app_other"),
        Fault::id_token_claim("iss", "https://other.example"),
        Fault::id_token_claim("exp", 1),
        Fault::callback("state", "another"),
        Fault::callback("iss", "https://other.example"),
        Fault::callback_without("iss"),
    ];
    for fault in faults {
        let told = format!("{fault:?}");
        emulator.fault(fault.times(1));
        let refused = sign_in(&emulator, &mut peer).await;
        assert!(refused["error"].is_object(), "{told}: {refused}");
        assert!(emulator.faults().is_empty(), "{told}");
    }
    assert!(sign_in(&emulator, &mut peer).await["ok"].is_object());
}

#[tokio::test]
async fn a_device_flow_satisfies_a_foreign_client() {
    let emulator = emulator().await;
    let mut peer = Peer::openid_client(&emulator);
    let question = json!({ "do": "device_flow", "client_id": sample::NATIVE, "scope": SCOPES });
    let begun = peer.ask(&question);
    let user_code = begun["ok"]["user_code"].as_str().unwrap();
    emulator
        .login_as(sample::ALICE)
        .device_approve(user_code)
        .await
        .unwrap();
    let tokens = peer.ask(&Value::Null);
    assert_eq!(tokens["ok"]["claims"]["sub"], sample::ALICE, "{tokens}");
}
