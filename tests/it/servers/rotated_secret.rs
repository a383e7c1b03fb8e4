//! A client secret that is read, and read again when the issuer does not accept it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use intelliauth::{DeniedReason, Error, Secret};
use serde_json::json;
use wiremock::{Mock, ResponseTemplate, matchers};

use crate::support::{
    CLIENT_ID, Server, TOKEN_PATH,
    person::{BANKING, HEALTH},
};

/// The token endpoint accepts this secret, and no other from now on.
async fn accepts(server: &Server, secret: &str) {
    let grant =
        json!({"access_token": format!("by-{secret}"), "token_type": "Bearer", "expires_in": 60});
    Mock::given(matchers::method("POST"))
        .and(matchers::path(TOKEN_PATH))
        .and(matchers::basic_auth(CLIENT_ID, secret))
        .respond_with(ResponseTemplate::new(200).set_body_json(grant))
        .with_priority(1)
        .mount(&server.mock)
        .await;
}

async fn server_that_accepts(secret: &str) -> Server {
    let server = Server::start().await;
    server.token().refuses(401, "invalid_client").mount().await;
    accepts(&server, secret).await;
    server
}

#[tokio::test]
async fn a_service_lives_through_a_rotation_of_the_file_with_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "old\n").unwrap();
    let server = server_that_accepts("old").await;
    let client = server.client().client_secret_file(&file).build().unwrap();
    let token = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(token.secret(), "by-old");
    // The file is not looked at without need.
    std::fs::write(&file, "not yet").unwrap();
    client.get_access_token(HEALTH).await.unwrap();
    assert_eq!(server.count().await, 2);

    server.mock.reset().await;
    let document = server.metadata();
    server
        .json(crate::support::DISCOVERY_PATH, 200, &document)
        .await;
    server.token().refuses(401, "invalid_client").mount().await;
    accepts(&server, "new").await;
    std::fs::write(&file, "  new  ").unwrap();
    let token = client.get_access_token("api.third").await.unwrap();
    assert_eq!(token.secret(), "by-new");
    assert_eq!(server.count().await, 2, "once more, with the new one");
    client.get_access_token("api.fourth").await.unwrap();
    assert_eq!(server.count().await, 3, "which is kept");
}

#[tokio::test]
async fn a_secret_that_stays_wrong_is_read_twice_and_sent_once() {
    let server = server_that_accepts("right").await;
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    let read = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(Secret::from("wrong"))
    };
    let client = server.client().client_secret_from(read).build().unwrap();
    let error = client.get_access_token(BANKING).await.unwrap_err();
    let Error::Denied(denied) = &error else {
        panic!("{error}")
    };
    assert_eq!(denied.reason(), DeniedReason::CredentialsRejected);
    assert_eq!((server.count().await, reads.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_told_without_what_stands_in_it() {
    let server = server_that_accepts("x").await;
    let missing = server.client().client_secret_file("/nowhere/secret");
    let error = missing.build().unwrap().get_access_token(BANKING).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("client secret could not be read"), "{text}");
    let leaking = || Err(io::Error::other("the secret is hunter2"));
    let client = server.client().client_secret_from(leaking).build().unwrap();
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let client = server.client().client_secret_from(|| panic!("on purpose"));
    let error = client.build().unwrap().get_access_token(BANKING).await;
    assert!(matches!(error, Err(Error::Request(_))));
    assert_eq!(server.count().await, 0);
}
