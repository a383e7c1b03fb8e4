//! Refresh tokens: rotation, reuse, grace, and every switch about them.

use std::time::Duration;

use intelliauth_emulator::{
    Config, Endpoint, FamilyDeath, Fault, GraceCoverage, MissingConsent, RefreshScopes,
    RefreshTokenState, Switches, UngrantedAudience, sample,
};
use serde_json::json;

use crate::support::{Reply, World, encoded, part, sample_world};

const HEALTH: (&str, &str) = ("audience", sample::HEALTH);
const BANKING: (&str, &str) = ("audience", sample::BANKING);
const SETTINGS: (&str, &str) = ("audience", sample::SETTINGS);

async fn world_with(change: impl FnOnce(&mut Switches)) -> World {
    World::of(Config::sample().switches(change)).await
}

fn token_of(reply: &Reply) -> String {
    let json = reply.json();
    let token = json["refresh_token"].as_str();
    token
        .unwrap_or_else(|| panic!("no refresh token: {json}"))
        .to_owned()
}

fn state(world: &World, token: &str) -> RefreshTokenState {
    world.emulator.refresh_token_state(token)
}

#[tokio::test]
async fn every_refresh_rotates_and_is_counted() {
    let world = sample_world().await;
    let mut token = world.sign_in(&[]).await.refresh_token();
    for _ in 0..5 {
        let next = token_of(&world.refresh(&token, &[]).await);
        assert_eq!(state(&world, &token), RefreshTokenState::Spent);
        assert!(state(&world, &next).is_accepted());
        token = next;
    }
    let family = &world.emulator.families()[0];
    assert_eq!(
        (family.rotations, family.redemptions, family.reuses),
        (5, 5, 0)
    );
    assert!(family.is_alive);
    assert_eq!(
        (family.user.as_str(), family.application.as_str()),
        (sample::ALICE, sample::NATIVE)
    );
}

#[tokio::test]
async fn a_refresh_token_is_known_by_its_place_in_its_family() {
    let world = sample_world().await;
    let first = world.sign_in(&[]).await.refresh_token();
    let second = token_of(&world.refresh(&first, &[]).await);
    let third = token_of(&world.refresh(&second, &[]).await);
    let family = world.emulator.families()[0].id.clone();
    for (number, token) in [&first, &second, &third].into_iter().enumerate() {
        let known = world.emulator.refresh_token(token).unwrap();
        assert_eq!(
            (known.family, known.number),
            (family.clone(), number as u64)
        );
        assert_eq!(known.state.is_accepted(), number == 2);
    }
    assert_eq!(world.emulator.refresh_token("not-a-token"), None);

    // The audit log names redemptions and reuse by the same numbers, and no token.
    world.refresh(&second, &[]).await;
    let audit = world.emulator.audit();
    let numbers = |kind: &str| -> Vec<_> {
        let of_kind = audit.iter().filter(|entry| entry.kind == kind);
        of_kind
            .filter_map(|entry| entry.data["refresh_token_number"].as_u64())
            .collect()
    };
    assert_eq!(numbers("oauth.token_request"), [0, 1]);
    assert_eq!(numbers("oauth.refresh_token_reused"), [1]);
}

#[tokio::test]
async fn reuse_kills_the_family_and_everything_that_came_of_it() {
    let world = sample_world().await;
    let first = world.sign_in(&[]).await;
    let second = world.refresh(&first.refresh_token(), &[]).await;
    let access_token = second.json()["access_token"].as_str().unwrap().to_owned();
    assert!(world.is_active(&access_token).await);
    let reply = world.refresh(&first.refresh_token(), &[]).await;
    assert_eq!(reply.error(), (400, "invalid_grant".to_owned()));
    let reply = world.refresh(&token_of(&second), &[]).await;
    assert_eq!(reply.error(), (400, "invalid_grant".to_owned()));
    assert!(!world.is_active(&access_token).await);
    let family = &world.emulator.families()[0];
    assert_eq!((family.death, family.reuses), (Some(FamilyDeath::Reuse), 1));
    let kinds: Vec<_> = world
        .emulator
        .audit()
        .into_iter()
        .map(|it| it.kind)
        .collect();
    for kind in ["oauth.refresh_token_reused", "user.session_revoked"] {
        assert!(kinds.iter().any(|it| it == kind), "{kind}: {kinds:?}");
    }
    // The person is still signed in at the browser.
    assert!(world.emulator.sessions()[0].is_alive);
}

