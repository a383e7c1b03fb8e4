//! Sign-in, consent, denial, a second factor, errors: each page as a person sees it.

use intelliauth_emulator::sample;

use super::application::{Application, SCOPES, parameter};
use crate::support::Chromium;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_allows_and_is_asked_again_only_for_what_is_new() {
    Chromium::run(async |browser| {
        let application = Application::start().await;
        browser.open(&application.authorize_url(SCOPES, "")).await;
        browser.shows("Sign in").await;
        browser.look("sign-in").await;
        browser.fill("#email", sample::ALICE_EMAIL).await;
        browser.fill("#password", "wrong").await;
        browser.press("Sign in").await;
        assert_eq!(
            browser.texts("[role=alert]").await,
            ["The email address or the password is not right."]
        );
        browser.look("sign-in-refused").await;
        browser.fill("#password", sample::ALICE_PASSWORD).await;
        browser.press("Sign in").await;

        browser.shows("Allow Cymmetri Desktop?").await;
        let apis = browser.texts("section h2").await.join("\n");
        assert!(
            apis.contains("Cymmetri Banking") && apis.contains("Cymmetri Health"),
            "{apis}"
        );
        browser.look("consent").await;
        let callback = application.callback();
        browser.press("Allow").await;
        browser.shows("Back at the application").await;
        let callback = callback.join().unwrap();
        assert_eq!(parameter(&callback, "state").as_deref(), Some("state-1"));
        let (status, tokens) = application.exchange(&callback).await;
        assert_eq!(status, 200, "{tokens}");
        assert!(tokens["refresh_token"].is_string());

        // Signed in, and all of it allowed: nobody is asked.
        let callback = application.callback();
        browser.open(&application.authorize_url(SCOPES, "")).await;
        browser.shows("Back at the application").await;
        assert!(parameter(&callback.join().unwrap(), "code").is_some());

        let more = format!("{SCOPES} write:settings");
        browser.open(&application.authorize_url(&more, "")).await;
        assert_eq!(browser.texts("li.new .name").await, ["Change settings"]);
        browser.look("consent-new").await;
        let callback = application.callback();
        browser.press("Deny").await;
        let callback = callback.join().unwrap();
        assert_eq!(
            parameter(&callback, "error").as_deref(),
            Some("access_denied")
        );
        browser.open(&application.authorize_url(&more, "")).await;
        let callback = application.callback();
        browser.press("Allow").await;
        assert!(parameter(&callback.join().unwrap(), "code").is_some());
        browser.no_complaints().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_is_enough() {
    Chromium::run(async |browser| {
        let application = Application::start().await;
        browser.open(&application.authorize_url(SCOPES, "")).await;
        // The first field has the focus.
        browser.keys(sample::BOB_EMAIL).await;
        browser.keys("\u{e004}").await;
        browser.keys(sample::BOB_PASSWORD).await;
        browser.enter().await;
        browser.shows("Allow Cymmetri Desktop?").await;
        // Deny and Allow come last, one after the other, after all that there is to read.
        let passed = browser.tab_to("Allow").await;
        assert_eq!(passed, ["Not you?", "Deny"]);
        let callback = application.callback();
        browser.enter().await;
        assert!(parameter(&callback.join().unwrap(), "code").is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_a_second_factor_and_signing_out() {
    Chromium::run(async |browser| {
        let application = Application::start().await;
        browser.open(&application.authorize_url(SCOPES, "")).await;
        browser.fill("#email", sample::BOB_EMAIL).await;
        browser.fill("#password", sample::BOB_PASSWORD).await;
        browser.press("Sign in").await;
        browser.press("Not you?").await;
        browser.fill("#email", sample::ALICE_EMAIL).await;
        browser.fill("#password", sample::ALICE_PASSWORD).await;
        browser.press("Sign in").await;
        browser.shows("Allow Cymmetri Desktop?").await;
        assert!(browser.text().await.contains("Alice Sample"));
        let callback = application.callback();
        browser.press("Allow").await;
        callback.join().unwrap();

        browser
            .open(&application.authorize_url(SCOPES, "&acr_values=AAL2"))
            .await;
        browser.shows("Confirm that it is you").await;
        browser.look("second-factor").await;
        browser.fill("#code", "111111").await;
        browser.press("Confirm").await;
        assert_eq!(
            browser.texts("[role=alert]").await,
            ["This code is not right."]
        );
        let callback = application.callback();
        browser.fill("#code", sample::ALICE_SECOND_FACTOR).await;
        browser.press("Confirm").await;
        let (_, tokens) = application.exchange(&callback.join().unwrap()).await;
        assert!(tokens["access_token"].is_string(), "{tokens}");

        browser
            .open(&application.authorize_url(SCOPES, "&prompt=select_account"))
            .await;
        browser.look("select-account").await;
        let wrong = application
            .authorize_url(SCOPES, "")
            .replace("callback", "elsewhere");
        browser.open(&wrong).await;
        browser.shows("This address is not registered").await;
        browser.look("stopped").await;
        browser
            .open(&application.emulator.url("/oauth2/logout"))
            .await;
        browser.look("sign-out").await;
        browser.press("Sign out").await;
        browser.shows("You are signed out").await;
        browser.look("signed-out").await;
        browser.open(&application.authorize_url(SCOPES, "")).await;
        browser.shows("Sign in").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_out_comes_back_to_the_application() {
    Chromium::run(async |browser| {
        let application = Application::start().await;
        browser.open(&application.authorize_url(SCOPES, "")).await;
        browser.fill("#email", sample::BOB_EMAIL).await;
        browser.fill("#password", sample::BOB_PASSWORD).await;
        browser.press("Sign in").await;
        browser.shows("Allow Cymmetri Desktop?").await;
        // Without an ID token: the page asks first, and its form ends at the application.
        let signed_out = application.waits_at("/signed-out?");
        browser.open(&application.logout_url("state-2")).await;
        browser.press("Sign out").await;
        browser.shows("Back at the application").await;
        let query = signed_out.join().unwrap();
        assert_eq!(parameter(&query, "state").as_deref(), Some("state-2"));
        browser.no_complaints().await;
        browser.open(&application.authorize_url(SCOPES, "")).await;
        browser.shows("Sign in").await;
    })
    .await;
}
