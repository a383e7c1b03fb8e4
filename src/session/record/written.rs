//! A session as bytes: read with care, and written within what its store takes.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Family, KeptToken, Session, SignInId, SignedIn};
use crate::{
    error::{StoreError, StoreErrorKind},
    store::{SessionKey, SessionRecord, Version},
};

/// Why a record cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// A newer version of this crate wrote it: it is left as it is.
    Newer,
    /// It is torn, or not ours.
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct Envelope<S> {
    version: u32,
    /// The store's version of the record; one of an older version of this crate has none.
    #[serde(default)]
    write: String,
    /// In seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_until: Option<u64>,
    issuer: String,
    client_id: String,
    session: String,
    #[serde(flatten)]
    content: S,
}

/// What a record is written with, beside the session itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing {
    pub(crate) version: Version,
    /// Until when it has to be kept, where that is known; in seconds since the Unix epoch.
    pub(crate) keep_until: Option<u64>,
    /// The largest record that the store takes, in bytes.
    pub(crate) limit: usize,
    /// Whether the access tokens are left out: the store has no room for more than has to be.
    pub(crate) sheds_tokens: bool,
}

impl Session {
    pub(crate) fn read(record: &SessionRecord, key: &SessionKey) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Form {
            version: u32,
        }
        let form: Form =
            serde_json::from_slice(record.as_bytes()).map_err(|_unshown| Unusable::Damaged)?;
        if form.version > FORM {
            return Err(Unusable::Newer);
        }
        let envelope: Envelope<Self> =
            serde_json::from_slice(record.as_bytes()).map_err(|_unshown| Unusable::Damaged)?;
        // A file that was copied to another's name must sign no person in there.
        let is_ours = envelope.issuer == key.issuer()
            && envelope.client_id == key.client_id()
            && envelope.session == key.session();
        if !is_ours {
            return Err(Unusable::Damaged);
        }
        let mut session = envelope.content;
        for date in [&mut session.since, &mut session.ended] {
            *date = (*date).min(LATEST);
        }
        if let Some(signed_in) = &mut session.signed_in {
            // One of before there were such numbers has that of its record: the same at every load.
            if session.sign_in == SignInId::UNKNOWN {
                session.sign_in = SignInId(record.version().get().get());
            }
            for family in &mut signed_in.families {
                family.read_older(session.sign_in);
            }
        }
        Ok(session)
    }

    /// Whose session a record is, as it says itself; nothing if it is none.
    pub(crate) fn key_in(record: &SessionRecord) -> Option<SessionKey> {
        #[derive(Deserialize)]
        struct Key {
            issuer: String,
            client_id: String,
            session: String,
        }
        let key: Key = serde_json::from_slice(record.as_bytes()).ok()?;
        Some(SessionKey::new(key.issuer, key.client_id, key.session))
    }

    /// The session as bytes, within what the store takes.
    ///
    /// Room is given in this order: who signed in or out and the refresh tokens with what they cover, what
    /// marks say, refresh tokens that a sign-out has to revoke, the ID token, access tokens from the newest
    /// to the oldest.
    pub(crate) fn write(
        &self,
        key: &SessionKey,
        writing: Writing,
    ) -> Result<SessionRecord, StoreError> {
        let mut session = self.clone();
        let tokens = session.take_tokens();
        let mut bytes = session.serialised(key, writing)?;
        for shed in [
            Self::shed_id_token,
            Self::shed_replaced,
            Self::shed_marked_requests,
        ] {
            if bytes.len() > writing.limit {
                shed(&mut session);
                bytes = session.serialised(key, writing)?;
            }
        }
        if bytes.len() > writing.limit {
            return Err(too_large(bytes.len(), writing.limit));
        }
        let room = (writing.limit - bytes.len()).min(KEPT_BYTES);
        if let Some(signed_in) = &mut session.signed_in
            && !tokens.is_empty()
            && !writing.sheds_tokens
        {
            signed_in.tokens = newest_within(tokens, room);
            bytes = session.serialised(key, writing)?;
        }
        Ok(SessionRecord::from_bytes(std::mem::take(&mut *bytes)))
    }

    fn take_tokens(&mut self) -> Vec<KeptToken> {
        let signed_in = self.signed_in.as_mut();
        signed_in.map_or_else(Vec::new, |signed_in| std::mem::take(&mut signed_in.tokens))
    }

    /// Without it the issuer asks the person who it is that signs out.
    fn shed_id_token(&mut self) {
        if let Some(signed_in) = &mut self.signed_in {
            signed_in.id_token = None;
        }
    }

    /// Without them a redemption whose answer is lost is not repeated.
    fn shed_marked_requests(&mut self) {
        for family in self.families() {
            if let Some(mark) = &mut family.mark {
                mark.request = None;
            }
        }
    }

    fn shed_replaced(&mut self) {
        if let Some(signed_in) = &mut self.signed_in {
            signed_in.replaced.clear();
        }
    }

    fn families(&mut self) -> impl Iterator<Item = &mut Family> {
        let signed_in = self.signed_in.iter_mut();
        signed_in.flat_map(|signed_in: &mut SignedIn| &mut signed_in.families)
    }

    fn serialised(
        &self,
        key: &SessionKey,
        writing: Writing,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let envelope = Envelope {
            version: FORM,
            write: writing.version.to_string(),
            keep_until: writing.keep_until,
            issuer: key.issuer().to_owned(),
            client_id: key.client_id().to_owned(),
            session: key.session().to_owned(),
            content: self,
        };
        let unserialised = |_unshown| {
            StoreError::new(StoreErrorKind::Other, "the session could not be serialised")
        };
        // Measured first, so that it does not grow: what it leaves behind would not be wiped.
        let mut length = Length(0);
        serde_json::to_writer(&mut length, &envelope).map_err(unserialised)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *bytes, &envelope).map_err(unserialised)?;
        Ok(bytes)
    }
}

