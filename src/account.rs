//! [`Account`]: the person behind a session.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The person behind a session, as the issuer named them when they signed in.
///
/// `subject` is stable for ever (platform fact) and is what a later sign-in is compared with; the
/// others are for showing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    subject: Option<String>,
    #[serde(flatten)]
    profile: Profile,
}

/// What an issuer says about a person beyond who they are (OpenID Connect Core section 5.1).
///
/// All of it is for showing, so what comes in another form counts as not said.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) middle_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) family_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preferred_username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) locale: Option<String>,
    /// In seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) updated_at: Option<u64>,
}

impl Profile {
    /// What of it stands in the claims of an ID token or of the userinfo endpoint.
    pub(crate) fn from_claims(claims: &Map<String, Value>) -> Self {
        let text = |name: &str| {
            let text = claims.get(name)?.as_str()?;
            let is_shown = !text.is_empty() && text.len() <= TEXT_MAX;
            is_shown.then(|| text.to_owned())
        };
        let email_verified = match claims.get("email_verified") {
            Some(Value::Bool(known)) => Some(*known),
            // Some servers write it so.
            Some(Value::String(known)) => known.parse().ok(),
            _ => None,
        };
        Self {
            name: text("name"),
            email: text("email"),
            email_verified,
            given_name: text("given_name"),
            middle_name: text("middle_name"),
            family_name: text("family_name"),
            preferred_username: text("preferred_username"),
            picture: text("picture"),
            locale: text("locale"),
            updated_at: claims.get("updated_at").and_then(Value::as_u64),
        }
    }

    /// This one, and from `other` what this one does not say.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            // What is said of an address belongs to that one alone.
            email_verified: match self.email {
                Some(_) => self.email_verified,
                None => other.email_verified,
            },
            name: self.name.or(other.name),
            email: self.email.or(other.email),
            given_name: self.given_name.or(other.given_name),
            middle_name: self.middle_name.or(other.middle_name),
            family_name: self.family_name.or(other.family_name),
            preferred_username: self.preferred_username.or(other.preferred_username),
            picture: self.picture.or(other.picture),
            locale: self.locale.or(other.locale),
            updated_at: self.updated_at.or(other.updated_at),
        }
    }
}

impl Account {
    pub(crate) fn new(
        subject: Option<String>,
        name: Option<String>,
        email: Option<String>,
    ) -> Self {
        let profile = Profile {
            name,
            email,
            ..Profile::default()
        };
        Self { subject, profile }
    }

    /// The same person, of whom `profile` says more.
    pub(crate) fn with(self, profile: Profile) -> Self {
        Self {
            profile: self.profile.or(profile),
            ..self
        }
    }

    /// Whether no name is known, and whether no address is.
    pub(crate) fn lacks(&self) -> (bool, bool) {
        (self.name().is_none(), self.email().is_none())
    }

    /// `sub`: who it is (OpenID Connect Core section 2); nothing if `openid` was not asked for.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The name to show, where `profile` was granted: `name`, else `preferred_username`.
    pub fn name(&self) -> Option<&str> {
        let profile = &self.profile;
        let name = profile.name.as_deref();
        name.or(profile.preferred_username.as_deref())
    }

    /// `given_name`: the first name or names, where `profile` was granted.
    pub fn given_name(&self) -> Option<&str> {
        self.profile.given_name.as_deref()
    }

    /// `middle_name`, where `profile` was granted.
    pub fn middle_name(&self) -> Option<&str> {
        self.profile.middle_name.as_deref()
    }

    /// `family_name`: the last name or names, where `profile` was granted.
    pub fn family_name(&self) -> Option<&str> {
        self.profile.family_name.as_deref()
    }

    /// `preferred_username`: a short name that may change, and that another account may have too.
    pub fn preferred_username(&self) -> Option<&str> {
        self.profile.preferred_username.as_deref()
    }

    /// `picture`: the URL of a picture. To load it tells that server that the person is here.
    pub fn picture(&self) -> Option<&str> {
        self.profile.picture.as_deref()
    }

    /// `locale`: the language to speak to the person in, such as `de-AT` (RFC 5646).
    pub fn locale(&self) -> Option<&str> {
        self.profile.locale.as_deref()
    }

    /// `updated_at`: when the issuer last changed what it says here.
    pub fn updated_at(&self) -> Option<SystemTime> {
        let since = Duration::from_secs(self.profile.updated_at?);
        UNIX_EPOCH.checked_add(since)
    }

    /// The address to show, where `email` was granted.
    pub fn email(&self) -> Option<&str> {
        self.profile.email.as_deref()
    }

    /// `email_verified`: whether the issuer knows that the address is the person's; nothing if it does
    /// not say.
    pub fn email_verified(&self) -> Option<bool> {
        self.profile.email_verified
    }

    /// Whether both are known to be different people.
    pub(crate) fn is_other_than(&self, other: &Self) -> bool {
        matches!((&self.subject, &other.subject), (Some(one), Some(two)) if one != two)
    }

    /// Whether both are known to be the same person.
    pub(crate) fn is_surely(&self, other: &Self) -> bool {
        matches!((&self.subject, &other.subject), (Some(one), Some(two)) if one == two)
    }

    /// Whether `known` cannot be continued by this sign-in where the same person is demanded: it is
    /// another person, or it names no person although `known` does.
    pub(crate) fn may_be_other_than(&self, known: &Self) -> bool {
        let is_unnamed = self.subject.is_none() && known.subject.is_some();
        self.is_other_than(known) || is_unnamed
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

/// What is longer is no name and no address (in bytes): a picture within the claim, for example, which would
/// fill the session's record.
const TEXT_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_for_showing_are_read_loosely() {
        let claims = json!({
            "name": null, "given_name": "Alice", "family_name": 7, "email": "a@x.example",
            "email_verified": "true", "picture": "x".repeat(4000), "updated_at": 1_700_000_000,
            "preferred_username": "alice", "locale": "",
        });
        let account = Account::default().with(Profile::from_claims(claims.as_object().unwrap()));
        assert_eq!(account.name(), Some("alice"));
        assert_eq!(account.given_name(), Some("Alice"));
        assert_eq!(account.email_verified(), Some(true));
        let others = (account.family_name(), account.picture(), account.locale());
        assert_eq!(others, (None, None, None));
        let since = account.updated_at().unwrap().duration_since(UNIX_EPOCH);
        assert_eq!(since.unwrap().as_secs(), 1_700_000_000);
    }

    #[test]
    fn a_record_of_an_older_version_is_read_and_a_short_one_is_written() {
        let older = r#"{"subject":"alice","name":"Alice","email":null}"#;
        let account: Account = serde_json::from_str(older).unwrap();
        assert_eq!(account.name(), Some("Alice"));
        assert_eq!(serde_json::to_string(&account).unwrap(), older);
        let without = r#"{"subject":null,"other":1}"#;
        let account: Account = serde_json::from_str(without).unwrap();
        assert!(account == Account::default());
    }

    #[test]
    fn what_is_said_of_one_address_is_not_said_of_another() {
        let profile = |email: Option<&str>, email_verified| Profile {
            email: email.map(str::to_owned),
            email_verified,
            ..Profile::default()
        };
        let own = profile(Some("a@x.example"), None);
        let told = profile(Some("b@x.example"), Some(true));
        let account = Account::default().with(own).with(told.clone());
        assert_eq!(account.email(), Some("a@x.example"));
        assert_eq!(account.email_verified(), None);
        let account = Account::default().with(told);
        assert_eq!(account.email_verified(), Some(true));
    }
}