#[tokio::test]
async fn reuse_may_end_the_whole_session() {
    let world = world_with(|switches| switches.reuse_ends_session = true).await;
    let alice = world.emulator.login_as(sample::ALICE);
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let callback = alice.approve(world.authorize_url(&[])).await.unwrap();
        let code = crate::person::parameter(&callback, "code").unwrap();
        tokens.push(token_of(&world.exchange(&code, &[]).await));
    }
    world.refresh(&tokens[0], &[]).await;
    world.refresh(&tokens[0], &[]).await;
    assert!(!state(&world, &tokens[1]).is_accepted());
    assert!(world.emulator.sessions()[0].is_revoked);
}

#[tokio::test]
async fn within_the_grace_window_a_spent_token_is_answered_again() {
    let world = world_with(|switches| switches.refresh_grace = Duration::from_secs(10)).await;
    let first = world.sign_in(&[]).await.refresh_token();
    let second = token_of(&world.refresh(&first, &[]).await);
    assert_eq!(state(&world, &first), RefreshTokenState::Replayable);
    let replay = world.refresh(&first, &[]).await;
    assert_eq!(token_of(&replay), second);
    let family = &world.emulator.families()[0];
    assert_eq!(
        (family.rotations, family.redemptions, family.replays),
        (1, 2, 1)
    );
    let last = world.emulator.audit().pop().unwrap();
    assert_eq!(last.data["replay"], true);
    world.emulator.advance(Duration::from_secs(10));
    assert_eq!(state(&world, &first), RefreshTokenState::Spent);
    assert_eq!(world.refresh(&first, &[]).await.error().1, "invalid_grant");
    assert_eq!(
        state(&world, &second),
        RefreshTokenState::Dead(FamilyDeath::Reuse)
    );
}

async fn world_with_grace_for_the_identical_request() -> World {
    world_with(|switches| {
        switches.refresh_grace = Duration::from_secs(10);
        switches.refresh_grace_covers = GraceCoverage::IdenticalRequest;
    })
    .await
}

#[tokio::test]
async fn grace_for_any_request_does_not_look_at_what_is_asked() {
    let world = world_with(|switches| switches.refresh_grace = Duration::from_secs(10)).await;
    let first = world.sign_in(&[]).await.refresh_token();
    let second = token_of(&world.refresh(&first, &[BANKING]).await);
    let third = token_of(&world.refresh(&second, &[BANKING]).await);
    let replay = world.refresh(&first, &[HEALTH]).await;
    assert_eq!(replay.claims()["aud"], sample::HEALTH);
    // It is the family's current one by now.
    assert_eq!(token_of(&replay), third);
}

#[tokio::test]
async fn grace_for_the_identical_request_repeats_its_refresh_token() {
    let world = world_with_grace_for_the_identical_request().await;
    let scope = ("scope", "openid read:transactions");
    let first = world.sign_in(&[]).await.refresh_token();
    let answer = world.refresh(&first, &[BANKING, scope]).await;
    let second = token_of(&answer);
    for _ in 0..3 {
        assert_eq!(state(&world, &first), RefreshTokenState::Replayable);
        let again = world.refresh(&first, &[scope, BANKING]).await;
        assert_eq!(token_of(&again), second);
        assert_eq!(again.claims()["aud"], sample::BANKING);
        assert_eq!(again.json()["scope"], answer.json()["scope"]);
        assert_eq!(again.json()["expires_in"], answer.json()["expires_in"]);
    }
    let family = &world.emulator.families()[0];
    assert_eq!(
        (family.rotations, family.redemptions, family.replays),
        (1, 4, 3)
    );
    // The second one is as good as if it had come once.
    assert_eq!(world.refresh(&second, &[HEALTH]).await.status, 200);
}

