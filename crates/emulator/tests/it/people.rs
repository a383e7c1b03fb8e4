//! Consents, sessions, signing out, userinfo, devices.

use std::time::Duration;

use intelliauth_emulator::{Config, FamilyDeath, RefreshTokenState, Switches, sample};
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::person::SCOPES;
use crate::support::{Reply, World, sample_world};

const CLIENT: (&str, &str) = ("client_id", sample::NATIVE);
const ALICE: (&str, &str) = (sample::ALICE_EMAIL, sample::ALICE_PASSWORD);

async fn begin(world: &World) -> Value {
    let form = [CLIENT, ("scope", SCOPES)];
    let reply = world.post("/oauth2/device_authorization", &form).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

async fn poll(world: &World, begun: &Value) -> Reply {
    let device_code = begun["device_code"].as_str().unwrap();
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    world
        .post(
            "/oauth2/token",
            &[CLIENT, grant, ("device_code", device_code)],
        )
        .await
}

fn error(reply: &Reply) -> String {
    assert_eq!(reply.status, 400, "{}", reply.text);
    reply.error().1
}

async fn world_with(change: impl FnOnce(&mut Switches)) -> World {
    World::of(Config::sample().switches(change)).await
}

#[tokio::test]
async fn a_device_polls_until_the_person_decides() {
    let world = sample_world().await;
    let begun = begin(&world).await;
    assert_eq!(begun["verification_uri"], world.emulator.url("/activate"));
    assert_eq!(
        (&begun["expires_in"], &begun["interval"]),
        (&json!(1800), &json!(5))
    );
    let user_code = begun["user_code"].as_str().unwrap();
    assert_eq!((user_code.len(), user_code.as_bytes()[4]), (9, b'-'));
    assert_eq!(error(&poll(&world, &begun).await), "authorization_pending");
    assert_eq!(error(&poll(&world, &begun).await), "slow_down");
    // Five seconds longer from here on.
    world.emulator.advance(Duration::from_secs(5));
    assert_eq!(error(&poll(&world, &begun).await), "slow_down");
    world.emulator.advance(Duration::from_secs(15));
    assert_eq!(error(&poll(&world, &begun).await), "authorization_pending");
    let typed = user_code.to_lowercase().replace('-', " ");
    world
        .emulator
        .login_as(sample::ALICE)
        .device_approve(&typed)
        .await
        .unwrap();
    world.emulator.advance(Duration::from_secs(15));
    let reply = poll(&world, &begun).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(reply.json()["refresh_token"].is_string());
    world.emulator.advance(Duration::from_secs(15));
    assert_eq!(error(&poll(&world, &begun).await), "invalid_grant");
}

#[tokio::test]
async fn a_device_may_be_turned_away_or_come_too_late() {
    let world = sample_world().await;
    let alice = world.emulator.login_as(sample::ALICE);
    let begun = begin(&world).await;
    let user_code = begun["user_code"].as_str().unwrap().to_owned();
    alice.device_deny(&user_code).await.unwrap();
    assert_eq!(error(&poll(&world, &begun).await), "access_denied");
    assert!(alice.device_approve(&user_code).await.is_err());
    let late = begin(&world).await;
    world.emulator.advance(Duration::from_secs(1800));
    assert_eq!(error(&poll(&world, &late).await), "expired_token");
    assert!(
        alice
            .device_approve(late["user_code"].as_str().unwrap())
            .await
            .is_err()
    );
    let kinds: Vec<_> = world
        .emulator
        .audit()
        .into_iter()
        .map(|it| it.kind)
        .collect();
    assert!(
        kinds.iter().any(|it| it == "oauth.device_denied"),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn devices_behave_as_their_switches_say() {
    let world = world_with(|switches| {
        switches.device_reply_includes_interval = false;
        switches.device_slow_down = false;
        switches.device_interval = Duration::from_secs(1);
        switches.device_code_ttl = Duration::from_secs(60);
    })
    .await;
    let begun = begin(&world).await;
    assert_eq!(begun.get("interval"), None);
    assert_eq!(begun["expires_in"], 60);
    assert_eq!(error(&poll(&world, &begun).await), "authorization_pending");
    assert_eq!(error(&poll(&world, &begun).await), "authorization_pending");
}

#[tokio::test]
async fn a_person_sees_application_and_code_before_a_device_is_let_in() {
    let world = sample_world().await;
    let begun = begin(&world).await;
    let user_code = begun["user_code"].as_str().unwrap();
    let mut browser = Browser::new(&world);
    let complete = begun["verification_uri_complete"].as_str().unwrap();
    let page = browser.open(complete).await;
    assert!(page.reply.text.contains(&format!("value=\"{user_code}\"")));
    let csrf = page.hidden("csrf");
    let page = browser
        .submit("/activate", &[("csrf", &csrf), ("user_code", "BBBB-BBBB")])
        .await;
    assert_eq!(
        (page.name().as_str(), page.reply.status.as_u16()),
        ("activate", 422)
    );
    let page = browser
        .submit("/activate", &[("csrf", &csrf), ("user_code", user_code)])
        .await;
    let page = browser.sign_in(&page, ALICE).await;
    assert!(page.reply.text.contains(user_code) && page.reply.text.contains("Cymmetri Desktop"));
    let page = browser.press(&page, "/consent", "allow").await;
    assert_eq!(page.name(), "device-allowed");
    // Even a device of a person who allowed it all before is confirmed.
    let begun = begin(&world).await;
    let user_code = begun["user_code"].as_str().unwrap();
    let page = browser.open("/activate").await;
    let csrf = page.hidden("csrf");
    let page = browser
        .submit("/activate", &[("csrf", &csrf), ("user_code", user_code)])
        .await;
    assert_eq!(page.name(), "consent");
    let page = browser.press(&page, "/consent", "deny").await;
    assert_eq!(page.name(), "device-denied");
}

#[tokio::test]
async fn a_device_request_keeps_the_rules() {
    let world = sample_world().await;
    let path = "/oauth2/device_authorization";
    let service = [
        ("client_id", sample::SERVICE),
        ("client_secret", sample::SERVICE_SECRET),
    ];
    let rows = [
        (vec![CLIENT], "invalid_scope"),
        (
            vec![CLIENT, ("scope", "write:transactions")],
            "invalid_scope",
        ),
        (
            vec![CLIENT, ("scope", "openid"), ("audience", "api.x")],
            "invalid_target",
        ),
        (
            vec![service[0], service[1], ("scope", "openid")],
            "unauthorized_client",
        ),
    ];
    for (form, code) in rows {
        assert_eq!(error(&world.post(path, &form).await), code, "{form:?}");
    }
    let audiences = [("audience", sample::BANKING), ("audience", sample::HEALTH)];
    let form = [CLIENT, ("scope", SCOPES), audiences[0], audiences[1]];
    assert_eq!(world.post(path, &form).await.status, 200);
}

#[tokio::test]
async fn consents_are_recorded_per_api_with_what_was_shown() {
    let world = sample_world().await;
    world.sign_in(&[]).await;
    let scope = format!("{SCOPES} write:settings");
    let more = world.authorize_url(&[("scope", &scope)]);
    world
        .emulator
        .login_as(sample::ALICE)
        .deny(more)
        .await
        .unwrap();
    let consents = world.emulator.consents();
    let audiences: Vec<_> = consents.iter().map(|it| it.audience.as_deref()).collect();
    let expected = [
        None,
        Some(sample::BANKING),
        Some(sample::HEALTH),
        Some(sample::SETTINGS),
    ];
    assert_eq!(audiences, expected);
    let banking = &consents[1];
    assert_eq!(
        (banking.user.as_str(), banking.application.as_str()),
        (sample::ALICE, sample::NATIVE)
    );
    assert_eq!(banking.granted[0].scope, "read:transactions");
    let text = "Read transactions: See the transactions of your accounts";
    assert_eq!(banking.granted[0].text.as_deref(), Some(text));
    // A no to something new leaves what was allowed before.
    assert!(banking.denied.is_empty());
    assert_eq!(consents[3].denied[0].scope, "write:settings");
    assert!(consents[3].granted.is_empty());
    let listed = world
        .admin("GET", "/emulator/v1/consents", Value::Null)
        .await
        .json();
    assert_eq!(listed["data"][1]["granted"][0]["text"], text);
}

#[tokio::test]
async fn the_admin_api_takes_consents_back() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    let path = "/emulator/v1/consents";
    let who = |audience: Value| json!({ "user": sample::ALICE, "application": sample::NATIVE, "audience": audience });
    let reply = world
        .admin("DELETE", path, who(json!(sample::HEALTH)))
        .await;
    assert_eq!(reply.json()["data"]["revoked"], 1);
    assert!(world.emulator.refresh_token_state(&token).is_accepted());
    let reply = world.admin("DELETE", path, who(Value::Null)).await;
    assert_eq!(reply.json()["data"]["revoked"], 1);
    let dead = RefreshTokenState::Dead(FamilyDeath::ConsentRevoked);
    assert_eq!(world.emulator.refresh_token_state(&token), dead);
    let all = json!({ "user": sample::ALICE, "application": sample::NATIVE });
    assert_eq!(
        world.admin("DELETE", path, all).await.json()["data"]["revoked"],
        1
    );
    assert_eq!(world.admin("DELETE", path, json!({})).await.status, 422);
}

#[tokio::test]
async fn the_admin_api_suspends_people_and_ends_sessions() {
    let world = sample_world().await;
    world.sign_in(&[]).await;
    let sessions = world
        .admin("GET", "/emulator/v1/sessions", Value::Null)
        .await
        .json();
    let id = sessions["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(sessions["data"][0]["user"], sample::ALICE);
    let path = format!("/emulator/v1/sessions/{id}");
    assert_eq!(world.admin("DELETE", &path, Value::Null).await.status, 200);
    assert!(world.emulator.sessions()[0].is_revoked);
    let missing = world
        .admin("DELETE", "/emulator/v1/sessions/ses_x", Value::Null)
        .await;
    assert_eq!(missing.error(), (404, "not_found".to_owned()));

    let users = world.admin("GET", "/api/v1/users", Value::Null).await;
    assert_eq!(users.json()["data"][0]["email"], sample::ALICE_EMAIL);
    assert!(!users.text.contains(sample::ALICE_PASSWORD));
    let path = format!("/api/v1/users/{}", sample::BOB);
    let reply = world
        .admin("PATCH", &path, json!({ "enabled": false }))
        .await;
    assert_eq!(reply.json()["data"]["enabled"], false);
    assert_eq!(world.emulator.audit().pop().unwrap().kind, "user.disabled");
    let missing = world
        .admin("PATCH", "/api/v1/users/usr_x", json!({ "enabled": true }))
        .await;
    assert_eq!(missing.error(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn tests_in_other_languages_have_people_too() {
    let world = sample_world().await;
    let path = "/emulator/v1/login";
    let url = world.authorize_url(&[]);
    let body = json!({ "user": sample::ALICE, "url": url });
    let reply = world.admin("POST", path, body).await;
    let callback = reply.json()["data"]["callback"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(callback.starts_with(crate::person::REDIRECT) && callback.contains("code="));
    let body = json!({ "user": sample::BOB_EMAIL, "url": url, "allow": false });
    let reply = world.admin("POST", path, body).await;
    assert!(reply.text.contains("error=access_denied"), "{}", reply.text);
    let begun = begin(&world).await;
    let body = json!({ "user": sample::ALICE, "user_code": begun["user_code"] });
    assert_eq!(world.admin("POST", path, body).await.status, 200);
    assert_eq!(poll(&world, &begun).await.status, 200);
    for bad in [
        json!({}),
        json!({ "user": sample::ALICE }),
        json!({ "user": "nobody", "url": url }),
        json!({ "user": sample::ALICE, "url": "https://other.example/" }),
        json!({ "user": sample::ALICE, "user_code": "BBBB-BBBB" }),
    ] {
        let reply = world.admin("POST", path, bad).await;
        assert_eq!(reply.error(), (422, "validation_failed".to_owned()));
    }
}

#[tokio::test]
async fn a_suspended_person_is_noticed_by_introspection_and_userinfo() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.text("access_token");
    assert!(world.is_active(&token).await);
    world
        .emulator
        .set_user_enabled(sample::ALICE, false)
        .unwrap();
    assert!(!world.is_active(&token).await);
    let header = format!("Bearer {token}");
    let reply = world
        .post_with("/oauth2/userinfo", &[], &[(AUTHORIZATION, &header)])
        .await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn pages_meet_only_faults_that_name_them() {
    let world = sample_world().await;
    world
        .emulator
        .fault(intelliauth_emulator::Fault::status(503));
    let page = Browser::new(&world).open("/activate").await;
    assert_eq!(page.name(), "activate");
    world.emulator.clear_faults();
    let named = intelliauth_emulator::Fault::status(503);
    world
        .emulator
        .fault(named.at(intelliauth_emulator::Endpoint::Pages));
    let page = Browser::new(&world).open("/activate").await;
    assert_eq!(page.reply.status, 503);
    let alice = world.emulator.login_as(sample::ALICE);
    let error = alice.device_approve("BBBB-BBBB").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the reply is not a page of the emulator: status 503"
    );
}

#[tokio::test]
async fn userinfo_says_who_the_person_is() {
    let world = sample_world().await;
    let ask = async |token: &str| {
        let header = format!("Bearer {token}");
        world
            .post_with("/oauth2/userinfo", &[], &[(AUTHORIZATION, &header)])
            .await
    };
    let token = world.sign_in(&[]).await.text("access_token");
    let reply = ask(&token).await;
    let claims = reply.json();
    assert_eq!(
        (&claims["sub"], &claims["name"]),
        (&json!(sample::ALICE), &json!("Alice Sample"))
    );
    for name in ["email", "email_verified", "created_at", "updated_at"] {
        assert!(claims.get(name).is_some(), "{name}: {claims}");
    }
    let token = world
        .sign_in(&[("scope", "read:transactions")])
        .await
        .text("access_token");
    let reply = ask(&token).await;
    assert_eq!(reply.error(), (403, "insufficient_scope".to_owned()));
    for bad in ["made-up", &world.banking_token().await] {
        let reply = ask(bad).await;
        assert_eq!(reply.error(), (401, "invalid_token".to_owned()));
        assert!(
            reply
                .header("www-authenticate")
                .unwrap()
                .starts_with("Bearer")
        );
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_and_returns_to_a_registered_address() {
    let world = sample_world().await;
    let tokens = world.sign_in(&[]).await.reply.json();
    let (hint, refresh) = (
        tokens["id_token"].as_str().unwrap(),
        &tokens["refresh_token"],
    );
    let mut browser = Browser::new(&world);
    let away = |return_to: &str, hint: &str| {
        format!("/oauth2/logout?post_logout_redirect_uri={return_to}&id_token_hint={hint}&state=s2")
    };
    let page = browser.open(&away("https://evil.example/", hint)).await;
    assert_eq!(
        (page.name().as_str(), page.error_code().as_str()),
        ("stopped", "invalid_redirect_uri")
    );
    assert!(!world.emulator.sessions()[0].is_revoked);
    let page = browser
        .open(&away("http://127.0.0.1/signed-out", hint))
        .await;
    assert_eq!(
        page.location().unwrap().as_str(),
        "http://127.0.0.1/signed-out?state=s2"
    );
    let dead = RefreshTokenState::Dead(FamilyDeath::SignedOut);
    assert_eq!(
        world
            .emulator
            .refresh_token_state(refresh.as_str().unwrap()),
        dead
    );
    assert_eq!(
        world.emulator.audit().pop().unwrap().kind,
        "user.signed_out"
    );
}

#[tokio::test]
async fn no_person_is_signed_out_by_a_link() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let page = browser.open(&world.authorize_url(&[])).await;
    browser.sign_in(&page, ALICE).await;
    let page = browser.open("/oauth2/logout?id_token_hint=made-up").await;
    assert_eq!(page.name(), "sign-out");
    let forged = browser.submit("/oauth2/logout", &[("csrf", "guess")]).await;
    assert_eq!(forged.name(), "sign-out");
    assert!(!world.emulator.sessions()[0].is_revoked);
    let csrf = page.hidden("csrf");
    let page = browser.submit("/oauth2/logout", &[("csrf", &csrf)]).await;
    assert_eq!(page.name(), "signed-out");
    assert!(world.emulator.sessions()[0].is_revoked);
    let page = browser.open(&world.authorize_url(&[])).await;
    assert_eq!(page.name(), "sign-in");
}

#[tokio::test]
async fn nothing_secret_of_a_sign_in_stands_in_a_log() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let page = browser.open(&world.authorize_url(&[])).await;
    let (csrf, ticket) = (page.hidden("csrf"), page.hidden("ticket"));
    let page = browser.sign_in(&page, ALICE).await;
    let page = browser.press(&page, "/consent", "allow").await;
    let code = page.callback("code").unwrap();
    let tokens = world.exchange(&code, &[]).await.json();
    let begun = begin(&world).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let cookie = browser.cookie.clone().unwrap();
    let secrets = [
        csrf,
        ticket,
        code,
        cookie.split_once('=').unwrap().1.to_owned(),
        text(&tokens["refresh_token"]),
        text(&tokens["id_token"]),
        text(&begun["device_code"]),
        text(&begun["user_code"]),
        sample::ALICE_PASSWORD.to_owned(),
    ];
    for secret in &secrets {
        // A client that puts it where it does not belong.
        world
            .post("/oauth2/token", &[("client_id", secret), ("scope", secret)])
            .await;
        world.get(&format!("/{secret}")).await;
    }
    let emulator = &world.emulator;
    let alice = emulator.login_as(sample::ALICE);
    let logs = format!(
        "{:?} {:?} {:?} {:?} {:?} {emulator:?} {alice:?}",
        emulator.audit(),
        emulator.requests(),
        emulator.families(),
        emulator.sessions(),
        emulator.consents(),
    );
    for secret in &secrets {
        assert!(!logs.contains(secret), "{secret} in {logs}");
    }
}

#[tokio::test]
async fn a_confirmed_logout_still_knows_which_application_asked() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let page = browser.open(&world.authorize_url(&[])).await;
    browser.sign_in(&page, ALICE).await;
    let path = format!(
        "/oauth2/logout?client_id={}&post_logout_redirect_uri=http://127.0.0.1/signed-out",
        sample::NATIVE
    );
    let page = browser.open(&path).await;
    assert_eq!(page.name(), "sign-out");
    // A browser follows the redirect of a form to where the policy of its page lets it.
    let policy = page.reply.header("content-security-policy").unwrap();
    assert!(
        policy.contains("form-action 'self' http://127.0.0.1"),
        "{policy}"
    );
    let kept =
        ["csrf", "post_logout_redirect_uri", "client_id"].map(|name| (name, page.hidden(name)));
    let kept = kept.each_ref().map(|(name, value)| (*name, value.as_str()));
    browser.submit("/oauth2/logout", &kept).await;
    assert!(world.emulator.sessions()[0].is_revoked);
}
