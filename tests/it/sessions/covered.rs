//! What a sign-in covers: beyond it consent is missing, and no request is needed to know.

use intelliauth::{Error, MemoryStore, TokenRequest};
use serde_json::json;

use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn what_the_sign_in_does_not_cover_needs_consent_without_a_request() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in_as(&session, json!("R0"), &[BANKING]).await;
    let asked = TokenRequest::new(BANKING).scope("read:api.banking write:settings");
    let Error::Consent(consent) = session.client().get_access_token(&asked).await.unwrap_err()
    else {
        panic!("consent is what is missing")
    };
    assert_eq!(consent.missing().to_string(), "write:settings");
    let error = session.client().get_access_token(HEALTH).await.unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    assert_eq!(server.count().await, 1, "the sign-in's own request");
}

#[tokio::test]
async fn what_the_issuer_withheld_is_denied_and_prompts_nobody_again() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server
        .token()
        .with_parameter("code", "code-0")
        .member("refresh_token", json!("R0"))
        .granting("openid read:api.banking")
        .mount()
        .await;
    let login = intelliauth::AuthorizationCode::redirect_to(crate::support::person::REDIRECT)
        .request(TokenRequest::new(BANKING).scope("read:api.banking write:settings"));
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let callback = crate::support::person::callback(&url, "code-0");
    session.finish_sign_in(&pending, &callback).await.unwrap();
    let asked = TokenRequest::new(BANKING).scope("write:settings");
    let error = session.client().get_access_token(&asked).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
}

#[tokio::test]
async fn consent_given_in_another_process_counts_at_once() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let one = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    let two = server
        .person()
        .store(store)
        .build()
        .unwrap()
        .default_session();
    server.sign_in_as(&one, json!("R0"), &[BANKING]).await;
    one.client().get_access_token(HEALTH).await.unwrap_err();
    server
        .sign_in_as(&two, json!("R1"), &[BANKING, HEALTH])
        .await;
    server.refresh("R1").expect(1).mount().await;
    server.advance(1.5);
    one.client().get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn two_apis_with_a_scope_of_the_same_name_keep_what_was_granted_to_each() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server
        .token()
        .with_parameter("code", "code-0")
        .member("refresh_token", json!("R0"))
        .granting("openid offline_access read")
        .grants(1)
        .mount()
        .await;
    let login = intelliauth::AuthorizationCode::redirect_to(crate::support::person::REDIRECT)
        .request(TokenRequest::new(BANKING).scope("read"))
        .request(TokenRequest::new(HEALTH).scope("read admin"));
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let callback = crate::support::person::callback(&url, "code-0");
    session.finish_sign_in(&pending, &callback).await.unwrap();
    server.refresh("R0").mount().await;
    let asked = TokenRequest::new(HEALTH).scope("read admin");
    session.client().get_access_token(&asked).await.unwrap();
}

#[tokio::test]
async fn two_apis_without_consent_do_not_forgive_each_other() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server
        .refresh("R0")
        .refuses(400, "consent_required")
        .expect(2)
        .mount()
        .await;
    for _ in 0..5 {
        for audience in [BANKING, HEALTH] {
            let error = session
                .client()
                .get_access_token(audience)
                .await
                .unwrap_err();
            assert!(matches!(error, Error::Consent(_)), "{error}");
        }
    }
}