#[tokio::test]
async fn another_request_within_that_grace_is_reuse() {
    let other_requests: [&[(&str, &str)]; 6] = [
        &[],
        &[HEALTH],
        &[BANKING, ("resource", sample::BANKING)],
        &[BANKING, ("scope", "read:transactions")],
        &[BANKING, ("authorization_details", "[]")],
        &[BANKING, ("acr_values", "AAL2")],
    ];
    for other in other_requests {
        let world = world_with_grace_for_the_identical_request().await;
        let first = world.sign_in(&[]).await.refresh_token();
        let second = token_of(&world.refresh(&first, &[BANKING]).await);
        let reply = world.refresh(&first, other).await;
        assert_eq!(
            reply.error(),
            (400, "invalid_grant".to_owned()),
            "{other:?}"
        );
        let dead = RefreshTokenState::Dead(FamilyDeath::Reuse);
        assert_eq!(state(&world, &second), dead, "{other:?}");
        assert_eq!(world.emulator.families()[0].reuses, 1, "{other:?}");
    }
}

#[tokio::test]
async fn reuse_within_that_grace_says_which_parameters_differ() {
    let world = world_with_grace_for_the_identical_request().await;
    let first = world.sign_in(&[]).await.refresh_token();
    world.refresh(&first, &[BANKING]).await;
    let scope = ("scope", "read:records");
    let reply = world.refresh(&first, &[HEALTH, scope]).await;
    assert_eq!(
        reply.json()["error_description"],
        "the refresh token was used before, in a request with another `audience`, `scope`; its \
         family is revoked"
    );
    let audit = world.emulator.audit();
    let reused = audit
        .iter()
        .find(|it| it.kind == "oauth.refresh_token_reused");
    let expected = json!(["audience", "scope"]);
    assert_eq!(reused.unwrap().data["differing"], expected);
}

#[tokio::test]
async fn the_client_may_authenticate_anew_within_that_grace() {
    let world = world_with_grace_for_the_identical_request().await;
    let callback = {
        let url = world.authorize_url(&crate::person::WEB_WITHOUT_PKCE);
        let alice = world.emulator.login_as(sample::ALICE);
        alice.approve(url).await.unwrap()
    };
    let code = crate::person::parameter(&callback, "code").unwrap();
    let secret = [
        ("client_id", sample::WEB),
        ("client_secret", sample::WEB_SECRET),
    ];
    let redirect = crate::person::WEB_WITHOUT_PKCE[1];
    let exchange = [
        ("grant_type", "authorization_code"),
        redirect,
        ("code", &code),
    ];
    let all = [exchange.as_slice(), &secret].concat();
    let first = token_of(&world.post("/oauth2/token", &all).await);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &first)];
    let all = [refresh.as_slice(), &secret].concat();
    let second = token_of(&world.post("/oauth2/token", &all).await);
    let halves = format!("{}:{}", sample::WEB, sample::WEB_SECRET);
    let again = world.post_basic("/oauth2/token", &halves, &refresh).await;
    assert_eq!(token_of(&again), second);
}

#[tokio::test]
async fn that_grace_is_counted_from_the_first_redemption() {
    let world = world_with_grace_for_the_identical_request().await;
    let first = world.sign_in(&[]).await.refresh_token();
    let second = token_of(&world.refresh(&first, &[BANKING]).await);
    world.emulator.advance(Duration::from_secs(9));
    let again = world.refresh(&first, &[BANKING]).await;
    assert_eq!(token_of(&again), second);
    world.emulator.advance(Duration::from_secs(1));
    assert_eq!(state(&world, &first), RefreshTokenState::Spent);
    assert_eq!(
        world.refresh(&first, &[BANKING]).await.error().1,
        "invalid_grant"
    );
    assert_eq!(
        state(&world, &second),
        RefreshTokenState::Dead(FamilyDeath::Reuse)
    );
}

