//! A secret with every character that one encoding or another gets wrong.

use intelliauth::ClientAuthentication::{Basic, BasicRaw, Post};
use intelliauth::Dialect;

use crate::support::{BANKING, Server, TRICKY_SECRET};

#[tokio::test]
async fn basic_by_the_letter_of_the_rfc_is_accepted() {
    let server = Server::start();
    let client = server.client("tricky_basic", TRICKY_SECRET);
    let client = client.build().unwrap();
    client.get_access_token(BANKING).await.unwrap();
}

#[tokio::test]
async fn the_form_is_accepted() {
    let server = Server::start();
    let client = server.client("tricky_post", TRICKY_SECRET);
    let client = client.client_authentication(Post).build().unwrap();
    client.get_access_token(BANKING).await.unwrap();
}

#[tokio::test]
async fn basic_and_form_are_both_accepted_whichever_was_registered() {
    let server = Server::start();
    for (id, method) in [("tricky_basic", Post), ("tricky_post", Basic)] {
        let client = server.client(id, TRICKY_SECRET);
        let client = client.client_authentication(method).build().unwrap();
        client.get_access_token(BANKING).await.unwrap();
    }
}

#[tokio::test]
async fn raw_basic_that_cannot_be_decoded_is_called_a_malformed_request() {
    let server = Server::start();
    let client = server.client("tricky_basic", TRICKY_SECRET);
    let client = client.client_authentication(BasicRaw).build().unwrap();
    let error = client.get_access_token(BANKING).await.unwrap_err();
    let answer = error.answer().unwrap();
    assert_eq!(
        (answer.status(), answer.code()),
        (400, Some("invalid_request"))
    );
    assert_eq!(error.kind(), "request");
    assert!(!format!("{error} {error:?}").contains(TRICKY_SECRET));
}

#[tokio::test]
async fn raw_basic_that_decodes_to_something_else_is_a_wrong_secret() {
    let server = Server::start();
    let mut dialect = Dialect::resource_indicators();
    dialect.raw_basic = true;
    let client = server.client("plus", "a+b").dialect(dialect);
    let error = client.build().unwrap().get_access_token(BANKING).await;
    let error = error.unwrap_err();
    let answer = error.answer().unwrap();
    assert_eq!(
        (answer.status(), answer.code()),
        (401, Some("invalid_client"))
    );
    assert!(
        error.next_move().contains("BasicRaw or Post"),
        "{}",
        error.next_move()
    );

    let client = server.client("plus", "a+b").build().unwrap();
    client.get_access_token(BANKING).await.unwrap();
}
