//! The authorization endpoint: what it takes, and how it says no.

use std::time::Duration;

use intelliauth_emulator::{
    AudienceParameter, Config, ConsentMode, Fault, ScopeMode, SilentRefusal, Switches, sample,
};

use crate::browser::{Browser, Page};
use crate::person::{REDIRECT, SCOPES, WEB_WITHOUT_PKCE, parameter};
use crate::support::{World, sample_world};

const ALICE: (&str, &str) = (sample::ALICE_EMAIL, sample::ALICE_PASSWORD);
const BOB: (&str, &str) = (sample::BOB_EMAIL, sample::BOB_PASSWORD);

async fn world_with(change: impl FnOnce(&mut Switches)) -> World {
    World::of(Config::sample().switches(change)).await
}

async fn error_of(world: &World, parameters: &[(&str, &str)]) -> String {
    let page = Browser::new(world)
        .open(&world.authorize_url(parameters))
        .await;
    assert_eq!(page.callback("state").as_deref(), Some("state-1"));
    assert_eq!(
        page.callback("iss").as_deref(),
        Some(world.emulator.issuer())
    );
    page.callback("error").unwrap_or_default()
}

/// Alice, signed in and having allowed the usual scopes.
async fn signed_in(world: &World) -> Browser<'_> {
    let mut browser = Browser::new(world);
    let page = browser.open(&world.authorize_url(&[])).await;
    let page = browser.sign_in(&page, ALICE).await;
    browser.press(&page, "/consent", "allow").await;
    browser
}

fn error(page: &Page) -> Option<String> {
    page.callback("error")
}

#[tokio::test]
async fn a_wrong_client_or_redirect_uri_stops_on_a_page() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let rows = [
        ("client_id", "app_unknown", "invalid_request"),
        ("client_id", "", "invalid_request"),
        ("redirect_uri", "", "invalid_redirect_uri"),
        (
            "redirect_uri",
            "http://127.0.0.1:49152/callback/",
            "invalid_redirect_uri",
        ),
        (
            "redirect_uri",
            "http://127.0.0.1:49152/CALLBACK",
            "invalid_redirect_uri",
        ),
        (
            "redirect_uri",
            "http://localhost:49152/callback",
            "invalid_redirect_uri",
        ),
        (
            "redirect_uri",
            "http://[::1]:49152/callback",
            "invalid_redirect_uri",
        ),
        (
            "redirect_uri",
            "http://127.0.0.1:49152/callback#x",
            "invalid_redirect_uri",
        ),
        (
            "redirect_uri",
            "https://evil.example/callback",
            "invalid_redirect_uri",
        ),
    ];
    for (name, value, code) in rows {
        let page = browser.open(&world.authorize_url(&[(name, value)])).await;
        assert_eq!(page.name(), "stopped", "{name}={value}");
        assert_eq!(page.error_code(), code, "{name}={value}");
    }
    let twice = format!("{}&redirect_uri={REDIRECT}", world.authorize_url(&[]));
    assert_eq!(browser.open(&twice).await.name(), "stopped");
    let audit = world.emulator.audit();
    let last = audit
        .iter()
        .find(|it| it.data["submitted"] == "https://evil.example/callback");
    assert_eq!(last.unwrap().kind, "oauth.redirect_uri_mismatch");
}

#[tokio::test]
async fn both_loopback_addresses_fit_where_the_switch_says_so() {
    let world = world_with(|switches| switches.loopback_ipv6 = true).await;
    let there = [("redirect_uri", "http://[::1]:49152/callback")];
    let callback = world.approved(sample::ALICE, &there).await;
    assert!(
        callback
            .as_str()
            .starts_with("http://[::1]:49152/callback?code="),
        "{callback}"
    );
}

