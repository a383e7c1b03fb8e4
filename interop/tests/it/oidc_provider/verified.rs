//! Its access tokens (RFC 9068, ES256) before an API of ours.

use intelliauth::{
    TokenRequest,
    resource_server::{
        Algorithm, AssuranceLevel, Verifier, VerifyError, require_level, require_scope,
    },
};

use crate::support::{BANKING, HEALTH, Server};

fn api(server: &Server, audience: &str) -> Verifier {
    Verifier::builder(&server.issuer, audience)
        .algorithms([Algorithm::Es256])
        .strict_profile()
        .build()
        .unwrap()
}

async fn token(server: &Server, audience: &str, scope: &str) -> String {
    let client = server.jobs().build().unwrap();
    let request = TokenRequest::new(audience).scope(scope);
    let token = client.get_access_token(&request).await.unwrap();
    token.secret().to_owned()
}

fn is_invalid<T: std::fmt::Debug>(outcome: &Result<T, VerifyError>) -> bool {
    matches!(outcome, Err(VerifyError::Invalid(_)))
}

#[tokio::test]
async fn a_foreign_token_is_good_for_its_own_api_and_its_own_scopes() {
    let server = Server::start();
    let token = token(&server, BANKING, "read:transactions").await;
    let claims = api(&server, BANKING).verify(&token).await.unwrap();
    assert_eq!(claims.client_id(), Some("jobs"));
    assert_eq!(claims.audiences(), [BANKING]);
    assert_eq!(claims.scopes().to_string(), "read:transactions");
    let check = |scope| require_scope(scope).unwrap().check(&claims).is_ok();
    assert!(check("read:transactions") && !check("read:accounts"));
    assert!(require_level(AssuranceLevel::Aal1).check(&claims).is_err());
    assert!(is_invalid(&api(&server, HEALTH).verify(&token).await));
    assert!(is_invalid(
        &api(&server, BANKING)
            .verify(&token[..token.len() - 2])
            .await
    ));
    let rsa_alone = Verifier::builder(&server.issuer, BANKING).build().unwrap();
    assert!(
        is_invalid(&rsa_alone.verify(&token).await),
        "ES256 has to be allowed"
    );
}

#[tokio::test]
async fn its_keys_are_fetched_once_and_once_more_for_a_new_one() {
    let mut server = Server::start();
    let banking = api(&server, BANKING);
    let old = token(&server, BANKING, "read:accounts").await;
    for _ in 0..20 {
        banking.verify(&old).await.unwrap();
    }
    assert_eq!(server.key_requests(), 1);
    server.rotate_keys();
    let new = token(&server, BANKING, "read:transactions").await;
    banking.verify(&new).await.unwrap();
    banking.verify(&old).await.unwrap();
    assert_eq!(server.key_requests(), 2);
}

#[tokio::test]
async fn while_it_is_down_what_is_known_goes_on() {
    let mut server = Server::start();
    let banking = api(&server, BANKING);
    let known = token(&server, BANKING, "read:accounts").await;
    banking.verify(&known).await.unwrap();
    server.stop();
    banking.verify(&known).await.unwrap();
    let fresh = api(&server, BANKING);
    let error = fresh.verify(&known).await.unwrap_err();
    assert!(matches!(error, VerifyError::Unavailable(_)), "{error}");
    server.restart();
    let new = token(&server, BANKING, "read:accounts").await;
    banking.verify(&new).await.unwrap();
}