#[tokio::test]
async fn an_identical_request_is_answered_as_it_was_whatever_came_after() {
    let world = world_with_grace_for_the_identical_request().await;
    let first = world.sign_in(&[]).await.refresh_token();
    let answer = world.refresh(&first, &[]).await;
    let second = token_of(&answer);
    world.emulator.switches(|switches| {
        switches.resource_sticks = true;
        switches.narrowing_is_permanent = true;
    });
    let narrow = ("scope", "offline_access read:records");
    let third = token_of(&world.refresh(&second, &[HEALTH, narrow]).await);
    let again = world.refresh(&first, &[]).await;
    assert_eq!(token_of(&again), second);
    assert_eq!(again.claims()["aud"], sample::BANKING);
    assert_eq!(again.json()["scope"], answer.json()["scope"]);
    // And it changes nothing about where the family stands.
    let reply = world.refresh(&third, &[]).await;
    assert_eq!(reply.claims()["aud"], sample::HEALTH);
    assert_eq!(reply.json()["scope"], "offline_access read:records");
}

#[tokio::test]
async fn a_token_that_was_spent_before_there_was_a_grace_period_is_not_answered() {
    let world = sample_world().await;
    let first = world.sign_in(&[]).await.refresh_token();
    world.refresh(&first, &[BANKING]).await;
    world.emulator.switches(|switches| {
        switches.refresh_grace = Duration::from_secs(3600);
        switches.refresh_grace_covers = GraceCoverage::IdenticalRequest;
    });
    assert_eq!(state(&world, &first), RefreshTokenState::Spent);
    assert_eq!(
        world.refresh(&first, &[BANKING]).await.error().1,
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_lost_answer_is_had_by_the_same_request() {
    let world = world_with_grace_for_the_identical_request().await;
    let mut token = world.sign_in(&[]).await.refresh_token();
    for lost in [
        Fault::drop_after(),
        Fault::torn_body(),
        Fault::truncated_json(),
    ] {
        world.emulator.fault(lost.grant("refresh_token").times(1));
        let half = world.try_refresh(&token).await;
        let is_lost = half.is_err() || half.is_ok_and(|it| !it.text.ends_with('}'));
        assert!(is_lost);
        token = token_of(&world.try_refresh(&token).await.unwrap());
    }
    let family = &world.emulator.families()[0];
    assert_eq!((family.rotations, family.replays), (3, 3));
    assert!(family.is_alive);
}

#[tokio::test]
async fn a_refresh_token_expires_and_lives_anew_with_each_rotation() {
    let world = world_with(|switches| switches.refresh_ttl = Duration::from_secs(100)).await;
    let first = world.sign_in(&[]).await.refresh_token();
    world.emulator.advance(Duration::from_secs(60));
    let second = token_of(&world.refresh(&first, &[]).await);
    world.emulator.advance(Duration::from_secs(60));
    let third = token_of(&world.refresh(&second, &[]).await);
    world.emulator.advance(Duration::from_secs(100));
    assert_eq!(state(&world, &third), RefreshTokenState::Expired);
    assert_eq!(world.refresh(&third, &[]).await.error().1, "invalid_grant");
    assert!(!world.emulator.families()[0].is_alive);
}

#[tokio::test]
async fn a_tenant_may_not_rotate() {
    let world = world_with(|switches| switches.refresh_rotates = false).await;
    let token = world.sign_in(&[]).await.refresh_token();
    assert_eq!(token_of(&world.refresh(&token, &[]).await), token);
    world
        .emulator
        .switches(|switches| switches.refresh_reply_includes_token = false);
    let reply = world.refresh(&token, &[]).await;
    assert_eq!(reply.json().get("refresh_token"), None);
    assert_eq!(state(&world, &token), RefreshTokenState::Current);
    assert_eq!(world.emulator.families()[0].redemptions, 2);
}

#[tokio::test]
async fn the_audience_may_be_fixed_at_the_sign_in() {
    let world = world_with(|switches| switches.refresh_accepts_audience = false).await;
    let first = world.sign_in(&[]).await.refresh_token();
    assert_eq!(
        world.refresh(&first, &[HEALTH]).await.error().1,
        "invalid_target"
    );
    let reply = world.refresh(&first, &[BANKING]).await;
    assert_eq!(reply.claims()["aud"], sample::BANKING);
}

#[tokio::test]
async fn an_audience_without_consent_is_refused_and_the_token_stays() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    assert_eq!(
        world.refresh(&token, &[SETTINGS]).await.error().1,
        "consent_required"
    );
    let target = |switches: &mut Switches| {
        switches.ungranted_audience = UngrantedAudience::InvalidTarget;
    };
    world.emulator.switches(target);
    assert_eq!(
        world.refresh(&token, &[SETTINGS]).await.error().1,
        "invalid_target"
    );
    assert_eq!(
        world
            .refresh(&token, &[("audience", "api.x")])
            .await
            .error()
            .1,
        "invalid_target"
    );
    assert_eq!(state(&world, &token), RefreshTokenState::Current);
    assert_eq!(world.emulator.families()[0].refusals, 3);
}

#[tokio::test]
async fn a_refused_refresh_may_consume_the_token() {
    let world = world_with(|switches| switches.refused_refresh_consumes = true).await;
    let token = world.sign_in(&[]).await.refresh_token();
    assert_eq!(
        world.refresh(&token, &[SETTINGS]).await.error().1,
        "consent_required"
    );
    assert_eq!(
        state(&world, &token),
        RefreshTokenState::Dead(FamilyDeath::Refused)
    );
    assert_eq!(world.refresh(&token, &[]).await.error().1, "invalid_grant");
}

#[tokio::test]
async fn the_last_audience_may_stick() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    let reply = world.refresh(&token, &[HEALTH]).await;
    let reply = world.refresh(&token_of(&reply), &[]).await;
    assert_eq!(reply.claims()["aud"], sample::BANKING);
    world
        .emulator
        .switches(|switches| switches.resource_sticks = true);
    let reply = world.refresh(&token_of(&reply), &[HEALTH]).await;
    let reply = world.refresh(&token_of(&reply), &[]).await;
    assert_eq!(reply.claims()["aud"], sample::HEALTH);
}