#[tokio::test]
async fn a_request_that_breaks_a_rule_is_an_error_at_the_callback() {
    let world = sample_world().await;
    let rows = [
        (
            vec![("response_type", "token")],
            "unsupported_response_type",
        ),
        (vec![("response_type", "")], "invalid_request"),
        (vec![("response_mode", "fragment")], "invalid_request"),
        (vec![("code_challenge", "")], "pkce_required"),
        (vec![("code_challenge_method", "plain")], "pkce_required"),
        (vec![("code_challenge_method", "")], "pkce_required"),
        (vec![("code_challenge", "too-short")], "invalid_request"),
        (vec![("scope", "")], "invalid_scope"),
        (vec![("scope", "openid read:nothing")], "invalid_scope"),
        (
            vec![("scope", "openid write:transactions")],
            "invalid_scope",
        ),
        (vec![("audience", "api.unknown")], "invalid_target"),
        (
            vec![("audience", sample::BANKING), ("scope", "read:records")],
            "invalid_scope",
        ),
        (vec![("prompt", "none login")], "invalid_request"),
        (vec![("prompt", "dance")], "invalid_request"),
        (vec![("max_age", "soon")], "invalid_request"),
        (vec![("request", "x")], "invalid_request"),
        (vec![("request_uri", "x")], "invalid_request"),
        (
            vec![("acr_values", "gold")],
            "unmet_authentication_requirements",
        ),
        (vec![("nonce", "a"), ("nonce", "b")], "invalid_request"),
    ];
    for (parameters, code) in rows {
        assert_eq!(error_of(&world, &parameters).await, code, "{parameters:?}");
    }
}

#[tokio::test]
async fn a_confidential_application_may_go_without_pkce_and_not_with_plain() {
    let world = sample_world().await;
    let web = WEB_WITHOUT_PKCE;
    let callback = world.approved(sample::ALICE, &web).await;
    let code = parameter(&callback, "code").unwrap();
    let basic = format!("{}:{}", sample::WEB, sample::WEB_SECRET);
    let form = [
        ("grant_type", "authorization_code"),
        ("redirect_uri", "http://127.0.0.1:3000/callback"),
        ("code", code.as_str()),
    ];
    let reply = world.post_basic("/oauth2/token", &basic, &form).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let plain = [web[0], web[1], ("code_challenge_method", "plain")];
    assert_eq!(error_of(&world, &plain).await, "invalid_request");
}

#[tokio::test]
async fn disabled_and_service_applications_ask_no_person() {
    let world = sample_world().await;
    world.emulator.set_enabled(sample::NATIVE, false).unwrap();
    assert_eq!(error_of(&world, &[]).await, "unauthorized_client");
}

#[tokio::test]
async fn scopes_off_the_list_are_dropped_in_permissive_mode() {
    let world = world_with(|switches| switches.scope_mode = ScopeMode::Permissive).await;
    let tokens = world
        .sign_in(&[("scope", "openid read:transactions write:transactions")])
        .await;
    assert_eq!(tokens.reply.json()["scope"], "openid read:transactions");
}

#[tokio::test]
async fn one_prompt_covers_several_audiences() {
    let world = sample_world().await;
    let both = [("audience", sample::HEALTH), ("audience", sample::BANKING)];
    let tokens = world.sign_in(&both).await;
    // The first one that was named is the first one that is minted for.
    assert_eq!(tokens.reply.claims()["aud"], sample::HEALTH);
    assert_eq!(
        world.emulator.families()[0].audiences,
        [sample::HEALTH, sample::BANKING]
    );
    let reply = world
        .refresh(&tokens.refresh_token(), &[("audience", sample::BANKING)])
        .await;
    assert_eq!(reply.claims()["aud"], sample::BANKING);
}

#[tokio::test]
async fn resource_names_the_audience_where_the_tenant_reads_it() {
    let world =
        world_with(|switches| switches.audience_parameter = AudienceParameter::Resource).await;
    let one = [
        ("resource", sample::HEALTH),
        ("scope", "openid read:records"),
    ];
    assert_eq!(
        world.sign_in(&one).await.reply.claims()["aud"],
        sample::HEALTH
    );
    let ignored = [("audience", "api.unknown")];
    assert_eq!(
        world.sign_in(&ignored).await.reply.claims()["aud"],
        sample::BANKING
    );
}

#[tokio::test]
async fn an_address_of_the_emulator_is_the_default_audience() {
    let world = sample_world().await;
    let tokens = world.sign_in(&[("scope", "openid email")]).await;
    assert_eq!(tokens.reply.claims()["aud"], world.emulator.url("/api"));
    assert_eq!(tokens.reply.json().get("refresh_token"), None);
    assert_eq!(tokens.id_claims()["email"], sample::ALICE_EMAIL);
}

