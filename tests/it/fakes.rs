//! What a user's own unit tests are given: a source of tokens, and every error.

use std::time::Duration;

use intelliauth::{
    CacheMode, Clock as _, DeniedReason, Error, ManualClock, Source, StoreErrorKind, TokenRequest,
    TokenSource as _, UnavailableReason, Violation,
    test_util::{FakeSource, FakeToken, errors},
};

const API: &str = "api.banking.example";

fn reading() -> TokenRequest<'static> {
    TokenRequest::new(API).scope("read:accounts")
}

async fn secret(tokens: &FakeSource, request: TokenRequest<'_>) -> String {
    tokens.get(request).await.unwrap().secret().to_owned()
}

#[test]
fn there_is_every_error() {
    let all = [
        (
            "consent",
            errors::consent_required(reading(), "read:accounts"),
        ),
        ("login", errors::login_required(reading())),
        ("step_up", errors::step_up_required(reading())),
        (
            "denied",
            errors::denied(reading(), DeniedReason::AccessDenied, ""),
        ),
        ("denied", errors::narrowed(reading(), "")),
        (
            "unavailable",
            errors::unavailable(UnavailableReason::Connect, Duration::ZERO),
        ),
        ("protocol", errors::protocol(reading(), Violation::Redirect)),
        (
            "protocol",
            errors::wrong_audience(API, ["api.other.example"]),
        ),
        (
            "protocol",
            errors::wrong_issuer("https://a.example", "https://b.example"),
        ),
        ("request", errors::invalid_request("the audience is empty")),
        ("not_cached", errors::not_cached(API)),
        (
            "store",
            errors::store(StoreErrorKind::Full, "the disk is full"),
        ),
    ];
    let not_kept = errors::not_kept("usr_1", StoreErrorKind::Io, "the share is away");
    for (kind, error) in all.into_iter().chain([("store", not_kept)]) {
        assert_eq!(error.kind(), kind);
        assert!(
            !error.next_move().is_empty() && !error.to_string().is_empty(),
            "{error}"
        );
    }
}

#[test]
fn an_error_says_what_it_was_made_with() {
    let request = TokenRequest::new(API).scope("read write");
    let Error::Consent(consent) = errors::consent_required(&request, "write") else {
        panic!("it is of another variant")
    };
    assert_eq!(consent.audience().as_str(), API);
    assert_eq!(consent.scopes().to_string(), "read write");
    assert_eq!(consent.missing().to_string(), "write");
    let Error::Denied(denied) = errors::denied(&request, DeniedReason::ScopeNotAllowed, "write")
    else {
        panic!("it is of another variant")
    };
    assert_eq!(denied.reason(), DeniedReason::ScopeNotAllowed);
    assert_eq!(denied.missing().to_string(), "write");
    let Error::Denied(narrowed) = errors::narrowed(&request, "read") else {
        panic!("it is of another variant")
    };
    assert_eq!(narrowed.reason(), DeniedReason::Narrowed);
    assert_eq!(narrowed.granted().unwrap().to_string(), "read");
    assert_eq!(narrowed.missing().to_string(), "write");
    let Error::Protocol(violation) = errors::wrong_audience(API, ["other"]) else {
        panic!("it is of another variant")
    };
    assert_eq!(violation.audience().unwrap().as_str(), API);
    assert!(violation.to_string().contains("other"), "{violation}");
    let error = errors::store(StoreErrorKind::Locked, "it is in use");
    assert!(error.is_retryable());
    assert_eq!(error.to_string(), "it is in use");
}

#[test]
fn who_has_to_act_can_be_sent_on_from_each_error_that_needs_them() {
    let redirect = "https://app.example/callback";
    let Error::Login(login) = errors::of_session("alice", errors::login_required(reading())) else {
        panic!("it is of another variant")
    };
    let Error::StepUp(step_up) = errors::of_session("alice", errors::step_up_required(reading()))
    else {
        panic!("it is of another variant")
    };
    let pages = [
        login.authorization_url(redirect),
        step_up.authorization_url(redirect),
    ];
    for page in pages {
        let (url, pending) = page.unwrap();
        assert!(
            url.as_str()
                .starts_with("https://issuer.example/authorize?"),
            "{url}"
        );
        assert!(url.as_str().contains(API), "{url}");
        assert_eq!(
            (pending.session(), pending.redirect_uri()),
            ("alice", redirect)
        );
    }
    let other = errors::of_session("alice", errors::invalid_request("no"));
    assert_eq!(other.to_string(), "no");
}

