//! Who goes on with a session has to be the person whose it is.

use intelliauth::{Account, AuthorizationCode, Error, MemoryStore, Session, Violation};
use intelliauth_emulator::{Endpoint, Fault, sample};

use super::held_up::{Tenant, banking, settings, subject};

const CALLBACK: &str = "http://127.0.0.1/callback";

fn is_another_person(error: &Error) -> bool {
    let Error::Protocol(violation) = error else {
        panic!("{error}")
    };
    *violation.violation() == Violation::OtherAccount
}

/// The next sign-in names no subject.
fn sign_in_goes_unnamed(tenant: &Tenant) {
    let fault = Fault::without_member("id_token").at(Endpoint::Token);
    tenant.emulator.fault(fault.times(1));
}

/// Alice is signed in, and a call has found that she has to consent to more.
async fn needs_consent(tenant: &Tenant) -> (Session, Error) {
    let session = tenant.session(MemoryStore::new());
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    let error = session
        .client()
        .get_access_token(settings())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    (session, error)
}

async fn is_still_alices(tenant: &Tenant, session: &Session) {
    let account = session.account().await.unwrap();
    let subject_of = |account: &Account| account.subject().map(str::to_owned);
    let named = account.as_ref().and_then(subject_of);
    assert_eq!(named.as_deref(), Some(sample::ALICE));
    let token = session.client().get_access_token(banking()).await.unwrap();
    assert_eq!(subject(&token).as_deref(), Some(sample::ALICE));
    // Nothing of the refused sign-in is kept, nor revoked: that could end hers (RFC 7009 section 2.1).
    let error = session
        .client()
        .get_access_token(settings())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    assert_eq!(tenant.emulator.count("/oauth2/revoke"), 0);
}

#[tokio::test]
async fn a_known_person_s_session_is_not_continued_by_a_sign_in_that_names_no_subject() {
    let tenant = Tenant::start().await;
    let (session, error) = needs_consent(&tenant).await;
    sign_in_goes_unnamed(&tenant);
    let (login, prompts) = tenant.browser(sample::ALICE);
    let error = session.resolve(error, login).await.unwrap_err();
    assert!(is_another_person(&error), "{error}");
    assert_eq!(prompts.load(std::sync::atomic::Ordering::SeqCst), 1);
    is_still_alices(&tenant, &session).await;
}

#[tokio::test]
async fn nor_is_it_in_a_web_back_end() {
    let tenant = Tenant::start().await;
    let (session, error) = needs_consent(&tenant).await;
    let Error::Consent(consent) = error else {
        unreachable!()
    };
    let (url, pending) = consent.authorization_url(CALLBACK).unwrap();
    let alice = tenant.emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    sign_in_goes_unnamed(&tenant);
    let outcome = session.finish_sign_in(&pending, callback.as_str()).await;
    assert!(is_another_person(&outcome.unwrap_err()));
    is_still_alices(&tenant, &session).await;
}

#[tokio::test]
async fn a_sign_in_of_its_own_may_name_no_subject_and_takes_the_session_s_place() {
    let tenant = Tenant::start().await;
    let (session, _) = needs_consent(&tenant).await;
    let login = AuthorizationCode::redirect_to(CALLBACK).request(settings());
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let alice = tenant.emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    sign_in_goes_unnamed(&tenant);
    let account = session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    assert_eq!(account.subject(), None);
    session.client().get_access_token(settings()).await.unwrap();
    // It may be another person's: nothing of hers is handed out.
    let error = session
        .client()
        .get_access_token(banking())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
}
