use std::time::Duration;

use super::*;
use crate::{
    account::Account,
    dialect::{AudienceRule, TokenFamily},
    endpoint::TokenReply,
    error::Asked,
    scope::{Audience, Scopes},
    session::{login_tokens::LoginTokens, rotation::Rotation, sign_in::SignIn},
};

/// So many seconds after the clocks started.
fn at(seconds: u64) -> Moment {
    Moment::START.plus(Duration::from_secs(seconds))
}

/// A person has signed in for one API, which has a refresh token of its own.
fn sign_in(id: u64, (person, audience): (&str, &str), seconds: u64) -> Change {
    let login = LoginTokens {
        reply: TokenReply {
            access_token: Secret::from("at"),
            lifetime: None,
            scopes: None,
            refresh_token: Some(Secret::from(format!("rt-{id}"))),
            id_token: None,
            requested_at: at(seconds),
        },
        asked: vec![Asked {
            audience: Audience::from(audience),
            scopes: Scopes::none(),
        }],
        identity_scopes: Scopes::none(),
        account: Account::new(Some(person.to_owned()), None, None),
    };
    let issuer = (TokenFamily::PerAudience, &AudienceRule::default());
    let sign_in = SignIn::new(SignInId(id), login, false, issuer);
    Change::SignIn(Box::new(sign_in))
}

/// What a process without a past writes over `before`.
fn written(version: u64, before: &Loaded, mut change: Change, seconds: u64) -> Arc<Loaded> {
    let (current, applied) = State::default().current_with(&mut change, before, at(seconds));
    assert!(applied.is_entered());
    let session = current.session.unwrap();
    Arc::new(Loaded::new(Version::drawn(version), session, 0))
}

/// What the session is for `state` where `loaded` is the record.
fn families(state: &mut State, loaded: &Loaded, seconds: u64) -> Vec<SignInId> {
    let current = state.current(loaded, at(seconds));
    let signed_in = current.signed_in().into_iter();
    let families = signed_in.flat_map(|signed_in| &signed_in.families);
    families.map(|family| family.sign_in).collect()
}

#[test]
fn a_sign_out_ends_a_sign_in_whose_save_was_answered_after_a_later_load() {
    let mut state = State::default();
    let (begun, absent) = (state.seen_count(), Arc::new(Loaded::absent(0)));
    let record = written(1, &absent, sign_in(1, ("alice", "bank"), 1), 1);
    // While the save was under way, another sign-in was read; then the share went away.
    let other = written(2, &absent, sign_in(2, ("alice", "mail"), 1), 1);
    state.saw(begun, &other, at(2));
    let now = state.seen_count();
    state.saw(now, &absent, at(2));
    state.saved(&[], (begun, Some(Version::drawn(9))), &record, at(2));
    state.sign_out_of_seen(at(3));
    assert_eq!(families(&mut state, &record, 4), []);
    assert_eq!(state.take_to_revoke().len(), 1);
}

#[test]
fn what_a_pending_sign_out_meets_again_is_revoked_once() {
    let mut state = State::default();
    let absent = Loaded::absent(0);
    let record = written(1, &absent, sign_in(1, ("alice", "bank"), 1), 1);
    state.saw(0, &record, at(1));
    state.sign_out_of_seen(at(2));
    for _ in 0..3 {
        assert_eq!(families(&mut state, &record, 3), []);
    }
    let revoked = state.take_to_revoke();
    let revoked: Vec<_> = revoked.iter().map(Secret::expose).collect();
    assert_eq!(revoked, ["rt-1"]);
    families(&mut state, &record, 4);
    assert_eq!(state.take_to_revoke().len(), 0);
}

/// Alice's sign-in for one API waits for its store. What comes before hers for another API?
fn beside(after_hers: impl FnOnce(Arc<Loaded>) -> Arc<Loaded>) -> Vec<SignInId> {
    let (mut state, absent) = (State::default(), Arc::new(Loaded::absent(0)));
    let mut hers = sign_in(1, ("alice", "bank"), 1);
    hers.may_have_entered();
    state.hold_pending(hers, &absent, at(1));
    let before = after_hers(absent);
    let found = written(9, &before, sign_in(9, ("alice", "mail"), 9), 9);
    families(&mut state, &found, 10)
}

#[test]
fn a_sign_in_that_waited_for_its_store_stands_beside_the_same_persons_for_another_api() {
    let both = beside(|nothing| nothing);
    assert_eq!(both, [SignInId(9), SignInId(1)]);
}