#[tokio::test]
async fn prompt_none_answers_without_a_page() {
    let world = sample_world().await;
    let none = [("prompt", "none")];
    assert_eq!(error_of(&world, &none).await, "login_required");
    let mut browser = signed_in(&world).await;
    let page = browser.open(&world.authorize_url(&none)).await;
    assert!(page.callback("code").is_some());
    let scope = format!("{SCOPES} write:settings");
    let more = [("prompt", "none"), ("scope", scope.as_str())];
    let page = browser.open(&world.authorize_url(&more)).await;
    assert_eq!(error(&page).as_deref(), Some("consent_required"));
    let stronger = [("prompt", "none"), ("acr_values", "aal2")];
    let page = browser.open(&world.authorize_url(&stronger)).await;
    assert_eq!(error(&page).as_deref(), Some("interaction_required"));
    world.emulator.switches(|switches| {
        switches.silent_refusal = SilentRefusal::InteractionRequired;
    });
    let page = browser.open(&world.authorize_url(&more)).await;
    assert_eq!(error(&page).as_deref(), Some("interaction_required"));
}

#[tokio::test]
async fn prompt_login_consent_and_select_account_ask_again() {
    let world = sample_world().await;
    let mut browser = signed_in(&world).await;
    let page = browser
        .open(&world.authorize_url(&[("prompt", "login")]))
        .await;
    assert_eq!(page.name(), "sign-in");
    let page = browser.sign_in(&page, ALICE).await;
    assert!(page.callback("code").is_some());
    let page = browser
        .open(&world.authorize_url(&[("prompt", "login consent")]))
        .await;
    let page = browser.sign_in(&page, ALICE).await;
    assert_eq!(page.name(), "consent");
    assert!(page.scopes().values().all(|is_new| !is_new));
    let page = browser.press(&page, "/consent", "allow").await;
    assert!(page.callback("code").is_some());
    let page = browser
        .open(&world.authorize_url(&[("prompt", "select_account")]))
        .await;
    assert!(page.reply.text.contains("Continue as Alice Sample"));
    let page = browser.press(&page, "/sign-in", "continue").await;
    assert!(page.callback("code").is_some());
    // The button of another page's prompt is none here.
    let page = browser
        .open(&world.authorize_url(&[("prompt", "login")]))
        .await;
    let page = browser.press(&page, "/sign-in", "continue").await;
    assert_eq!(page.name(), "sign-in");
}

#[tokio::test]
async fn max_age_asks_for_a_younger_sign_in() {
    let world = sample_world().await;
    let mut browser = signed_in(&world).await;
    world.emulator.advance(Duration::from_secs(100));
    let page = browser
        .open(&world.authorize_url(&[("max_age", "1000")]))
        .await;
    assert!(page.callback("code").is_some());
    let old = [("max_age", "60"), ("prompt", "none")];
    let page = browser.open(&world.authorize_url(&old)).await;
    assert_eq!(error(&page).as_deref(), Some("login_required"));
    let page = browser
        .open(&world.authorize_url(&[("max_age", "60")]))
        .await;
    let page = browser.sign_in(&page, ALICE).await;
    let code = page.callback("code").unwrap();
    let id_token = world.exchange(&code, &[]).await.json()["id_token"].clone();
    let claims = crate::support::part(id_token.as_str().unwrap(), 1);
    let age = claims["iat"].as_i64().unwrap() - claims["auth_time"].as_i64().unwrap();
    assert!(age < 60, "{age}");
}

#[tokio::test]
async fn an_account_is_chosen_only_if_it_is_young_enough() {
    let world = sample_world().await;
    let mut browser = signed_in(&world).await;
    world.emulator.advance(Duration::from_secs(100));
    let chosen = [("prompt", "select_account"), ("max_age", "60")];
    let page = browser.open(&world.authorize_url(&chosen)).await;
    assert!(!page.reply.text.contains("Continue as"));
    let page = browser.press(&page, "/sign-in", "continue").await;
    assert_eq!(page.name(), "sign-in");
}

