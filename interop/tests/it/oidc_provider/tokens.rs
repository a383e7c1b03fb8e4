//! A token for each API, and only for it.

use intelliauth::{AudienceParameter, CacheMode, Dialect, Error, Source, TokenRequest, Violation};

use crate::support::{BANKING, HEALTH, Server};

#[tokio::test]
async fn each_resource_gets_a_token_of_its_own_that_verifies_for_it_alone() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let banking = client.get_access_token(BANKING).await.unwrap();
    let health = client.get_access_token(HEALTH).await.unwrap();
    for (token, own, other) in [(&banking, BANKING, HEALTH), (&health, HEALTH, BANKING)] {
        assert!(token.audience_is_checked());
        let verified = server.verify(token.secret(), own).await.unwrap();
        assert_eq!(verified.claims["aud"], own);
        assert_eq!(verified.claims["client_id"], "jobs");
        assert!(server.verify(token.secret(), other).await.is_err());
    }
    assert_eq!(server.token_requests(), 2);
    for (audience, before) in [(BANKING, &banking), (HEALTH, &health)] {
        let again = client.get_access_token(audience).await.unwrap();
        assert_eq!(again.source(), Source::Cache);
        assert_eq!(again.secret(), before.secret());
    }
    assert_eq!(server.token_requests(), 2, "cached apart");
}

#[tokio::test]
async fn named_scopes_are_granted_and_cached_apart() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let request = TokenRequest::new(BANKING).scopes(["read:transactions", "read:accounts"]);
    let token = client.get_access_token(&request).await.unwrap();
    assert!(token.scopes_are_reported());
    assert_eq!(
        token.scopes().to_string(),
        "read:accounts read:transactions"
    );
    let verified = server.verify(token.secret(), BANKING).await.unwrap();
    assert_eq!(verified.claims["scope"], "read:accounts read:transactions");

    let less = TokenRequest::new(BANKING).scope("read:accounts");
    let same = client.get_access_token(&less).await.unwrap();
    assert_eq!(same.secret(), token.secret(), "it is reported to hold them");
    assert_eq!(server.token_requests(), 1);

    let default = client.get_access_token(BANKING).await.unwrap();
    assert_ne!(default.secret(), token.secret());
    assert!(
        default.scopes().is_empty(),
        "this server grants none by itself"
    );
    assert_eq!(server.token_requests(), 2);
}

#[tokio::test]
async fn many_callers_make_one_request_for_each_resource() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let audiences = (0..200).map(|n| if n % 2 == 0 { BANKING } else { HEALTH });
    for (result, audience) in client.warm(audiences.clone()).await.iter().zip(audiences) {
        assert_eq!(result.as_ref().unwrap().audience().as_str(), audience);
    }
    assert_eq!(server.token_requests(), 2);
}

#[tokio::test]
async fn a_rotation_of_the_signing_key_leaves_old_and_new_tokens_valid() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let old = client.get_access_token(BANKING).await.unwrap();
    let old_key = server.verify(old.secret(), BANKING).await.unwrap().key_id;

    let new_key = server.rotate_keys();
    assert_ne!(new_key, old_key);
    let same = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(same.secret(), old.secret(), "the client does not care");
    let forced = TokenRequest::new(BANKING).cache_mode(CacheMode::Refresh);
    let new = client.get_access_token(forced).await.unwrap();

    let verified = server.verify(new.secret(), BANKING).await.unwrap();
    assert_eq!(verified.key_id, new_key);
    let verified = server.verify(old.secret(), BANKING).await.unwrap();
    assert_eq!(verified.key_id, old_key, "the old key is still published");
}

#[tokio::test]
async fn audience_instead_of_resource_is_answered_with_an_opaque_token_for_no_api() {
    let server = Server::start();
    let client = server.jobs().dialect(Dialect::intelliauth());
    let client = client.build().unwrap();
    let token = client.get_access_token(BANKING).await.unwrap();
    assert!(
        !token.audience_is_checked(),
        "it cannot be read, and that is said"
    );
    assert!(token.danger_unverified_claims().is_none());
    let introspected = server.introspect(token.secret()).await;
    assert_eq!(introspected["active"], true);
    assert_eq!(introspected.get("aud"), None, "{introspected}");
}

#[tokio::test]
async fn audience_and_resource_together_are_answered_as_resource_alone() {
    let server = Server::start();
    let mut dialect = Dialect::resource_indicators();
    dialect.audience_parameter = AudienceParameter::Both;
    let client = server.jobs().dialect(dialect).build().unwrap();
    let token = client.get_access_token(HEALTH).await.unwrap();
    assert!(token.audience_is_checked());
    server.verify(token.secret(), HEALTH).await.unwrap();
}

#[tokio::test]
async fn an_issuer_with_a_slash_too_many_is_another_issuer() {
    let mut server = Server::start();
    let issuer = format!("{}/", server.issuer);
    let client = intelliauth::Client::for_application(&issuer, "jobs")
        .client_secret("jobs-secret")
        .dialect(Dialect::resource_indicators());
    let error = client.build().unwrap().get_access_token(BANKING).await;
    let Err(Error::Protocol(violation)) = error else {
        panic!("{error:?}");
    };
    let Violation::WrongIssuer {
        expected, found, ..
    } = violation.violation()
    else {
        panic!("{violation:?}");
    };
    assert_eq!((expected, found), (&issuer, &server.issuer));
    assert_eq!(server.token_requests(), 0, "no secret was sent");
}
