//! The pages: what they show, and what they are safe against.

use std::time::Duration;

use intelliauth_emulator::{Api, Application, Config, PageError, User, sample};

use crate::browser::{Browser, Page};
use crate::person::{SCOPES, parameter};
use crate::support::{World, sample_world};

const ALICE: (&str, &str) = (sample::ALICE_EMAIL, sample::ALICE_PASSWORD);
const BOB: (&str, &str) = (sample::BOB_EMAIL, sample::BOB_PASSWORD);

fn assert_safe(page: &Page) {
    let reply = &page.reply;
    let policy = reply.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(
        !policy.contains("script-src") && !policy.contains("unsafe"),
        "{policy}"
    );
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    let text = &reply.text;
    for part in [
        "<!DOCTYPE html>",
        "<html lang=\"en\">",
        "<title>",
        "<main ",
        "<h1>",
        "viewport",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in ["<script", "style=\"", "<style", "onclick", "javascript:"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn every_page_is_safe() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let sign_in = browser
        .open(&world.authorize_url(&[("acr_values", "AAL2")]))
        .await;
    let wrong = browser
        .sign_in(&sign_in, ("alice@cymmetri.example", "wrong"))
        .await;
    let second = browser.sign_in(&wrong, ALICE).await;
    let fields = |page: &Page, code: &str| {
        [
            ("csrf", page.hidden("csrf")),
            ("ticket", page.hidden("ticket")),
            ("code", code.to_owned()),
        ]
    };
    let wrong_code = fields(&second, "111111");
    let wrong_code: Vec<_> = wrong_code.iter().map(|it| (it.0, it.1.as_str())).collect();
    let again = browser.submit("/second-factor", &wrong_code).await;
    let right = fields(&again, sample::ALICE_SECOND_FACTOR);
    let right: Vec<_> = right.iter().map(|it| (it.0, it.1.as_str())).collect();
    let consent = browser.submit("/second-factor", &right).await;
    let activate = browser.open("/activate").await;
    let stopped = browser
        .open(&world.authorize_url(&[("redirect_uri", "https://evil.example/")]))
        .await;
    let sign_out = browser.open("/oauth2/logout").await;
    let csrf = sign_out.hidden("csrf");
    let signed_out = browser.submit("/oauth2/logout", &[("csrf", &csrf)]).await;
    let pages = [
        ("sign-in", &sign_in),
        ("sign-in", &wrong),
        ("second-factor", &second),
        ("second-factor", &again),
        ("consent", &consent),
        ("activate", &activate),
        ("stopped", &stopped),
        ("sign-out", &sign_out),
        ("signed-out", &signed_out),
    ];
    for (name, page) in pages {
        assert_eq!(page.name(), name, "{}", page.reply.text);
        assert_safe(page);
    }
    assert_eq!(
        (wrong.reply.status.as_u16(), stopped.reply.status.as_u16()),
        (422, 400)
    );
}

#[tokio::test]
async fn a_page_allows_its_form_to_lead_to_the_callback_and_nowhere_else() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let page = browser.open(&world.authorize_url(&[])).await;
    let policy = page.reply.header("content-security-policy").unwrap();
    assert!(
        policy.contains("form-action 'self' http://127.0.0.1:49152;"),
        "{policy}"
    );
    let scheme = [("redirect_uri", "com.cymmetri.desktop:/callback")];
    let page = browser.open(&world.authorize_url(&scheme)).await;
    let policy = page.reply.header("content-security-policy").unwrap();
    assert!(
        policy.contains("form-action 'self' com.cymmetri.desktop:;"),
        "{policy}"
    );
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_and_changes_with_the_sign_in() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let page = browser.get_raw(&world.authorize_url(&[])).await;
    let cookie = page.reply.header("set-cookie").unwrap().to_owned();
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let before = browser.cookie.clone();
    let page = browser.open(&world.authorize_url(&[])).await;
    browser.sign_in(&page, ALICE).await;
    assert_ne!(browser.cookie, before);
    // A planted cookie is worthless after it.
    let mut planted = Browser::new(&world);
    planted.cookie = before;
    let page = planted.open(&world.authorize_url(&[])).await;
    assert_eq!(page.name(), "sign-in");
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let world = sample_world().await;
    let (mut victim, mut attacker) = (Browser::new(&world), Browser::new(&world));
    let mine = victim.open(&world.authorize_url(&[])).await;
    let theirs = attacker.open(&world.authorize_url(&[])).await;
    let ticket = mine.hidden("ticket");
    for csrf in [String::new(), "guess".to_owned(), theirs.hidden("csrf")] {
        let fields = [
            ("csrf", csrf.as_str()),
            ("ticket", ticket.as_str()),
            ("email", ALICE.0),
            ("password", ALICE.1),
        ];
        let page = victim.submit("/sign-in", &fields).await;
        assert_eq!(page.name(), "stopped", "{csrf}");
    }
    // The ticket of one browser is worth nothing in another one.
    let csrf = theirs.hidden("csrf");
    let fields = [
        ("csrf", csrf.as_str()),
        ("ticket", ticket.as_str()),
        ("email", ALICE.0),
        ("password", ALICE.1),
    ];
    let page = attacker.submit("/sign-in", &fields).await;
    assert_eq!(page.heading(), "This page has expired");
    assert!(world.emulator.sessions().is_empty());
    // It is still good where it belongs.
    assert_eq!(victim.sign_in(&mine, ALICE).await.name(), "consent");
}

#[tokio::test]
async fn a_ticket_is_used_once_and_not_for_ever() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let sign_in = browser.open(&world.authorize_url(&[])).await;
    let consent = browser.sign_in(&sign_in, ALICE).await;
    let again = browser.sign_in(&sign_in, ALICE).await;
    assert_eq!(again.name(), "stopped");
    let allowed = browser.press(&consent, "/consent", "allow").await;
    assert!(allowed.callback("code").is_some());
    let twice = browser.press(&consent, "/consent", "allow").await;
    assert_eq!(twice.heading(), "This page has expired");

    let old = browser
        .open(&world.authorize_url(&[("prompt", "consent")]))
        .await;
    world.emulator.advance(Duration::from_secs(15 * 60));
    let late = browser.press(&old, "/consent", "allow").await;
    assert_eq!(late.heading(), "This page has expired");
    // A ticket of one page is none of another page.
    let page = browser
        .open(&world.authorize_url(&[("prompt", "login")]))
        .await;
    let wrong = browser.press(&page, "/consent", "allow").await;
    assert_eq!(wrong.name(), "stopped");
}

