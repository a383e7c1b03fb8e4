use serde_json::{Value, json};

use super::*;
use crate::jwt::signer::Signer;

const ISSUER: &str = "https://banking-cymmetri.intelliauth.local";
const NOW: u64 = 1_790_000_000;

struct Fixture {
    signer: Signer,
    keys: KeySet,
}

impl Fixture {
    fn new(signer: Signer) -> Self {
        let keys = signer.keys("k");
        Self { signer, keys }
    }

    fn check(
        &self,
        header: &Value,
        claims: &Value,
        expected: &Expected<'_>,
    ) -> Result<IdToken, Refused> {
        check(&self.signer.sign(header, claims), &self.keys, expected)
    }
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        client_id: "app_test",
        apis: &["api.banking.example"],
        nonce: Some("n-1"),
        access_token: None,
        max_age: None,
        algorithms: &[Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
        now: instant(1_790_000_000.0),
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "usr_alice", "aud": "app_test", "exp": NOW + 300, "iat": NOW,
        "nonce": "n-1", "auth_time": NOW - 60, "auth_level": "AAL2", "amr": ["pwd", "totp"],
        "sid": "ses_1", "name": "Alice", "email": "alice@example.com",
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "k" })
}

#[test]
fn a_good_token_says_who_signed_in() {
    for (signer, alg) in [
        (Signer::rs256(), "RS256"),
        (Signer::es256(), "ES256"),
        (Signer::ed25519(), "EdDSA"),
    ] {
        let fixture = Fixture::new(signer);
        let token = fixture
            .check(
                &json!({ "alg": alg, "kid": "k", "typ": "JWT" }),
                &claims(),
                &expected(),
            )
            .unwrap();
        assert_eq!(token.subject, "usr_alice");
        assert_eq!(token.auth_level.as_deref(), Some("AAL2"));
        assert_eq!(token.amr, ["pwd", "totp"]);
        assert!(token.is_nonce_checked && token.sid.is_some());
        assert_eq!(token.expires_at, instant(1_790_000_300.0));
        assert!(!format!("{token:?}").contains("alice"), "{token:?}");
    }
}

#[test]
fn each_rule_is_enforced() {
    let fixture = Fixture::new(Signer::ed25519());
    for (claims, refused) in [
        (with("iss", format!("{ISSUER}/")), Refused::Issuer),
        (without("iss"), Refused::Missing("iss")),
        (with("aud", "app_other"), Refused::Audience),
        (without("aud"), Refused::Missing("aud")),
        (
            with("aud", json!(["app_test", "app_other"])),
            Refused::FurtherAudience,
        ),
        (with("azp", "app_other"), Refused::AuthorizedParty),
        (with("azp", json!(["app_test"])), Refused::Malformed("azp")),
        (with("exp", NOW - 30), Refused::Expired),
        (without("exp"), Refused::Missing("exp")),
        (with("iat", NOW + 31), Refused::NotYetValid),
        (without("iat"), Refused::Missing("iat")),
        (with("iat", NOW * 1000), Refused::Malformed("iat")),
        (with("nonce", "n-2"), Refused::Nonce),
        (without("nonce"), Refused::Nonce),
        (with("nonce", 1), Refused::Malformed("nonce")),
        (without("sub"), Refused::Missing("sub")),
        (with("sub", ""), Refused::Malformed("sub")),
        (with("sub", "a".repeat(256)), Refused::Malformed("sub")),
        (with("events", json!({})), Refused::Type),
        (with("amr", "pwd"), Refused::Malformed("amr")),
    ] {
        let found = fixture.check(&header(), &claims, &expected());
        assert_eq!(found.unwrap_err(), refused, "{claims}");
    }
}

#[test]
fn what_is_for_showing_is_left_out_where_it_is_malformed() {
    let fixture = Fixture::new(Signer::ed25519());
    let mut claims = with("email", json!({}));
    (claims["name"], claims["auth_level"]) = (json!(null), json!(2));
    let token = fixture.check(&header(), &claims, &expected()).unwrap();
    assert!(token.profile.email.is_none() && token.profile.name.is_none());
    assert_eq!(token.auth_level, None);
}

