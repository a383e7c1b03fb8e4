//! The same pages in a real Chromium, which comes back to the real loopback port.

use intelliauth::{AuthorizationCode, Error};

use super::{banking, health};
use crate::support::{BANKING, Chromium, HEALTH, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_allows_refuses_and_allows_again() {
    Chromium::run(async |browser| {
        let server = Server::for_people();
        let session = server.desktop().build().unwrap().default_session();
        let (pages, mut announced) = tokio::sync::mpsc::unbounded_channel();
        let loopback = || {
            let pages = pages.clone();
            AuthorizationCode::loopback()
                .without_browser()
                .announce(move |page| pages.send(page.clone()).unwrap())
        };

        let login = tokio::spawn({
            let (session, login) = (session.clone(), loopback().request(banking()));
            async move { session.sign_in(login).await }
        });
        browser.open(announced.recv().await.unwrap().as_str()).await;
        browser.shows("Sign-in").await;
        browser.fill("input[name=login]", "alice").await;
        browser.fill("input[name=password]", "any").await;
        browser.press("Sign-in").await;
        browser.shows("Authorize").await;
        assert!(browser.text().await.contains(BANKING));
        browser.press("Continue").await;
        browser.shows("You are signed in").await;
        browser.look_alone("loopback-signed-in").await;
        let account = login.await.unwrap().unwrap();
        assert_eq!(account.subject(), Some("alice"));
        let token = session.client().get_access_token(banking()).await.unwrap();
        server.verify(token.secret(), BANKING).await.unwrap();

        for is_allowed in [false, true] {
            let error = session
                .client()
                .get_access_token(health())
                .await
                .unwrap_err();
            assert!(matches!(error, Error::Consent(_)), "{error}");
            let resolving = tokio::spawn({
                let (session, login) = (session.clone(), loopback());
                async move { session.resolve(error, login).await }
            });
            browser.open(announced.recv().await.unwrap().as_str()).await;
            browser.shows("Authorize").await;
            assert!(browser.text().await.contains(HEALTH));
            if is_allowed {
                browser.press("Continue").await;
                browser.shows("You are signed in").await;
                let token = resolving.await.unwrap().unwrap();
                server.verify(token.secret(), HEALTH).await.unwrap();
            } else {
                browser.follow("[ Cancel ]").await;
                browser.shows("The sign-in did not work").await;
                browser.look_alone("loopback-failed").await;
                let error = resolving.await.unwrap().unwrap_err();
                assert!(matches!(error, Error::Denied(_)), "{error}");
            }
        }
    })
    .await;
}