#[tokio::test]
async fn what_the_tenant_and_people_wrote_is_escaped() {
    let evil = "<script>alert(1)</script>\"'";
    let config = Config::new("banking", "cymmetri")
        .api(Api::new("api.a").name(evil).scope("read:a", evil, evil))
        .application(
            Application::native("app_evil")
                .name(evil)
                .allow_audiences(["api.a"])
                .allow_scopes(["read:a"])
                .redirect_uri("http://127.0.0.1/callback"),
        )
        .user(User::new("usr_evil", "evil@x.example", "sample-password").name(evil));
    let world = World::of(config).await;
    let mut browser = Browser::new(&world);
    let url = world.authorize_url(&[
        ("client_id", "app_evil"),
        ("scope", "read:a"),
        ("login_hint", evil),
    ]);
    let sign_in = browser.open(&url).await;
    let wrong = browser.sign_in(&sign_in, (evil, evil)).await;
    let consent = browser
        .sign_in(&wrong, ("evil@x.example", "sample-password"))
        .await;
    let activate = browser.open("/activate?user_code=%3Cscript%3E%22").await;
    assert_eq!(consent.name(), "consent");
    for page in [&sign_in, &wrong, &consent, &activate] {
        assert_safe(page);
        assert!(
            !page.reply.text.contains("alert(1)</script>"),
            "{}",
            page.reply.text
        );
    }
}

#[tokio::test]
async fn the_consent_page_groups_scopes_by_api_and_marks_what_is_new() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let page = browser.open(&world.authorize_url(&[])).await;
    assert!(
        page.reply
            .text
            .contains("to continue to <strong>Cymmetri Desktop</strong>")
    );
    let consent = browser.sign_in(&page, ALICE).await;
    let text = &consent.reply.text;
    for part in [
        "Cymmetri Desktop",
        "Alice Sample",
        sample::ALICE_EMAIL,
        "Not you?",
        "About you",
        "Cymmetri Banking",
        "Read transactions",
        "See the transactions of your accounts",
        "Cymmetri Health",
        "127.0.0.1:49152",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(consent.scopes().values().all(|is_new| *is_new));
    browser.press(&consent, "/consent", "allow").await;

    let scope = format!("{SCOPES} write:settings");
    let more = browser
        .open(&world.authorize_url(&[("scope", &scope)]))
        .await;
    assert_eq!(more.name(), "consent");
    let new: Vec<_> = more
        .scopes()
        .into_iter()
        .filter(|(_, is_new)| *is_new)
        .collect();
    assert_eq!(new, [("write:settings".to_owned(), true)]);
    assert!(more.reply.text.contains("What is new is marked."));
}

