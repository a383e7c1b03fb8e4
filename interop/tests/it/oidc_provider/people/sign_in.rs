//! One sign-in, and a token for each API from it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use intelliauth::{AuthorizationCode, Client, Dialect, Error, FileStore, ManualClock};
use serde_json::json;

use super::{CALLBACK, banking, both, health, sign_in};
use crate::support::{BANKING, DESKTOP, Folder, HEALTH, Person, Server};

#[tokio::test]
async fn one_sign_in_yields_a_token_for_each_api() {
    let mut server = Server::for_people();
    let client = server.desktop().build().unwrap();
    let alice = Person::new("alice");
    let (account, visit) = sign_in(&client, &alice, both()).await;
    assert_eq!(account.subject(), Some("alice"));
    assert_eq!(visit.headings(), ["Sign-in", "Authorize"]);
    let consent = visit.consent();
    for asked in [
        &format!("{BANKING}: read:transactions"),
        &format!("{HEALTH}: read:records"),
        "offline access",
    ] {
        assert!(consent.contains(asked), "{consent}");
    }

    for (request, audience, scope) in [
        (banking(), BANKING, "read:transactions"),
        (health(), HEALTH, "read:records"),
    ] {
        let token = client.get_access_token(request).await.unwrap();
        assert!(token.audience_is_checked());
        let claims = server
            .verify(token.secret(), audience)
            .await
            .unwrap()
            .claims;
        assert_eq!(claims["sub"], "alice");
        assert_eq!(claims["client_id"], DESKTOP);
        assert_eq!(claims["scope"], scope);
    }
    assert_eq!(
        server.token_requests(),
        2,
        "the code brought the first token, one refresh the second"
    );
}
