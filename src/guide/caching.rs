//! What answers what, when a token is refreshed, and what a failure leaves behind.
//!
//! # What makes two requests the same
//!
//! The session, the audience, the extra parameters and the scopes: compared as they are, never
//! normalised and never by a hash. A request without scopes is a key of its own and is never answered
//! by a token that was fetched for named ones. A request with scopes is answered
//!
//! 1. by the token that was fetched for exactly these,
//! 2. else by the valid one with the smallest grant that holds them all, if the issuer *reported* that
//!    grant ([`TokenRequest::exact_scopes`](crate::TokenRequest::exact_scopes) turns this off).
//!
//! If the only token that held them has ended, that one is renewed, and no second one is made. One
//! audience keeps up to 16 scope sets; the ones not in use make room first, and those that were just refused last.
//!
//! # A token's life
//!
//! With a lifetime L, counted from the instant *before* the request was sent:
//!
//! ```text
//! requested ─────────────── refresh from ──────── usable until ──── expires
//!            L − r − w − j                w + j                 r
//! ```
//!
//! - r, the reserve, is the smaller of 30 s and L/10. A token is not handed out in it.
//! - w, the window, is the smaller of 5 min and L/5. The first call in it starts a refresh in the
//!   background; all callers keep getting the token at once.
//! - j, the jitter, is drawn once per token from 0 to the smaller of L/10 and w/2, so that processes
//!   which started together do not refresh together.
//!
//! Every line is kept on a monotonic and a wall clock, and is reached when either says so: a suspended
//! laptop is noticed by the one, a clock that was set back by the other. Without calls nothing is
//! refreshed.
//!
//! A refresh that fails keeps the token in use. The next one waits for a quarter of the time that is
//! left (at most 60 s, ± half), at least a second and a hundredth of L, and there are never more than
//! ten in a minute for one audience.
//!
//! # Flights
//!
//! A request to the issuer is a *flight*. It runs in a task of its own, so a caller that gives up
//! changes nothing, and a caller that asks for the same meanwhile waits for it and shares its token.
//! [`CacheMode::Refresh`](crate::CacheMode::Refresh) joins only a flight that departs after the call.
//! Results are published in the order in which flights departed: a slow old one never overwrites a
//! newer one.
//!
//! # Failures
//!
//! | what | is returned without a request for |
//! |---|---|
//! | [`Unavailable`](crate::Error::Unavailable) | 1, 2, 4 … 60 s, ± half |
//! | the same with `Retry-After` | as long as it says, at most an hour |
//! | [`Denied`](crate::Error::Denied), [`Protocol`](crate::Error::Protocol), [`Request`](crate::Error::Request) from the issuer | 30 s |
//! | [`Consent`](crate::Error::Consent), [`Login`](crate::Error::Login), [`StepUp`](crate::Error::StepUp) | 120 s |
//! | [`Store`](crate::Error::Store) | 1 s |
//!
//! When two keys meet a `Retry-After` within a minute, it is the tenant's limit, and all keys wait.
//! [`CacheMode::Refresh`](crate::CacheMode::Refresh) passes everything but `Retry-After`;
//! [`Client::clear`](crate::Client::clear) forgets the failures of an audience as well.
//!
//! # What is kept
//!
//! Up to [`cache_capacity`](crate::ClientBuilder::cache_capacity) pairs of session and audience. One
//! that was not used since it was last a candidate makes room, but never one with a flight under way or a handle. A
//! failure that is still remembered goes after those: to forget it would cost a request that is not due.
//!
//! What is known of a session beside its tokens is kept as long as it has one of these pairs, a client or a
//! handle. A session in which no person is signed in gets no pair, whatever is asked for under its name.