#[tokio::test]
async fn not_you_leads_to_the_sign_in_of_another_person() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let page = browser.open(&world.authorize_url(&[])).await;
    let consent = browser.sign_in(&page, ALICE).await;
    let page = browser.press(&consent, "/consent", "switch").await;
    assert_eq!(page.name(), "sign-in");
    let consent = browser.sign_in(&page, BOB).await;
    assert!(consent.reply.text.contains("Bob Sample"));
    // Bob may not have everything: what the person cannot give is not asked for.
    assert!(!consent.scopes().contains_key("read:records"));
    assert!(consent.scopes().contains_key("read:transactions"));
    assert!(world.emulator.consents().is_empty());
}

#[tokio::test]
async fn a_wrong_password_says_no_more_than_that() {
    let world = sample_world().await;
    let mut browser = Browser::new(&world);
    let mut page = browser.open(&world.authorize_url(&[])).await;
    for who in [(ALICE.0, "wrong"), ("nobody@cymmetri.example", ALICE.1)] {
        page = browser.sign_in(&page, who).await;
        let problem = "The email address or the password is not right.";
        assert!(page.reply.text.contains(problem), "{}", page.reply.text);
        assert!(!page.reply.text.contains("wrong\""));
    }
    let failed = world
        .emulator
        .audit()
        .into_iter()
        .filter(|it| it.kind == "user.signed_in.failed");
    assert_eq!(failed.count(), 2);
    assert_eq!(browser.sign_in(&page, ALICE).await.name(), "consent");
}

#[tokio::test]
async fn a_suspended_person_cannot_sign_in() {
    let world = sample_world().await;
    world.emulator.set_user_enabled(sample::BOB, false).unwrap();
    let bob = world.emulator.login_as(sample::BOB);
    let error = bob.approve(world.authorize_url(&[])).await.unwrap_err();
    assert!(
        matches!(&error, PageError::Refused(message) if message.contains("suspended")),
        "{error}"
    );
    world.emulator.set_user_enabled(sample::BOB, true).unwrap();
    assert!(bob.approve(world.authorize_url(&[])).await.is_ok());
}

#[tokio::test]
async fn the_pages_work_below_the_path_of_an_issuer() {
    let world = World::of(Config::sample().issuer_path("/tenants/a")).await;
    world.sign_in(&[]).await;
    let style = world.get("/assets/style.css").await;
    assert_eq!(
        style.header("content-type"),
        Some("text/css; charset=utf-8")
    );
}

#[tokio::test]
async fn one_person_does_one_thing_after_the_other() {
    let world = sample_world().await;
    let alice = world.emulator.login_as(sample::ALICE);
    let url = world.authorize_url(&[]);
    let visit = || alice.approve(&url);
    let (one, two, three) = tokio::join!(visit(), visit(), visit());
    for callback in [one, two, three] {
        assert!(parameter(&callback.unwrap(), "code").is_some());
    }
    assert_eq!(world.emulator.sessions().len(), 1);
}

#[tokio::test]
async fn the_driver_says_where_it_stopped() {
    let world = sample_world().await;
    let alice = world.emulator.login_as(sample::ALICE);
    let url = world.authorize_url(&[("redirect_uri", "http://evil.example/")]);
    let error = alice.approve(url).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "stopped on a page: This address is not registered (invalid_redirect_uri)"
    );
    let error = alice
        .approve("https://other.example/oauth2/authorize")
        .await
        .unwrap_err();
    assert!(matches!(error, PageError::Elsewhere));
    let unknown = world.emulator.login_as("nobody");
    let error = unknown.approve(world.authorize_url(&[])).await.unwrap_err();
    assert!(matches!(error, PageError::UnknownUser(_)));
    let error = alice.device_approve("BBBB-CCCC").await.unwrap_err();
    assert!(matches!(error, PageError::Refused(_)));
}
