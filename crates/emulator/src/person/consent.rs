//! What people allowed applications, and what they read when they did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::Serialize;

use crate::clock;

/// What a person allowed or denied an application at one API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConsentRecord {
    /// The person.
    pub user: String,
    /// The application.
    pub application: String,
    /// The audience of the API; `None` for what is about the person: `openid`, `profile` and so on.
    pub audience: Option<String>,
    /// The scopes that are allowed, in order.
    pub granted: Vec<ConsentedScope>,
    /// The scopes that were denied and not allowed since, in order.
    pub denied: Vec<ConsentedScope>,
}

/// One scope of a [`ConsentRecord`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConsentedScope {
    /// The scope.
    pub scope: String,
    /// When the person decided.
    #[serde(serialize_with = "clock::serialize")]
    pub at: SystemTime,
    /// What the page said: name and description. `None` if no page was shown.
    pub text: Option<String>,
}

/// A scope as a page showed it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The audience of its API; `None` for what is about the person.
    pub(crate) audience: Option<String>,
    pub(crate) scope: String,
    pub(crate) text: Option<String>,
}

/// Which consents of a person and an application are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    All,
    /// `openid`, `profile` and so on.
    AboutPerson,
    Api(&'a str),
}

type Key = (String, String, Option<String>);

#[derive(Clone, Debug)]
struct Decided {
    at: SystemTime,
    text: Option<String>,
    is_granted: bool,
}

/// Every decision, by person, application and API.
#[derive(Debug, Default)]
pub(crate) struct Consents {
    known: BTreeMap<Key, BTreeMap<String, Decided>>,
}

impl Consents {
    /// Writes a decision down.
    pub(crate) fn decide(
        &mut self,
        (user, application): (&str, &str),
        shown: &[Shown],
        is_granted: bool,
        at: SystemTime,
    ) {
        for Shown {
            audience,
            scope,
            text,
        } in shown
        {
            let key = (user.to_owned(), application.to_owned(), audience.clone());
            let scopes = self.known.entry(key).or_default();
            let already = scopes.get(scope).is_some_and(|known| known.is_granted);
            // Saying no to something new takes nothing away that was allowed before.
            if already && !is_granted {
                continue;
            }
            let text = text.clone();
            let decided = Decided {
                at,
                text,
                is_granted,
            };
            scopes.insert(scope.clone(), decided);
        }
    }

    pub(crate) fn allows(
        &self,
        (user, application): (&str, &str),
        audience: Option<&str>,
        scope: &str,
    ) -> bool {
        self.granted((user, application), audience).contains(scope)
    }

    /// What is allowed at one API.
    pub(crate) fn granted(
        &self,
        (user, application): (&str, &str),
        audience: Option<&str>,
    ) -> BTreeSet<String> {
        let audience = audience.map(str::to_owned);
        let key = (user.to_owned(), application.to_owned(), audience);
        let scopes = self.known.get(&key).into_iter().flatten();
        let granted = scopes.filter(|(_, decided)| decided.is_granted);
        granted.map(|(scope, _)| scope.clone()).collect()
    }

    /// Takes back what was allowed; all of it without an audience. Returns what there was.
    pub(crate) fn revoke(
        &mut self,
        (user, application): (&str, &str),
        which: Which<'_>,
    ) -> Vec<ConsentRecord> {
        let is_meant = |key: &Key| {
            let is_api = match which {
                Which::All => true,
                Which::AboutPerson => key.2.is_none(),
                Which::Api(audience) => key.2.as_deref() == Some(audience),
            };
            key.0 == user && key.1 == application && is_api
        };
        let records = self.records();
        let meant = |record: &ConsentRecord| {
            let key = (
                record.user.clone(),
                record.application.clone(),
                record.audience.clone(),
            );
            is_meant(&key)
        };
        self.known.retain(|key, _| !is_meant(key));
        records.into_iter().filter(meant).collect()
    }

    pub(crate) fn records(&self) -> Vec<ConsentRecord> {
        let records = self
            .known
            .iter()
            .map(|((user, application, audience), scopes)| {
                let all = |is_granted: bool| {
                    let these = scopes
                        .iter()
                        .filter(|(_, known)| known.is_granted == is_granted);
                    let these = these.map(|(scope, known)| ConsentedScope {
                        scope: scope.clone(),
                        at: known.at,
                        text: known.text.clone(),
                    });
                    these.collect()
                };
                ConsentRecord {
                    user: user.clone(),
                    application: application.clone(),
                    audience: audience.clone(),
                    granted: all(true),
                    denied: all(false),
                }
            });
        records.collect()
    }
}