#[tokio::test]
async fn narrowing_is_for_one_token_or_for_good() {
    let world = sample_world().await;
    let scope = (
        "scope",
        "openid offline_access read:transactions read:accounts",
    );
    let token = world.sign_in(&[scope]).await.refresh_token();
    let narrow = [("scope", "read:accounts")];
    let reply = world.refresh(&token, &narrow).await;
    assert_eq!(reply.json()["scope"], "read:accounts");
    let reply = world.refresh(&token_of(&reply), &[]).await;
    let whole = "offline_access openid read:accounts read:transactions";
    assert_eq!(reply.json()["scope"], whole);

    world
        .emulator
        .switches(|switches| switches.narrowing_is_permanent = true);
    let keep = [("scope", "offline_access read:accounts")];
    let reply = world.refresh(&token_of(&reply), &keep).await;
    let reply = world.refresh(&token_of(&reply), &[]).await;
    assert_eq!(reply.json()["scope"], "offline_access read:accounts");
    // Without `offline_access` the refresh token is gone.
    let reply = world.refresh(&token_of(&reply), &narrow).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json().get("refresh_token"), None);
    assert!(!world.emulator.families()[0].is_alive);
}

#[tokio::test]
async fn a_refresh_may_ask_for_what_its_sign_in_covered_or_for_whatever_was_allowed() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    world
        .sign_in(&[("scope", "openid read:accounts write:settings")])
        .await;
    let more = [("scope", "read:accounts")];
    assert_eq!(
        world.refresh(&token, &more).await.error().1,
        "invalid_scope"
    );
    assert_eq!(
        world.refresh(&token, &[SETTINGS]).await.error().1,
        "consent_required"
    );
    world
        .emulator
        .switches(|switches| switches.refresh_scopes = RefreshScopes::Consent);
    let reply = world.refresh(&token, &more).await;
    assert_eq!(reply.json()["scope"], "read:accounts");
    let settings = [SETTINGS, ("scope", "write:settings")];
    let reply = world.refresh(&token_of(&reply), &settings).await;
    assert_eq!(reply.claims()["aud"], sample::SETTINGS);
    assert_eq!(reply.json()["scope"], "write:settings");
}

