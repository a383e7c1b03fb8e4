//! The whole circle through the middleware: an API refuses, the person allows it in a browser, the call goes through.

use intelliauth::{
    Api, AuthorizationCode, Client, Error, TokenRequest,
    resource_server::{ProtectedRouter, Verifier, require_scope},
};
use intelliauth_emulator::{Config, Emulator, sample};
use reqwest_middleware::ClientBuilder;
use tokio::{net::TcpListener, sync::mpsc};

use crate::support::{Chromium, http};

/// The API for settings, behind the layer.
async fn settings(emulator: &Emulator) -> String {
    let verifier = Verifier::builder(emulator.issuer(), sample::SETTINGS);
    let read = require_scope("read:settings").unwrap();
    let write = require_scope("write:settings").unwrap();
    let router = ProtectedRouter::new(verifier.build().unwrap())
        .get("/settings", read, async || "dark")
        .post("/settings", write, async || "changed");
    let router = router.into_router().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_goes_through_once_the_person_has_consented_in_a_browser() {
    Chromium::run(async |browser| {
        let emulator = Emulator::start(Config::sample()).await.unwrap();
        let api = settings(&emulator).await;
        let people = Client::for_person(emulator.issuer(), sample::NATIVE);
        let alice = people.build().unwrap().session("alice");
        let reading = TokenRequest::new(sample::SETTINGS).scope("read:settings");
        // The page that the program would open.
        let (page, mut pages) = mpsc::unbounded_channel();
        let loopback = || {
            let page = page.clone();
            let login = AuthorizationCode::loopback().without_browser();
            login.announce(move |url| page.send(url.to_string()).unwrap())
        };

        let login = loopback().request(&reading);
        let signing_in = tokio::spawn({
            let alice = alice.clone();
            async move { alice.sign_in(login).await }
        });
        browser.open(&pages.recv().await.unwrap()).await;
        browser.fill("#email", sample::ALICE_EMAIL).await;
        browser.fill("#password", sample::ALICE_PASSWORD).await;
        browser.press("Sign in").await;
        browser.press("Allow").await;
        signing_in.await.unwrap().unwrap();

        let wanted = Api::new(&reading).allow_scopes("write:settings");
        let middleware = intelliauth::TokenMiddleware::new(alice.clone()).api(&api, wanted);
        let calling = ClientBuilder::new(http()).with(middleware).build();
        let address = format!("{api}/settings");
        let read = calling.get(&address).send().await.unwrap();
        assert_eq!(read.text().await.unwrap(), "dark");

        let before = emulator.token_requests();
        let refused = calling.post(&address).send().await.unwrap_err();
        let error = Error::find(&refused).unwrap().clone();
        let Error::Consent(consent) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(consent.missing().to_string(), "write:settings");
        assert_eq!(emulator.token_requests(), before, "nothing was asked for");

        let resolving = tokio::spawn({
            let (alice, login) = (alice.clone(), loopback());
            async move { alice.resolve(error, login).await }
        });
        browser.open(&pages.recv().await.unwrap()).await;
        assert_eq!(browser.texts("li.new .name").await, ["Change settings"]);
        browser.press("Allow").await;
        resolving.await.unwrap().unwrap();
        let changed = calling.post(&address).send().await.unwrap();
        assert_eq!(changed.text().await.unwrap(), "changed");
    })
    .await;
}