#[test]
fn a_token_says_what_it_was_made_with_and_hides_its_text() {
    let clock = ManualClock::new();
    let fake = FakeToken::new(API)
        .scopes("read write")
        .lifetime(Duration::from_secs(60))
        .text("hush")
        .requested_at(clock.now())
        .source(Source::Session);
    let shown = format!("{fake:?}");
    let token = fake.build();
    assert_eq!((token.audience().as_str(), token.secret()), (API, "hush"));
    assert_eq!(token.scopes().to_string(), "read write");
    assert_eq!(token.lifetime(), Duration::from_secs(60));
    assert_eq!(
        token.expires_at(),
        clock.now().wall() + Duration::from_secs(60)
    );
    assert_eq!(token.source(), Source::Session);
    assert!(token.scopes_are_reported() && token.audience_is_checked());
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn what_was_prepared_comes_in_its_order_for_its_audience_alone() {
    let tokens = FakeSource::new();
    tokens.fails(API, errors::login_required(API));
    tokens.grants(FakeToken::new(API).text("prepared"));
    let later = errors::unavailable(UnavailableReason::Issuer, Duration::from_secs(3));
    tokens.fails(API, later);
    assert_eq!(secret(&tokens, "another".into()).await, "token-1");
    assert_eq!(tokens.get(API.into()).await.unwrap_err().kind(), "login");
    assert_eq!(secret(&tokens, API.into()).await, "prepared");
    assert_eq!(
        tokens.get(API.into()).await.unwrap_err().kind(),
        "unavailable"
    );
    assert_eq!(
        secret(&tokens, API.into()).await,
        "prepared",
        "it is current still"
    );
    assert_eq!((tokens.calls(API), tokens.calls("another")), (4, 1));
}

#[tokio::test]
async fn without_anything_prepared_it_answers_as_a_client_would() {
    let tokens = FakeSource::new();
    let only = || reading().cache_mode(CacheMode::Only);
    assert_eq!(tokens.get(only()).await.unwrap_err().kind(), "not_cached");
    let first = tokens.get(reading()).await.unwrap();
    assert_eq!(
        (first.audience().as_str(), first.source()),
        (API, Source::Issuer)
    );
    assert!(first.scopes().contains("read:accounts"));
    let again = tokens.get(only()).await.unwrap();
    assert_eq!(
        (again.secret(), again.source()),
        (first.secret(), Source::Cache)
    );
    assert_ne!(
        secret(&tokens, API.into()).await,
        first.secret(),
        "other scopes"
    );
    let forced = secret(&tokens, reading().cache_mode(CacheMode::Refresh)).await;
    assert_ne!(forced, first.secret());
    assert_eq!(secret(&tokens, reading()).await, forced);
    let nonsense = TokenRequest::new(API).scope("no\"scope");
    assert_eq!(tokens.get(nonsense).await.unwrap_err().kind(), "request");
    assert_eq!(tokens.requests().len(), 7, "each was noted");
    assert_eq!(tokens.requests()[1], reading());
}

#[tokio::test]
async fn a_rejected_token_is_noted_and_replaced_if_it_is_current() {
    let tokens = FakeSource::new();
    let shared = tokens.clone();
    let first = tokens.get(API.into()).await.unwrap();
    shared.reject(&first).await.unwrap();
    let second = tokens.get(API.into()).await.unwrap();
    assert_ne!(first.secret(), second.secret());
    tokens.reject(&first).await.unwrap();
    assert_eq!(secret(&tokens, API.into()).await, second.secret());
    tokens.refuses_rejection(errors::denied(API, DeniedReason::RejectedByApi, ""));
    let error = tokens.reject(&second).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
    assert_eq!(secret(&tokens, API.into()).await, second.secret(), "kept");
    let rejected = tokens.rejected();
    let rejected: Vec<_> = rejected
        .iter()
        .map(intelliauth::AccessToken::secret)
        .collect();
    assert_eq!(rejected, [first.secret(), first.secret(), second.secret()]);
}