#[tokio::test]
async fn scopes_off_the_list_are_never_a_question_of_consent() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    let off = [("scope", "read:transactions write:transactions")];
    let reply = world.refresh(&token, &off).await;
    assert_eq!(reply.error(), (400, "invalid_scope".to_owned()));
    // The allowlist is a hard cap at every mint, not only at the sign-in.
    world
        .emulator
        .set_allowed_scopes(sample::NATIVE, ["openid", "offline_access"])
        .unwrap();
    let reply = world.refresh(&token, &[]).await;
    assert_eq!(reply.error(), (400, "invalid_scope".to_owned()));
}

#[tokio::test]
async fn an_api_that_the_application_lost_is_no_longer_minted_for() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    world
        .emulator
        .set_allowed_audiences(sample::NATIVE, [sample::HEALTH])
        .unwrap();
    assert_eq!(world.refresh(&token, &[]).await.error().1, "invalid_target");
    assert_eq!(
        world.refresh(&token, &[BANKING]).await.error().1,
        "invalid_target"
    );
    assert_eq!(
        world.refresh(&token, &[HEALTH]).await.claims()["aud"],
        sample::HEALTH
    );
}

#[tokio::test]
async fn a_revoked_consent_is_missed_by_the_next_refresh() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    let revoked =
        world
            .emulator
            .revoke_consent(sample::ALICE, sample::NATIVE, Some(sample::HEALTH));
    assert_eq!(revoked, 1);
    let reply = world.refresh(&token, &[HEALTH]).await;
    assert_eq!(reply.error(), (400, "consent_required".to_owned()));
    for (choice, code) in [
        (MissingConsent::InteractionRequired, "interaction_required"),
        (MissingConsent::InvalidScope, "invalid_scope"),
        (MissingConsent::Narrow, "invalid_scope"),
    ] {
        world
            .emulator
            .switches(|switches| switches.missing_consent = choice);
        assert_eq!(
            world.refresh(&token, &[HEALTH]).await.error().1,
            code,
            "{choice:?}"
        );
    }
    let token = token_of(&world.refresh(&token, &[BANKING]).await);
    // All of it: the family stood on `offline_access`.
    assert_eq!(
        world
            .emulator
            .revoke_consent(sample::ALICE, sample::NATIVE, None),
        2
    );
    assert_eq!(
        state(&world, &token),
        RefreshTokenState::Dead(FamilyDeath::ConsentRevoked)
    );
    assert!(world.emulator.consents().is_empty());
    let revoked = world
        .emulator
        .audit()
        .into_iter()
        .filter(|it| it.kind == "consent.revoked");
    assert_eq!(revoked.count(), 3);
}

