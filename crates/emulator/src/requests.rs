//! The log of requests, for tests that count.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use crate::clock;
use crate::routes::Endpoint;

/// A request that arrived. Secrets of the tenant and tokens in it are `[redacted]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestRecord {
    /// The HTTP method.
    pub method: String,
    /// The path below the issuer as it was sent, without the query.
    pub path: String,
    /// The endpoint that answers at the path, if one does.
    pub endpoint: Option<Endpoint>,
    /// The status of the reply; `None` while there is none, and for ever if the connection was
    /// dropped.
    pub status: Option<u16>,
    /// The form's `grant_type`.
    pub grant_type: Option<String>,
    /// The client id, from HTTP Basic or the form.
    pub client_id: Option<String>,
    /// The form's `audience`, else its `resource`.
    pub audience: Option<String>,
    /// The form's `scope`, as sent.
    pub scope: Option<String>,
    /// When it arrived, on the emulator's clock.
    #[serde(serialize_with = "clock::serialize")]
    pub at: SystemTime,
}

/// The records in order of arrival, each known by a number that is never used twice.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    inner: Mutex<Records>,
}

#[derive(Debug, Default)]
struct Records {
    next: u64,
    records: VecDeque<(u64, RequestRecord)>,
}

impl RequestLog {
    /// Notes a request before anything is done about it. Returns its number.
    pub(crate) fn arrived(&self, record: RequestRecord) -> u64 {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let number = inner.next;
        inner.next += 1;
        if inner.records.len() == MOST_RECORDS {
            inner.records.pop_front();
        }
        inner.records.push_back((number, record));
        number
    }

    /// Notes the reply, unless the log was cleared in between.
    pub(crate) fn answered(&self, number: u64, status: u16) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let index = inner.records.partition_point(|(known, _)| *known < number);
        if let Some((known, record)) = inner.records.get_mut(index)
            && *known == number
        {
            record.status = Some(status);
        }
    }

    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .records
            .iter()
            .map(|(_, record)| record.clone())
            .collect()
    }

    pub(crate) fn count(&self, counts: impl Fn(&RequestRecord) -> bool) -> usize {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .records
            .iter()
            .filter(|(_, record)| counts(record))
            .count()
    }

    pub(crate) fn clear(&self) {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .records
            .clear();
    }
}

/// The oldest records go when an emulator that runs for weeks has more: about 30 MB.
const MOST_RECORDS: usize = 100_000;