#[tokio::test]
async fn a_login_hint_names_who_is_meant() {
    let world = sample_world().await;
    let mut browser = signed_in(&world).await;
    let hint = [("login_hint", sample::BOB_EMAIL)];
    let page = browser.open(&world.authorize_url(&hint)).await;
    assert_eq!(page.name(), "sign-in");
    assert!(page.reply.text.contains("value=\"bob@cymmetri.example\""));
    let silent = [hint[0], ("prompt", "none")];
    let page = browser.open(&world.authorize_url(&silent)).await;
    assert_eq!(error(&page).as_deref(), Some("login_required"));
    let page = browser
        .open(&world.authorize_url(&[("login_hint", sample::ALICE)]))
        .await;
    assert!(page.callback("code").is_some());
    // As real servers do it: the code is of another person than was meant.
    world
        .emulator
        .switches(|switches| switches.login_hint_is_checked = false);
    let page = browser.open(&world.authorize_url(&silent)).await;
    assert!(page.callback("code").is_some());
}

#[tokio::test]
async fn a_second_factor_lifts_the_level() {
    let world = sample_world().await;
    let tokens = world.sign_in(&[("acr_values", "AAL2")]).await;
    assert_eq!(tokens.reply.claims()["auth_level"], "AAL2");
    assert_eq!(tokens.id_claims()["acr"], "AAL2");
    assert_eq!(
        tokens.id_claims()["amr"],
        serde_json::json!(["pwd", "totp"])
    );
    for (who, level) in [(sample::BOB, "AAL2"), (sample::ALICE, "AAL3")] {
        let callback = world.approved(who, &[("acr_values", level)]).await;
        let error = parameter(&callback, "error");
        assert_eq!(
            error.as_deref(),
            Some("unmet_authentication_requirements"),
            "{who}"
        );
    }
    // The lowest of several will do.
    let tokens = world.sign_in(&[("acr_values", "AAL3 AAL1")]).await;
    assert_eq!(tokens.reply.claims()["auth_level"], "AAL1");
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let world = sample_world().await;
    let mut browser = signed_in(&world).await;
    world.emulator.advance(Duration::from_secs(12 * 3600));
    assert!(!world.emulator.sessions()[0].is_alive);
    let page = browser.open(&world.authorize_url(&[])).await;
    assert_eq!(page.name(), "sign-in");
}

#[tokio::test]
async fn consent_can_be_automatic_or_refused() {
    let world = world_with(|switches| switches.consent = ConsentMode::Auto).await;
    let mut browser = Browser::new(&world);
    let page = browser.open(&world.authorize_url(&[])).await;
    let page = browser.sign_in(&page, BOB).await;
    assert!(page.callback("code").is_some());
    assert_eq!(world.emulator.consents()[0].granted[0].text, None);
    world
        .emulator
        .switches(|switches| switches.consent = ConsentMode::Deny);
    let page = browser
        .open(&world.authorize_url(&[("scope", "openid email")]))
        .await;
    assert_eq!(error(&page).as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn callbacks_go_wrong_on_demand() {
    let world = sample_world().await;
    world
        .emulator
        .fault(Fault::callback("state", "another").times(1));
    world
        .emulator
        .fault(Fault::callback_without("iss").times(1));
    let alice = world.emulator.login_as(sample::ALICE);
    let url = world.authorize_url(&[]);
    let callback = alice.approve(&url).await.unwrap();
    assert_eq!(parameter(&callback, "state").as_deref(), Some("another"));
    let callback = alice.approve(&url).await.unwrap();
    assert_eq!(parameter(&callback, "iss"), None);
    let callback = alice.approve(&url).await.unwrap();
    assert_eq!(
        parameter(&callback, "iss").as_deref(),
        Some(world.emulator.issuer())
    );
    world
        .emulator
        .switches(|switches| switches.callback_includes_iss = false);
    let callback = alice.approve(&url).await.unwrap();
    assert_eq!(parameter(&callback, "iss"), None);
    let metadata = world.get("/.well-known/openid-configuration").await.json();
    assert_eq!(
        metadata["authorization_response_iss_parameter_supported"],
        false
    );
}

#[tokio::test]
async fn a_suspended_tenant_shows_a_page() {
    let world = sample_world().await;
    world.emulator.switches(|switches| {
        switches.tenant_state = intelliauth_emulator::TenantState::Suspended;
    });
    let page = Browser::new(&world).open(&world.authorize_url(&[])).await;
    assert_eq!(
        (page.reply.status.as_u16(), page.error_code().as_str()),
        (403, "tenant_suspended")
    );
}