#[tokio::test]
async fn suspension_revocation_and_disabling_end_a_refresh() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    world.emulator.set_enabled(sample::NATIVE, false).unwrap();
    assert_eq!(
        world.refresh(&token, &[]).await.error().1,
        "unauthorized_client"
    );
    world.emulator.set_enabled(sample::NATIVE, true).unwrap();
    world.emulator.switches(|switches| {
        switches.tenant_state = intelliauth_emulator::TenantState::Suspended;
    });
    assert_eq!(
        world.refresh(&token, &[]).await.error(),
        (403, "tenant_suspended".to_owned())
    );
    world.emulator.switches(|switches| {
        switches.tenant_state = intelliauth_emulator::TenantState::Active;
    });
    let token = token_of(&world.refresh(&token, &[]).await);
    let session = world.emulator.sessions()[0].id.clone();
    world.emulator.revoke_session(&session).unwrap();
    assert_eq!(world.refresh(&token, &[]).await.error().1, "invalid_grant");
    assert_eq!(
        state(&world, &token),
        RefreshTokenState::Dead(FamilyDeath::SessionRevoked)
    );

    let token = world.sign_in(&[]).await.refresh_token();
    world
        .emulator
        .set_user_enabled(sample::ALICE, false)
        .unwrap();
    assert_eq!(
        state(&world, &token),
        RefreshTokenState::Dead(FamilyDeath::UserSuspended)
    );
    world
        .emulator
        .set_user_enabled(sample::ALICE, true)
        .unwrap();
    assert_eq!(world.refresh(&token, &[]).await.error().1, "invalid_grant");

    let token = world.sign_in(&[]).await.refresh_token();
    assert_eq!(world.emulator.revoke_tokens(sample::NATIVE).unwrap(), 2);
    assert_eq!(
        state(&world, &token),
        RefreshTokenState::Dead(FamilyDeath::TokensRevoked)
    );
}

#[tokio::test]
async fn a_refresh_token_is_bound_to_its_application() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    let web = [
        ("grant_type", "refresh_token"),
        ("client_id", sample::WEB),
        ("client_secret", sample::WEB_SECRET),
        ("refresh_token", token.as_str()),
    ];
    assert_eq!(
        world.post("/oauth2/token", &web).await.error().1,
        "invalid_grant"
    );
    assert_eq!(state(&world, &token), RefreshTokenState::Current);
    assert_eq!(
        world.refresh("made-up", &[]).await.error().1,
        "invalid_grant"
    );
    assert_eq!(state(&world, "made-up"), RefreshTokenState::Unknown);
}

#[tokio::test]
async fn a_refresh_token_that_is_given_back_takes_its_access_tokens_along() {
    let world = sample_world().await;
    let tokens = world.sign_in(&[]).await;
    assert!(world.is_active(&tokens.text("access_token")).await);
    assert!(world.is_active(&tokens.refresh_token()).await);
    let token = tokens.refresh_token();
    let form = [("client_id", sample::NATIVE), ("token", token.as_str())];
    assert_eq!(world.post("/oauth2/revoke", &form).await.status, 200);
    assert_eq!(
        state(&world, &token),
        RefreshTokenState::Dead(FamilyDeath::GivenBack)
    );
    assert!(!world.is_active(&tokens.text("access_token")).await);
    assert!(!world.is_active(&token).await);
    assert_eq!(world.post("/oauth2/revoke", &form).await.status, 200);
}

#[tokio::test]
async fn an_id_token_comes_with_a_refresh_without_a_nonce_or_not_at_all() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    let reply = world.refresh(&token, &[]).await;
    let claims = part(reply.json()["id_token"].as_str().unwrap(), 1);
    assert_eq!(claims["sub"], sample::ALICE);
    assert_eq!(claims.get("nonce"), None);
    let other_person = Fault::id_token_claim("sub", sample::BOB).grant("refresh_token");
    world.emulator.fault(other_person.times(1));
    let reply = world.refresh(&token_of(&reply), &[]).await;
    let claims = part(reply.json()["id_token"].as_str().unwrap(), 1);
    assert_eq!(claims["sub"], sample::BOB);
    world
        .emulator
        .switches(|switches| switches.id_token_on_refresh = false);
    let reply = world.refresh(&token_of(&reply), &[]).await;
    assert_eq!(reply.json().get("id_token"), None);
}

