//! People who sign in at `oidc-provider`, at pages that nobody here wrote.

mod sign_in;

use intelliauth::{Account, AuthorizationCode, Client, TokenRequest};

use crate::support::{BANKING, HEALTH, Person, Visit};

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
async fn sign_in(client: &Client, person: &Person, login: AuthorizationCode) -> (Account, Visit) {
    let (page, pending) = client.start(login).await.unwrap();
    let visit = person.approve(&page).await;
    let account = client.finish(&pending, visit.callback()).await.unwrap();
    (account, visit)
}