#[test]
fn a_further_audience_is_an_api_that_the_sign_in_asked_for() {
    let fixture = Fixture::new(Signer::ed25519());
    let asked = with("aud", json!(["api.banking.example", "app_test"]));
    assert!(fixture.check(&header(), &asked, &expected()).is_ok());
    let more = with(
        "aud",
        json!(["api.banking.example", "app_test", "app_other"]),
    );
    let found = fixture.check(&header(), &more, &expected());
    assert_eq!(found.unwrap_err(), Refused::FurtherAudience);
    let without_us = with("aud", json!(["api.banking.example"]));
    let found = fixture.check(&header(), &without_us, &expected());
    assert_eq!(found.unwrap_err(), Refused::Audience);
}

#[test]
fn several_audiences_need_an_authorized_party() {
    let fixture = Fixture::new(Signer::ed25519());
    let mut claims = with("aud", json!(["app_other", "app_test"]));
    claims["azp"] = "app_test".into();
    assert!(fixture.check(&header(), &claims, &expected()).is_ok());
    let one = with("aud", json!(["app_test"]));
    assert!(fixture.check(&header(), &one, &expected()).is_ok());
}

#[test]
fn a_nonce_that_was_not_sent_is_not_compared() {
    let fixture = Fixture::new(Signer::ed25519());
    let expected = Expected {
        nonce: None,
        ..expected()
    };
    let token = fixture.check(&header(), &claims(), &expected).unwrap();
    assert!(!token.is_nonce_checked);
}

#[test]
fn a_maximum_age_needs_a_recent_sign_in() {
    let fixture = Fixture::new(Signer::ed25519());
    let expected = Expected {
        max_age: Some(Duration::from_secs(60)),
        ..expected()
    };
    let check = |claims: &Value| fixture.check(&header(), claims, &expected).map(|_| ());
    assert_eq!(check(&claims()), Ok(()));
    assert_eq!(
        check(&with("auth_time", NOW - 90)),
        Ok(()),
        "the clocks may differ"
    );
    assert_eq!(
        check(&with("auth_time", NOW - 91)),
        Err(Refused::AuthenticatedTooLongAgo)
    );
    assert_eq!(
        check(&without("auth_time")),
        Err(Refused::Missing("auth_time"))
    );
}

#[test]
fn the_access_token_beside_it_is_compared() {
    // The example of OpenID Connect Core appendix A.3.
    let access_token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    let fixture = Fixture::new(Signer::rs256());
    let header = json!({ "alg": "RS256", "kid": "k" });
    let claims = with("at_hash", "77QmUPtjPfzWtF2AnpK9RQ");
    let check = |access_token| {
        let expected = Expected {
            access_token,
            ..expected()
        };
        fixture.check(&header, &claims, &expected).map(|_| ())
    };
    assert_eq!(check(Some(access_token)), Ok(()));
    assert_eq!(check(Some("another")), Err(Refused::AccessTokenHash));
    assert_eq!(check(None), Ok(()));
}

#[test]
fn signature_type_and_algorithm_are_enforced() {
    let fixture = Fixture::new(Signer::ed25519());
    let found = |header: &Value| fixture.check(header, &claims(), &expected()).map(|_| ());
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt"] {
        let header = json!({ "alg": "EdDSA", "kid": "k", "typ": typ });
        assert_eq!(found(&header), Err(Refused::Type), "{typ}");
    }
    let unknown = json!({ "alg": "EdDSA", "kid": "other" });
    assert_eq!(found(&unknown), Err(Refused::UnknownKey));
    let only_rsa = Expected {
        algorithms: ALGORITHMS,
        ..expected()
    };
    let refused = fixture.check(&header(), &claims(), &only_rsa).unwrap_err();
    assert_eq!(refused, Refused::Algorithm);
    let foreign = Signer::ed25519().sign(&header(), &claims());
    assert_eq!(
        check(&foreign, &fixture.keys, &expected()).unwrap_err(),
        Refused::Signature
    );
}