#[tokio::test]
async fn a_lost_reply_has_consumed_the_token_and_a_refused_request_has_not() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    let only_refresh = |fault: Fault| fault.at(Endpoint::Token).grant("refresh_token").times(1);
    world.emulator.fault(only_refresh(Fault::drop_before()));
    world.emulator.fault(only_refresh(Fault::status(503)));
    // Another grant does not meet them.
    world.sign_in(&[]).await;
    assert!(world.try_refresh(&token).await.is_err());
    assert_eq!(world.refresh(&token, &[]).await.status, 503);
    assert_eq!(state(&world, &token), RefreshTokenState::Current);
    world.emulator.fault(only_refresh(Fault::drop_after()));
    assert!(world.try_refresh(&token).await.is_err());
    assert_eq!(state(&world, &token), RefreshTokenState::Spent);

    let token = world.sign_in(&[]).await.refresh_token();
    world.emulator.fault(only_refresh(Fault::torn_body()));
    assert!(world.try_refresh(&token).await.is_err());
    assert_eq!(state(&world, &token), RefreshTokenState::Spent);
    assert!(world.emulator.faults().is_empty());
}

#[tokio::test]
async fn a_delay_comes_before_or_after_the_rotation() {
    let world = sample_world().await;
    let first = world.sign_in(&[]).await.refresh_token();
    let second = world.sign_in(&[]).await.refresh_token();
    let hour = Duration::from_secs(3600);
    world
        .emulator
        .fault(Fault::delay_after(hour).grant("refresh_token").times(1));
    let waiting = refresh_in_background(&world, &first);
    while state(&world, &first) != RefreshTokenState::Spent {
        tokio::task::yield_now().await;
    }
    // It delays no other client.
    assert_eq!(world.refresh(&second, &[]).await.status, 200);
    assert!(!waiting.is_finished());
    waiting.abort();
}

/// A refresh in a task of its own: a client that is aborted gives up.
fn refresh_in_background(
    world: &World,
    token: &str,
) -> tokio::task::JoinHandle<reqwest::Result<reqwest::Response>> {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", sample::NATIVE),
        ("refresh_token", token),
    ];
    let request = world.http().post(world.emulator.url("/oauth2/token"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    tokio::spawn(request.body(encoded(&form)).send())
}

#[tokio::test]
async fn a_refresh_that_is_held_back_is_done_although_its_client_has_gone() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    let hold = Fault::hold(Duration::from_millis(20));
    world.emulator.fault(hold.grant("refresh_token").times(1));
    let waiting = refresh_in_background(&world, &token);
    while !world.emulator.faults().is_empty() {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    while state(&world, &token) != RefreshTokenState::Spent {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.emulator.families()[0].rotations, 1);
}

#[tokio::test]
async fn an_answer_may_be_late_and_lost() {
    let world = sample_world().await;
    let token = world.sign_in(&[]).await.refresh_token();
    let late = Fault::delay_after(Duration::from_millis(20));
    for fault in [late, Fault::drop_after()] {
        world.emulator.fault(fault.grant("refresh_token").times(1));
    }
    assert!(world.try_refresh(&token).await.is_err());
    assert_eq!(state(&world, &token), RefreshTokenState::Spent);
}

#[tokio::test]
async fn the_admin_api_shows_families_and_asks_about_tokens() {
    let world = sample_world().await;
    let first = world.sign_in(&[]).await.refresh_token();
    let second = token_of(&world.refresh(&first, &[]).await);
    let families = world
        .admin("GET", "/emulator/v1/families", json!(null))
        .await
        .json();
    assert_eq!(families["data"][0]["rotations"], 1);
    assert_eq!(families["data"][0]["death"], json!(null));
    let path = "/emulator/v1/refresh-tokens/state";
    for (token, state, is_accepted) in [
        (&first, "spent", false),
        (&second, "current", true),
        (&"x".to_owned(), "unknown", false),
    ] {
        let reply = world
            .admin("POST", path, json!({ "token": token }))
            .await
            .json();
        assert_eq!(reply["data"]["state"], state);
        assert_eq!(reply["data"]["is_accepted"], is_accepted);
    }
    world.refresh(&first, &[]).await;
    let reply = world
        .admin("POST", path, json!({ "token": second }))
        .await
        .json();
    assert_eq!(reply["data"]["state"], "dead");
    assert_eq!(reply["data"]["death"], "reuse");
    assert_eq!(reply["data"]["family"], families["data"][0]["id"]);
    assert_eq!(world.admin("POST", path, json!({})).await.status, 422);
}
