//! A device without a browser, and the person who lets it in on another screen.

use intelliauth_emulator::sample;

use super::application::{Application, SCOPES};
use crate::support::Chromium;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_activated_on_another_screen() {
    Chromium::run(async |browser| {
        let application = Application::start().await;
        let form = [("client_id", sample::NATIVE), ("scope", SCOPES)];
        let (_, begun) = application
            .post("/oauth2/device_authorization", &form)
            .await;
        let user_code = begun["user_code"].as_str().unwrap();
        browser
            .open(begun["verification_uri"].as_str().unwrap())
            .await;
        browser.shows("Connect a device").await;
        browser.look("activate").await;
        browser
            .fill("#user_code", &user_code.to_lowercase().replace('-', ""))
            .await;
        browser.press("Continue").await;
        browser.fill("#email", sample::ALICE_EMAIL).await;
        browser.fill("#password", sample::ALICE_PASSWORD).await;
        browser.press("Sign in").await;
        assert_eq!(browser.texts(".user-code").await, [user_code]);
        browser.look("device-consent").await;
        browser.press("Allow").await;
        browser.shows("Your device is connected").await;
        browser.look("device-allowed").await;
        let device_code = begun["device_code"].as_str().unwrap();
        let form = [form[0], ("grant_type", GRANT), ("device_code", device_code)];
        let (status, tokens) = application.post("/oauth2/token", &form).await;
        assert_eq!(status, 200, "{tokens}");

        let (_, begun) = application
            .post("/oauth2/device_authorization", &form[..1])
            .await;
        assert_eq!(begun["error"], "invalid_scope");
        let form = [("client_id", sample::NATIVE), ("scope", SCOPES)];
        let (_, begun) = application
            .post("/oauth2/device_authorization", &form)
            .await;
        browser
            .open(begun["verification_uri_complete"].as_str().unwrap())
            .await;
        browser.press("Continue").await;
        browser.press("Deny").await;
        browser.shows("The device was not connected").await;
        browser.look("device-denied").await;
    })
    .await;
}
