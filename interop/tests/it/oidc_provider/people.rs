//! People who sign in at `oidc-provider`, at pages that nobody here wrote.

mod apart;
mod browser;
mod consent;
mod devices;
mod rotation;
mod sign_in;
mod silent;

use std::sync::Arc;

use intelliauth::{
    Account, AuthorizationCode, Clock, ManualClock, Session, SystemClock, TokenRequest,
};

use serde_json::json;
use url::Url;

use crate::support::{BANKING, HEALTH, Person, Server, Visit, http};

/// Where a client comes back to that listens itself.
const CALLBACK: &str = "http://127.0.0.1/callback";

fn banking() -> TokenRequest<'static> {
    TokenRequest::new(BANKING).scope("read:transactions")
}

fn health() -> TokenRequest<'static> {
    TokenRequest::new(HEALTH).scope("read:records")
}

/// One prompt for both APIs.
fn both() -> AuthorizationCode {
    AuthorizationCode::redirect_to(CALLBACK)
        .request(banking())
        .request(health())
}

/// Has the person sign in and allow everything.
async fn sign_in(session: &Session, person: &Person, login: AuthorizationCode) -> (Account, Visit) {
    let (page, pending) = session.begin_sign_in(login).await.unwrap();
    let visit = person.approve(&page).await;
    let account = session
        .finish_sign_in(&pending, visit.callback())
        .await
        .unwrap();
    (account, visit)
}

/// A sign-in through the real loopback listener: the person's browser follows the redirect there.
fn loopback(person: &Arc<Person>) -> AuthorizationCode {
    let person = Arc::clone(person);
    AuthorizationCode::loopback()
        .without_browser()
        .announce(move |page| {
            let (person, page) = (Arc::clone(&person), page.clone());
            tokio::spawn(async move {
                let visit = person.approve(&page).await;
                http().get(visit.callback()).send().await.unwrap();
            });
        })
}

/// How many redemptions of a refresh token were answered with this status.
fn redemptions(server: &mut Server, status: u16) -> u64 {
    server.count(
        "/token",
        &json!({"grant": "refresh_token", "status": status}),
    )
}

/// Every value of one query parameter.
fn all(url: &Url, name: &str) -> Vec<String> {
    let pairs = url.query_pairs().filter(|(known, _)| known == name);
    pairs.map(|(_, value)| value.into_owned()).collect()
}

/// A clock that stands where the server's is, which dates the ID tokens.
fn clock() -> ManualClock {
    ManualClock::at(SystemClock::new().now().wall())
}
