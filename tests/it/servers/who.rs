//! Who signed in: ID tokens with further audiences, and what stands at userinfo alone.

use intelliauth::{Account, AuthorizationCode, EndSession, Error, PendingLogout, Session};
use serde_json::{Value, json};
use url::Url;
use wiremock::{Mock, ResponseTemplate, matchers};

use super::parameter;
use crate::{
    resource_server::issuer::Keys,
    support::{
        CLIENT_ID, Server,
        person::{BANKING, REDIRECT, callback},
    },
};

/// An issuer that signs ID tokens, and says who it is at `/userinfo`.
struct Issuer {
    server: Server,
    keys: Keys,
}

impl Issuer {
    async fn start(userinfo: ResponseTemplate) -> Self {
        let server = Server::bare().await;
        let mut document = server.metadata();
        for (name, path) in [
            ("authorization_endpoint", "/oauth2/authorize"),
            ("userinfo_endpoint", "/userinfo"),
            ("jwks_uri", "/keys"),
            ("end_session_endpoint", "/end?tenant=1"),
        ] {
            document[name] = json!(server.url(path));
        }
        document["id_token_signing_alg_values_supported"] = json!(["ES256"]);
        server
            .json(crate::support::DISCOVERY_PATH, 200, &document)
            .await;
        let keys = Keys::generate();
        let published = json!({"keys": keys.public("")});
        server.json("/keys", 200, &published).await;
        Mock::given(matchers::path("/userinfo"))
            .and(matchers::header("authorization", "Bearer access"))
            .respond_with(userinfo)
            .mount(&server.mock)
            .await;
        Self { server, keys }
    }

