//! What is kept of one person's session, and how it is written.

mod family;

use std::{fmt, time::Duration};

pub(crate) use family::{Coverage, Family};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{SessionKey, SessionRecord};
use crate::{
    error::{StoreError, StoreErrorKind},
    scope::{Audience, Scopes},
    secret::{self, Secret},
    time::Moment,
};

/// The person behind a session, as the issuer named them when they signed in.
///
/// `subject` is stable for ever (platform fact) and is what a later sign-in is compared with; the
/// others are for showing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    subject: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

impl Account {
    pub(crate) fn new(
        subject: Option<String>,
        name: Option<String>,
        email: Option<String>,
    ) -> Self {
        Self {
            subject,
            name,
            email,
        }
    }

    /// `sub`: who it is (OpenID Connect Core section 2); nothing if `openid` was not asked for.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The name to show, where `profile` was granted.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address to show, where `email` was granted.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Whether both are known to be different people.
    pub(crate) fn is_other_than(&self, other: &Self) -> bool {
        matches!((&self.subject, &other.subject), (Some(one), Some(two)) if one != two)
    }

    /// Whether both are known to be the same person.
    pub(crate) fn is_surely(&self, other: &Self) -> bool {
        matches!((&self.subject, &other.subject), (Some(one), Some(two)) if one == two)
    }
}

impl fmt::Debug for Account {
    /// Shows the subject alone: the others are personal data that no log needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// One person's session at one moment.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Grows with every write: who remembers an older one knows that something has changed.
    pub(crate) generation: u64,
    /// Grows when the person does something, or has to: what was refused for want of them is asked
    /// for again.
    #[serde(default)]
    pub(crate) revision: u64,
    /// Which sign-in this is: a number of its own for each, and zero where nobody is signed in.
    #[serde(default)]
    pub(crate) sign_in: u64,
    /// Nothing once the person has signed out: the tombstone that a late writer must respect.
    pub(crate) signed_in: Option<SignedIn>,
}

/// What a sign-in has brought.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    /// The scopes that are no API's (`openid`, `offline_access`, …): asked for again with the rest.
    pub(crate) identity_scopes: String,
    pub(crate) families: Vec<Family>,
    pub(crate) tokens: Vec<KeptToken>,
}

/// An access token that a new process can start with.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeptToken {
    pub(crate) audience: String,
    /// What it was asked for with; what it grants is `granted`, where that is known.
    pub(crate) asked: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) granted: Option<String>,
    #[serde(with = "secret::written")]
    pub(crate) access_token: Secret,
    /// By the wall clock, in milliseconds since the Unix epoch.
    pub(crate) requested_at: u64,
    /// In milliseconds.
    pub(crate) lifetime: u64,
}

impl KeptToken {
    /// When it was asked for, on both clocks of this process; nothing if that is yet to come.
    ///
    /// A record from the future was written under another clock, and says nothing about the age.
    pub(crate) fn requested_at(&self, now: Moment) -> Option<Moment> {
        let wall = Duration::from_millis(self.requested_at);
        now.at_wall(wall)
    }

    pub(crate) fn is_for(
        &self,
        audience: &Audience,
        asked: &Scopes,
        extra: &[(&str, &str)],
    ) -> bool {
        let parameters = self
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        self.audience == audience.as_str()
            && Scopes::from_reply(&self.asked) == *asked
            && parameters.eq(extra.iter().copied())
    }

    /// Whether it has ended: then it is not worth keeping.
    pub(crate) fn has_ended(&self, now: Moment) -> bool {
        let Some(requested_at) = self.requested_at(now) else {
            return true;
        };
        now.has_reached(requested_at.plus(Duration::from_millis(self.lifetime)))
    }
}

impl SignedIn {
    /// Those that it could redeem.
    pub(crate) fn refresh_tokens(&self) -> impl Iterator<Item = &Secret> {
        let families = self.families.iter();
        families.filter_map(|family| family.refresh_token.as_ref())
    }

    /// The family that serves `audience`.
    pub(crate) fn family(&self, audience: &Audience) -> Option<&Family> {
        self.families.iter().find(|family| family.serves(audience))
    }

