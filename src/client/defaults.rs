//! The defaults that can be named, each with its reason.

use std::time::Duration;

/// A flight, with discovery and retries, ends after this: 20 s.
///
/// Longer than one request may take (15 s), so that a slow answer still counts; short enough that a
/// dead issuer is noticed before most callers have given up.
pub const DEFAULT_FLIGHT_TIMEOUT: Duration = Duration::from_secs(20);

/// A caller waits for a token at most this long: 30 s.
pub const DEFAULT_WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A failed request is tried again at most twice within its flight, after about 200 and 400 ms.
///
/// As the platform's own SDKs do. Refusals and requests for patience are never tried again, and a
/// background refresh is not either: its next try comes soon enough.
pub const DEFAULT_RETRIES: u32 = 2;

/// This many pairs of session and audience are kept: 10,000.
///
/// About 16 MB with tokens of 1 KB. What was not used for longest makes room.
pub const DEFAULT_CACHE_CAPACITY: u64 = 10_000;

/// One call into a session store may take this long: 5 s.
///
/// A database on the other side of a busy network answers within a second. A call makes a few of them, and a
/// caller waits at most 30 s for all that it needs. With the 12 s for which a redemption waits for a lock it
/// stays below the time of a flight: a larger one needs a longer
/// [`flight_timeout`](crate::ClientBuilder::flight_timeout) too, or else a lock that hangs is reported as an
/// issuer that does not answer.
pub const DEFAULT_STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The name of [`People::default_session`](crate::People::default_session), in the store's keys too.
pub const DEFAULT_SESSION: &str = "default";