    /// Alice signs in; the ID token says this too, and is signed so.
    async fn signs_in(&self, more: Value, algorithm: &str) -> (Session, Result<Account, Error>) {
        let session = self.server.person().build().unwrap().default_session();
        let login = AuthorizationCode::redirect_to(REDIRECT)
            .request(BANKING)
            .scope("profile email");
        let (url, pending) = session.begin_sign_in(login).await.unwrap();
        let now = self.now();
        let mut claims = json!({
            "iss": self.server.issuer(), "sub": "alice", "aud": CLIENT_ID, "iat": now, "exp": now + 300,
            "nonce": parameter(&url, "nonce"),
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = json!({"alg": algorithm, "kid": Keys::id(algorithm)});
        let id_token = self
            .keys
            .sign(algorithm, &header.to_string(), &claims.to_string());
        self.server
            .token()
            .access_token("access")
            .member("id_token", json!(id_token))
            .mount()
            .await;
        let back = callback(&url, "code");
        let outcome = session.finish_sign_in(&pending, &back).await;
        (session, outcome)
    }

    fn now(&self) -> u64 {
        use intelliauth::Clock;
        let wall = self.server.clock.now().wall();
        wall.duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    }

    async fn asked(&self) -> usize {
        self.server.count_at("/userinfo").await
    }
}

fn says(claims: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(claims)
}

#[tokio::test]
async fn what_the_id_token_is_silent_about_stands_at_userinfo() {
    // better-auth and LemonLDAP::NG, as recorded.
    let claims = json!({
        "sub": "alice", "name": "Alice Doe", "given_name": "Alice", "family_name": "Doe",
        "email": "alice@x.example", "email_verified": true, "locale": "de-AT",
        "picture": "https://x.example/a.png", "updated_at": 1_700_000_000,
    });
    let issuer = Issuer::start(says(&claims)).await;
    let (session, outcome) = issuer.signs_in(json!({}), "ES256").await;
    for account in [outcome.unwrap(), session.account().await.unwrap().unwrap()] {
        assert_eq!(account.subject(), Some("alice"));
        assert_eq!(account.name(), Some("Alice Doe"));
        assert_eq!(account.given_name(), Some("Alice"));
        assert_eq!(account.family_name(), Some("Doe"));
        assert_eq!(account.email(), Some("alice@x.example"));
        assert_eq!(account.email_verified(), Some(true));
        assert_eq!(account.locale(), Some("de-AT"));
        assert_eq!(account.picture(), Some("https://x.example/a.png"));
        assert!(account.updated_at().is_some());
        assert!(!format!("{account:?}").contains("Doe"), "{account:?}");
    }
    assert_eq!(issuer.asked().await, 1, "once");
}

#[tokio::test]
async fn userinfo_is_not_asked_where_the_id_token_says_all() {
    let issuer = Issuer::start(ResponseTemplate::new(500)).await;
    let more = json!({"preferred_username": "alice", "email": "alice@x.example"});
    let (_, outcome) = issuer.signs_in(more, "ES256").await;
    assert_eq!(outcome.unwrap().name(), Some("alice"));
    assert_eq!(issuer.asked().await, 0);
}

#[tokio::test]
async fn trouble_at_userinfo_costs_the_sign_in_nothing() {
    for template in [
        ResponseTemplate::new(503),
        ResponseTemplate::new(401).set_body_json(json!({"error": "invalid_token"})),
        ResponseTemplate::new(200).set_body_string("<html>"),
        says(&json!({"name": "of nobody"})),
        says(&json!({"sub": "mallory", "name": "Mallory", "email": "m@x.example"})),
    ] {
        let issuer = Issuer::start(template).await;
        let (_, outcome) = issuer.signs_in(json!({}), "ES256").await;
        let account = outcome.unwrap();
        assert_eq!(account.subject(), Some("alice"));
        assert_eq!((account.name(), account.email()), (None, None));
        assert_eq!(issuer.asked().await, 1);
    }
}

#[tokio::test]
async fn an_id_token_may_be_for_the_api_that_the_sign_in_asked_for() {
    // canaille, as recorded.
    let issuer = Issuer::start(ResponseTemplate::new(404)).await;
    let more = json!({"aud": [CLIENT_ID, BANKING]});
    let (_, outcome) = issuer.signs_in(more, "ES256").await;
    assert_eq!(outcome.unwrap().subject(), Some("alice"));

    let issuer = Issuer::start(ResponseTemplate::new(404)).await;
    let more = json!({"aud": [CLIENT_ID, "api.of-others"]});
    let (_, outcome) = issuer.signs_in(more, "ES256").await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("further audience"), "{error}");
    assert!(!error.contains("another client"), "{error}");
}

#[tokio::test]
async fn a_refused_signature_algorithm_is_named() {
    let issuer = Issuer::start(ResponseTemplate::new(404)).await;
    let (_, outcome) = issuer.signs_in(json!({}), "RS256").await;
    let error = outcome.unwrap_err().to_string();
    assert!(
        error.contains("RS256") && error.contains("allows ES256"),
        "{error}"
    );
}

#[tokio::test]
async fn names_that_are_no_texts_do_not_spoil_an_id_token() {
    let issuer = Issuer::start(ResponseTemplate::new(404)).await;
    let more = json!({"name": null, "email": 7, "auth_level": 2});
    let (_, outcome) = issuer.signs_in(more, "ES256").await;
    assert_eq!(outcome.unwrap().name(), None);
}

#[tokio::test]
async fn who_signs_out_at_the_issuer_too_is_sent_there_with_their_id_token() {
    let issuer = Issuer::start(ResponseTemplate::new(404)).await;
    let (session, outcome) = issuer.signs_in(json!({}), "ES256").await;
    outcome.unwrap();
    let back = "https://app.example/signed-out";
    let how = EndSession::redirect_to(back);
    let (url, pending, _) = session.begin_sign_out(how).await.unwrap();
    assert_eq!(session.account().await.unwrap(), None);
    assert_eq!(url.path(), "/end");
    assert_eq!(parameter(&url, "tenant").as_deref(), Some("1"));
    assert_eq!(parameter(&url, "client_id").as_deref(), Some(CLIENT_ID));
    assert_eq!(
        parameter(&url, "post_logout_redirect_uri").as_deref(),
        Some(back)
    );
    let hint = parameter(&url, "id_token_hint").unwrap();
    assert_eq!(hint.split('.').count(), 3);
    assert!(!format!("{pending:?}").contains(&hint));
    let state = parameter(&url, "state").unwrap();
    let kept: PendingLogout =
        serde_json::from_str(&serde_json::to_string(&pending).unwrap()).unwrap();
    kept.accept(&format!("{back}?state={state}")).unwrap();
    kept.accept(&format!("/signed-out?state={state}")).unwrap();
    for wrong in ["?state=x", "", &format!("?state={state}&state={state}")] {
        let refused = kept.accept(&format!("{back}{wrong}")).unwrap_err();
        assert_eq!(refused.kind(), "protocol", "{wrong}");
    }
    // Who is signed in no more is sent there without.
    let how = EndSession::at_issuer();
    let (url, _, _) = session.begin_sign_out(how).await.unwrap();
    assert_eq!(parameter(&url, "id_token_hint"), None);
    assert_eq!(parameter(&url, "state"), None);
}

#[tokio::test]
async fn a_program_waits_for_its_person_on_a_port_of_this_machine() {
    let issuer = Issuer::start(ResponseTemplate::new(404)).await;
    let (session, outcome) = issuer.signs_in(json!({}), "ES256").await;
    outcome.unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    let how = EndSession::loopback()
        .without_browser()
        .announce(move |url| {
            let _ = send.send(url.clone());
        });
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.sign_out_in_browser(how).await }
    });
    let url: Url = tokio::task::spawn_blocking(move || receive.recv().unwrap())
        .await
        .unwrap();
    let back = parameter(&url, "post_logout_redirect_uri").unwrap();
    let state = parameter(&url, "state").unwrap();
    let page = reqwest::get(format!("{back}?state={state}")).await.unwrap();
    assert!(page.text().await.unwrap().contains("You are signed out"));
    waiting.await.unwrap().unwrap();
    assert_eq!(session.account().await.unwrap(), None);
}

#[tokio::test]
async fn an_issuer_without_such_a_page_signs_nobody_out() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    let how = EndSession::at_issuer();
    let error = session.begin_sign_out(how).await.unwrap_err();
    assert!(
        error.to_string().contains("end_session_endpoint"),
        "{error}"
    );
    assert!(session.account().await.unwrap().is_some());
}
