//! The audit log: every change and every token request.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock;

/// One entry of the audit log, with the fields that the platform documents.
///
/// No entry holds a secret of the tenant or a token: `[redacted]` stands in its place. A secret under
/// eight characters is looked for as a whole word only.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its id, `evt_...`; ids sort by time.
    pub id: String,
    /// The type of event, such as `oauth.token_request` or `application.updated`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, on the emulator's clock.
    #[serde(serialize_with = "clock::serialize")]
    pub occurred_at: SystemTime,
    /// Who did it.
    pub actor: AuditParty,
    /// What it was done to.
    pub target: AuditParty,
    /// How it ended.
    pub outcome: Outcome,
    /// What was asked and what came of it; a change has `before` and `after`.
    pub data: Value,
    /// The request behind it; of a change made in-process both members are `null`.
    pub context: AuditContext,
}

/// An actor or a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditParty {
    /// `application`, `admin`, `system`, `tenant` or `token`.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// Where an entry came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditContext {
    /// The `request_id` of error bodies and of the header `X-Request-Id`.
    pub request_id: Option<String>,
    /// The `User-Agent` of the request, without secrets and tokens.
    pub user_agent: Option<String>,
}

/// How an audited action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// As asked.
    Success,
    /// It could not be done: a wrong secret, a malformed request.
    Failure,
    /// It was understood and refused: the allowlist, a disabled application.
    Denied,
    /// Done, but less than asked: scopes were dropped.
    Partial,
}

impl AuditParty {
    pub(crate) fn new(kind: &str, id: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            id: id.into(),
        }
    }
}

/// What is still to be stamped with an id and a time.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) actor: AuditParty,
    pub(crate) target: AuditParty,
    pub(crate) outcome: Outcome,
    pub(crate) data: Value,
    pub(crate) context: AuditContext,
}

/// Append-only, in order.
#[derive(Debug, Default)]
pub(crate) struct AuditLog {
    entries: Mutex<VecDeque<AuditEntry>>,
}

impl AuditLog {
    pub(crate) fn append(&self, id: String, occurred_at: SystemTime, event: Event) {
        let Event {
            kind,
            actor,
            target,
            outcome,
            data,
            context,
        } = event;
        let kind = kind.to_owned();
        let entry = AuditEntry {
            id,
            kind,
            occurred_at,
            actor,
            target,
            outcome,
            data,
            context,
        };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == MOST_ENTRIES {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    pub(crate) fn entries(&self) -> Vec<AuditEntry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// The oldest entries go when an emulator that runs for weeks has more: about 50 MB.
const MOST_ENTRIES: usize = 100_000;