#[test]
fn it_stands_beside_none_that_came_after_a_sign_out_or_another_persons_session() {
    let bobs = |before: &Loaded| written(2, before, sign_in(2, ("bob", "mail"), 2), 2);
    assert_eq!(beside(|before| bobs(&before)), [SignInId(9)]);
    let after_a_sign_out = beside(|before| {
        let bobs = bobs(&before);
        let (ends, since) = (vec![SignInId(2)], 3000);
        let sign_out = Change::SignOut(SignOut { ends, since });
        written(3, &bobs, sign_out, 3)
    });
    assert_eq!(after_a_sign_out, [SignInId(9)]);
    // Also where the same person has added an API since.
    let after_another_api = beside(|before| {
        let hers = written(3, &bobs(&before), sign_in(3, ("alice", "health"), 3), 3);
        assert_eq!(hers.session.as_ref().map(|hers| hers.ended), Some(2000));
        hers
    });
    assert_eq!(after_another_api, [SignInId(3), SignInId(9)]);
}

/// The first refresh token of the record was redeemed.
fn rotation(record: &Loaded) -> Change {
    let family = &record.signed_in().unwrap().families[0];
    Change::Rotation(Box::new(Rotation {
        redeemed: Secret::from("rt-1"),
        attempt: 1,
        sign_in: SignInId(1),
        family: family.id(),
        rotated: Some(Secret::from("rt-1-rotated")),
        granted: None,
        token: None,
    }))
}

/// The refresh tokens that are in use where `loaded` is the record.
fn in_use(state: &mut State, loaded: &Loaded) -> Vec<String> {
    let current = state.current(loaded, at(20));
    let families = current.signed_in().map(|signed_in| &signed_in.families);
    let families = families.into_iter().flatten();
    let tokens = families.filter_map(|family| family.refresh_token.as_ref());
    tokens.map(|token| token.expose().to_owned()).collect()
}

#[test]
fn what_meets_no_record_comes_to_it_when_it_is_back() {
    let absent = Arc::new(Loaded::absent(0));
    let record = written(1, &absent, sign_in(1, ("alice", "bank"), 1), 1);
    let end = Change::End {
        refused: Secret::from("rt-1"),
    };
    for (mut change, expected) in [
        (rotation(&record), &["rt-1-rotated", "rt-2"][..]),
        (end, &["rt-2"][..]),
    ] {
        let mut state = State::default();
        state.saw(0, &record, at(1));
        // The store looks empty, and the person signs in for another API meanwhile.
        let mut other = sign_in(2, ("alice", "mail"), 2);
        other.may_have_entered();
        state.hold_pending(other, &absent, at(2));
        let (_, applied) = state.current_with(&mut change, &absent, at(3));
        assert_eq!(applied, Applied::Waits);
        state.hold_pending(change, &absent, at(3));
        assert_eq!(in_use(&mut state, &absent), ["rt-2"]);
        assert_eq!(state.take_to_revoke().len(), 0);
        assert_eq!(in_use(&mut state, &record), expected);
    }
}

#[test]
fn a_sign_in_that_the_record_shows_has_entered_although_another_one_is_pending() {
    let (mut state, absent) = (State::default(), Arc::new(Loaded::absent(0)));
    // Of two at one time the first was given up last.
    for id in [2, 1] {
        let mut change = sign_in(id, ("alice", "bank"), id);
        change.may_have_entered();
        state.hold_pending(change, &absent, at(3));
    }
    // It was written late, and another process has rotated its refresh token.
    let record = written(1, &absent, sign_in(1, ("alice", "bank"), 1), 1);
    let record = written(2, &record, rotation(&record), 4);
    assert_eq!(in_use(&mut state, &record), ["rt-2"]);
}

#[test]
fn a_sign_in_that_gave_way_to_a_later_one_does_not_come_back_once_the_record_is_gone() {
    let (mut state, absent) = (State::default(), Arc::new(Loaded::absent(0)));
    let mut change = sign_in(1, ("alice", "bank"), 1);
    change.may_have_entered();
    state.hold_pending(change, &absent, at(2));
    let later = written(1, &absent, sign_in(2, ("bob", "bank"), 9), 9);
    let read = |loaded: &Loaded| Loaded {
        changes: 1,
        ..loaded.clone()
    };
    assert_eq!(in_use(&mut state, &read(&later)), ["rt-2"]);
    assert_eq!(in_use(&mut state, &read(&absent)), [""; 0]);
    // Where it is back, the next sign-out has to know the refresh token.
    let current = state.current(&read(&later), at(20));
    let replaced = &current.signed_in().unwrap().replaced;
    assert_eq!(replaced.first().map(Secret::expose), Some("rt-1"));
    assert_eq!(state.take_to_revoke().len(), 0);
}