    pub(crate) fn family_mut(&mut self, audience: &Audience) -> Option<&mut Family> {
        let mut families = self.families.iter_mut();
        families.find(|family| family.serves(audience))
    }

    /// Nothing comes of the family any more that serves `audience`, until the next sign-in.
    ///
    /// What it covered is kept, so that this can ask for the same.
    pub(crate) fn end_family(&mut self, audience: &Audience) {
        let Some(family) = self.family_mut(audience) else {
            return;
        };
        (family.refresh_token, family.unanswered) = (None, 0);
        let ended = family.clone();
        self.tokens
            .retain(|kept| !ended.serves(&Audience::from(kept.audience.as_str())));
    }

    /// Puts `token` in the place of the one for the same request, and lets go of what has ended.
    pub(crate) fn keep(&mut self, token: KeptToken, now: Moment) {
        self.tokens.retain(|kept| {
            let is_same = kept.audience == token.audience
                && kept.asked == token.asked
                && kept.parameters == token.parameters;
            !is_same && !kept.has_ended(now)
        });
        self.tokens.push(token);
        // The oldest goes first: a record is read and written as a whole.
        let size = |tokens: &[KeptToken]| -> usize {
            let texts = tokens.iter().map(|kept| kept.access_token.expose().len());
            texts.sum()
        };
        while self.tokens.len() > KEPT_TOKENS || size(&self.tokens) > KEPT_BYTES {
            self.tokens.remove(0);
        }
    }

    /// The scopes of every audience that the sign-in covers.
    pub(crate) fn covered(&self) -> impl Iterator<Item = (Audience, Scopes)> {
        self.families
            .iter()
            .flat_map(|family| &family.covers)
            .map(|(audience, coverage)| (Audience::from(audience.as_str()), coverage.granted()))
    }
}

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
    issuer: String,
    client_id: String,
    session: String,
    #[serde(flatten)]
    content: S,
}

impl Session {
    pub(crate) fn read(record: &SessionRecord, key: &SessionKey) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let version: Version =
            serde_json::from_slice(record.as_bytes()).map_err(|_unshown| Unusable::Damaged)?;
        if version.version > VERSION {
            return Err(Unusable::Newer);
        }
        let envelope: Envelope<Self> =
            serde_json::from_slice(record.as_bytes()).map_err(|_unshown| Unusable::Damaged)?;
        // A file that was copied to another's name must not sign anybody in there.
        let is_ours = envelope.issuer == key.issuer()
            && envelope.client_id == key.client_id()
            && envelope.session == key.session();
        is_ours.then_some(envelope.content).ok_or(Unusable::Damaged)
    }

    /// Whether both are the same write of the same session.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        let numbers = |it: &Self| (it.generation, it.revision, it.sign_in);
        numbers(self) == numbers(other)
    }

    /// What is left of the session of this generation and revision, once the person has signed out.
    pub(crate) fn tombstone(generation: u64, revision: u64) -> Self {
        Self {
            generation: generation + 1,
            revision: revision + 1,
            sign_in: 0,
            signed_in: None,
        }
    }

    pub(crate) fn write(&self, key: &SessionKey) -> Result<SessionRecord, StoreError> {
        let envelope = Envelope {
            version: VERSION,
            issuer: key.issuer().to_owned(),
            client_id: key.client_id().to_owned(),
            session: key.session().to_owned(),
            content: self,
        };
        // Large enough that it does not grow: what it leaves behind would not be wiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(EXPECTED_RECORD));
        serde_json::to_writer(&mut *bytes, &envelope).map_err(|_unshown| {
            let what = "the session could not be put into words";
            StoreError::new(StoreErrorKind::Other, what)
        })?;
        Ok(SessionRecord::new(std::mem::take(&mut *bytes)))
    }
}

/// The version of the record's form.
const VERSION: u32 = 1;

/// A record holds at most this many access tokens; those of more audiences are fetched again by the
/// next process.
const KEPT_TOKENS: usize = 64;

/// The texts of the kept access tokens are no longer than this together, in bytes: a store may refuse
/// a record that makes no sense, and one of a megabyte makes none.
const KEPT_BYTES: usize = 256 * 1024;

/// A record with as many access tokens as are kept, in bytes.
const EXPECTED_RECORD: usize = KEPT_BYTES + 64 * 1024;
