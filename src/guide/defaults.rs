//! Every number with its reason.
//!
//! | what | default | why | change it |
//! |---|---|---|---|
//! | connecting | 5 s | a host that is there answers in milliseconds | [`connect_timeout`](crate::ClientBuilder::connect_timeout) |
//! | one request | 15 s | issuers that hash passwords slowly, or wake up, still make it | [`request_timeout`](crate::ClientBuilder::request_timeout) |
//! | a connection | one request | what a server sends too much of never answers another request, and none is lost with a connection that has ended silently | |
//! | a runtime that carries a flight for others | 1.5 s without a sign of life | then they do not wait for it | |
//! | one flight | [20 s](crate::DEFAULT_FLIGHT_TIMEOUT) | discovery, retries and one slow request | [`flight_timeout`](crate::ClientBuilder::flight_timeout) |
//! | one caller | [30 s](crate::DEFAULT_WAIT_TIMEOUT) | longer than a flight, so that its error is the flight's | [`wait_timeout`](crate::ClientBuilder::wait_timeout), [`timeout`](crate::TokenRequest::timeout) |
//! | retries within a flight | [2](crate::DEFAULT_RETRIES) | as the platform's own SDKs; only what is safe to send twice, and nothing in the background | [`retries`](crate::ClientBuilder::retries) |
//! | one call into a session store | [5 s](crate::DEFAULT_STORE_TIMEOUT) | a busy database answers within one; a hang costs its own session an error | [`store_timeout`](crate::ClientBuilder::store_timeout) |
//! | slots kept | [10,000](crate::DEFAULT_CACHE_CAPACITY) | about 16 MB with tokens of 1 KB | [`cache_capacity`](crate::ClientBuilder::cache_capacity) |
//! | metadata kept | 24 h | endpoints rarely move, and a 404 is noticed at once | |
//! | longest life believed | 24 h | an access token that lives longer is a mistake somewhere | |
//! | life of a token that does not say | 5 min | short enough to be true nearly always | |
//! | reserve, window, jitter | [caching](super::caching) | no caller waits, and no token ends on the way to the API | [`refresh_ahead`](crate::ClientBuilder::refresh_ahead) |
//! | between two polls for a device code | what the issuer says, else 5 s; 100 ms where it says 0 | RFC 8628 section 3.2; `slow_down` adds 5 s | |
//! | polls that get no answer | twice as rare each time, up to 30 s | RFC 8628 section 3.5; the next answer ends it | |
//! | life of a device code that does not say | 10 min | a person who needs longer has gone away | |
//! | a person in the browser | 180 s | long enough to look for a phone; who went away is not waited for | [`time_limit`](crate::AuthorizationCode::time_limit) |
//! | a [`PendingLogin`](crate::PendingLogin) | 1 h | a page may lie open over lunch, and no longer | |
//! | waiting for a session's lock | 12 s | another process redeems meanwhile; with one call into the store it ends before the flight does, so that the error says that the store was at fault | |
//! | a write that waits for another of the same session, in files | 4 s | a write takes milliseconds; shorter than the 5 s of a call | |
//! | a lease ([`Lease`](crate::Lease)) | lasts 30 s, renewed every 5 s, lost with less than 20 s left | a redemption takes up to 15 s, one renewal may fail, and a holder that was killed should not block others for long | |
//! | largest record | [1 MiB](crate::LARGEST_RECORD) | a session with hundreds of large tokens stays below | [`record_limit`](crate::SessionStore::record_limit) |
//! | signing out | 2 s for the lock, 5 s for the revocation | the person's word counts either way | |
//! | access tokens kept in a session | 64 | a start needs those in use, and a record must stay small | |
//! | largest reply | 64 KiB | a token that does not fit into a header is of no use | |
//! | `Retry-After` | at most 1 h | a typing error at the issuer must not last for days | |
//!
//! The audience goes out as `audience` ([`Dialect`](crate::Dialect)), the client authenticates as the
//! issuer's metadata says ([`ClientAuthentication`](crate::ClientAuthentication)), and the system's
//! proxy and trust store are used.
