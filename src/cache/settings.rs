//! What is set about the cache.

use std::time::Duration;

use crate::time::TimeSource;

/// When a token is refreshed before its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshAhead {
    /// The first call in the refresh window starts a refresh, and no caller waits for it. The default.
    #[default]
    Background,
    /// The first call in the refresh window waits for the refresh; if it fails, the old token is
    /// returned. For programs that end before a background refresh would.
    Inline,
    /// A token is used until its end; then the callers wait for the next one.
    Off,
}

/// What the builder sets about the cache.
#[derive(Debug)]
pub(crate) struct CacheSettings {
    pub(crate) capacity: u64,
    pub(crate) refresh_ahead: RefreshAhead,
    pub(crate) flight_timeout: Duration,
    pub(crate) wait_timeout: Duration,
    pub(crate) clock: TimeSource,
}