/// The newest tokens whose texts fit into `room`, in their old order.
fn newest_within(tokens: Vec<KeptToken>, room: usize) -> Vec<KeptToken> {
    let mut left = room;
    let mut newest: Vec<KeptToken> = tokens
        .into_iter()
        .rev()
        .take_while(|token| {
            let mut length = Length(0);
            let is_measured = serde_json::to_writer(&mut length, token).is_ok();
            // And the comma between two.
            let rest = left.checked_sub(length.0 + 1);
            left = rest.unwrap_or(0);
            is_measured && rest.is_some()
        })
        .collect();
    newest.reverse();
    newest
}

/// Counts bytes instead of writing them.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn too_large(length: usize, limit: usize) -> StoreError {
    let what = format!(
        "the session needs {length} bytes without its access tokens, and its store takes {limit}"
    );
    StoreError::new(StoreErrorKind::TooLarge, what).with_next_move(
        "ask for fewer APIs and scopes in one sign-in, or keep sessions in a store that takes larger records",
    )
}

/// The version of the record's form. The first had no version numbers of its own for the store, and its
/// marks named no request.
const FORM: u32 = 2;

/// What a person does is dated after what was there: with no later date left they could not sign in any more.
const LATEST: u64 = u64::MAX / 2;

/// The texts of the kept access tokens are no longer than this together, in bytes: a store may refuse
/// a record that makes no sense, and one of a megabyte makes none.
const KEPT_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{account::Account, secret::Secret, session::record::SignInId};

    fn version() -> Version {
        Version::from(std::num::NonZeroU64::MIN)
    }

    fn key() -> SessionKey {
        SessionKey::new("https://issuer.example", "app", "alice")
    }

    fn token(number: usize, length: usize) -> KeptToken {
        KeptToken {
            audience: format!("api{number}"),
            asked: String::new(),
            parameters: Vec::new(),
            granted: None,
            access_token: Secret::from("x".repeat(length)),
            requested_at: 0,
            lifetime: 300_000,
        }
    }

    fn session(tokens: Vec<KeptToken>) -> Session {
        let family = Family::new(None, Some(Secret::from("R0")), BTreeMap::new());
        Session {
            sign_in: SignInId(7),
            since: 0,
            ended: 0,
            signed_in: Some(SignedIn {
                account: Account::default(),
                id_token: None,
                identity_scopes: String::new(),
                families: vec![family],
                replaced: Vec::new(),
                tokens,
            }),
        }
    }

    fn writing(limit: usize) -> Writing {
        Writing {
            version: version(),
            keep_until: None,
            limit,
            sheds_tokens: false,
        }
    }

    #[test]
    fn a_record_says_its_version() {
        let record = session(Vec::new()).write(&key(), writing(4096)).unwrap();
        assert_eq!(record.version(), version());
    }

    #[test]
    fn access_tokens_push_out_nothing_that_matters() {
        let session = session(vec![token(0, 900), token(1, 900), token(2, 900)]);
        let record = session.write(&key(), writing(2560)).unwrap();
        assert!(record.as_bytes().len() <= 2560);
        let kept = Session::read(&record, &key()).unwrap().signed_in.unwrap();
        let audiences: Vec<_> = kept.tokens.iter().map(|token| &*token.audience).collect();
        assert_eq!(audiences, ["api1", "api2"], "the newest stay");
        assert_eq!(kept.families.len(), 1);
    }

    #[test]
    fn what_has_no_room_at_all_is_an_error_and_is_not_written() {
        let error = session(Vec::new()).write(&key(), writing(64)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    }

    #[test]
    fn a_record_of_the_first_form_is_read_and_its_mark_names_no_request() {
        let older = br#"{"version":1,"issuer":"https://issuer.example","client_id":"app","session":"alice","generation":18446744073709551615,"revision":3,"sign_in":5,"signed_in":{"account":{"subject":"alice","name":null,"email":null},"identity_scopes":"openid","families":[{"audience":null,"refresh_token":"R0","covers":{},"unanswered":1}],"tokens":[]}}"#;
        let record = SessionRecord::from_bytes(*older);
        let session = Session::read(&record, &key()).unwrap();
        assert_eq!(session.in_force(), SignInId(5));
        let mark = session.signed_in.unwrap().families[0].mark.clone().unwrap();
        assert_eq!((mark.attempts.len(), mark.request), (1, None));
    }
}
