//! What the server refuses, and which next move the client makes of it.

use intelliauth::{Client, Denied, DeniedReason, Error, Source, TokenRequest};

use crate::support::{BANKING, Server};

/// The refusal, which is remembered: asking again makes no request.
async fn refusal(server: &mut Server, client: &Client, request: TokenRequest<'_>) -> Error {
    let before = server.token_requests();
    let error = client.get_access_token(&request).await.unwrap_err();
    client.get_access_token(&request).await.unwrap_err();
    assert_eq!(server.token_requests(), before + 1, "{error}");
    error
}

fn denied(error: &Error) -> &Denied {
    match error {
        Error::Denied(denied) => denied,
        other => panic!("{other:?}"),
    }
}

/// Status and code of the answer.
fn answer(error: &Error) -> (u16, Option<&str>) {
    let answer = error.answer().unwrap();
    (answer.status(), answer.code())
}

#[tokio::test]
async fn an_unknown_scope_beside_a_known_one_is_left_out_and_that_is_said() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let request = TokenRequest::new(BANKING).scopes(["read:accounts", "read:weather"]);
    let error = refusal(&mut server, &client, request).await;
    let denied = denied(&error);
    assert_eq!(denied.reason(), DeniedReason::Narrowed);
    assert_eq!(denied.missing().to_string(), "read:weather");
    assert_eq!(denied.granted().unwrap().to_string(), "read:accounts");

    let request = TokenRequest::new(BANKING).scope("read:accounts");
    let token = client.get_access_token(&request).await.unwrap();
    assert_eq!(token.source(), Source::Cache, "what was granted is kept");
    assert_eq!(server.token_requests(), 1);
}

#[tokio::test]
async fn unknown_scopes_alone_are_answered_with_a_token_for_nothing_and_that_is_said() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let request = TokenRequest::new(BANKING).scope("read:weather");
    let error = refusal(&mut server, &client, request).await;
    let denied = denied(&error);
    assert_eq!(denied.reason(), DeniedReason::Narrowed);
    assert_eq!(denied.missing().to_string(), "read:weather");
    assert!(denied.granted().unwrap().is_empty());
}

#[tokio::test]
async fn a_scope_of_another_api_is_left_out_as_well() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let request = TokenRequest::new(BANKING).scopes(["read:accounts", "read:records"]);
    let error = refusal(&mut server, &client, request).await;
    assert_eq!(denied(&error).reason(), DeniedReason::Narrowed);
    assert_eq!(denied(&error).missing().to_string(), "read:records");
}

#[tokio::test]
async fn a_scope_outside_the_cap_is_refused_by_its_name() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let request = TokenRequest::new(BANKING).scopes(["read:accounts", "write:transactions"]);
    let error = refusal(&mut server, &client, request).await;
    assert_eq!(answer(&error), (400, Some("invalid_scope")));
    assert_eq!(denied(&error).reason(), DeniedReason::ScopeNotAllowed);
    assert_eq!(denied(&error).missing().to_string(), "write:transactions");
    assert!(denied(&error).granted().is_none(), "nothing was granted");
}

#[tokio::test]
async fn an_unknown_audience_is_refused() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let request = TokenRequest::new("https://api.weather.cymmetri.com");
    let error = refusal(&mut server, &client, request).await;
    assert_eq!(answer(&error), (400, Some("invalid_target")));
    assert_eq!(denied(&error).reason(), DeniedReason::AudienceNotAllowed);
}

#[tokio::test]
async fn an_audience_that_differs_by_a_slash_is_unknown() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let audience = format!("{BANKING}/");
    let error = refusal(&mut server, &client, TokenRequest::new(audience)).await;
    assert_eq!(answer(&error), (400, Some("invalid_target")));
}

#[tokio::test]
async fn a_bare_name_is_no_resource_and_the_next_move_says_so() {
    let mut server = Server::start();
    let client = server.jobs().build().unwrap();
    let request = TokenRequest::new("api.banking.cymmetri.com");
    let error = refusal(&mut server, &client, request).await;
    assert_eq!(answer(&error), (400, Some("invalid_target")));
    assert_eq!(denied(&error).reason(), DeniedReason::AudienceNotAllowed);
    assert!(
        error.next_move().contains("a whole URI"),
        "{}",
        error.next_move()
    );
}

#[tokio::test]
async fn a_client_that_may_not_use_the_grant_is_told_that_its_request_is_invalid() {
    let mut server = Server::start();
    let client = server.client("website", "website-secret").build().unwrap();
    let error = refusal(&mut server, &client, TokenRequest::new(BANKING)).await;
    // RFC 6749 section 5.2 has `unauthorized_client` for this; here it is as good as malformed.
    assert_eq!(answer(&error), (400, Some("invalid_request")));
    assert_eq!(error.kind(), "request");
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_client_are_refused_alike() {
    let mut server = Server::start();
    for (id, secret) in [("jobs", "wrong-secret"), ("nobody", "jobs-secret")] {
        let client = server.client(id, secret).build().unwrap();
        let error = refusal(&mut server, &client, TokenRequest::new(BANKING)).await;
        assert_eq!(answer(&error), (401, Some("invalid_client")), "{id}");
        assert_eq!(denied(&error).reason(), DeniedReason::CredentialsRejected);
    }
}
