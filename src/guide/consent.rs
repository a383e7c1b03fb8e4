//! People: signing in, consent, and how a session stays alive.
//!
//! # One sign-in, many APIs
//!
//! A person signs in once, and the application then gets a token for each API that it calls. One
//! prompt can ask for the scopes of several APIs together; whatever turns out to be needed later is
//! asked for then, and the person sees just that as new.
//!
//! | the program | signs in with |
//! |---|---|
//! | runs on the person's own machine | [`AuthorizationCode::loopback`](crate::AuthorizationCode::loopback): the system's browser, and a port of this machine that it comes back to |
//! | has no browser: a server, a television | [`DeviceCode`](crate::DeviceCode): a code that the person types elsewhere |
//! | is a web back end | [`Session::begin_sign_in`](crate::Session::begin_sign_in) and [`finish_sign_in`](crate::Session::finish_sign_in), with a [session](crate::People::session) for each person |
//!
//! # When something is missing
//!
//! [`Error::Consent`](crate::Error::Consent) says for which API and which scopes. What is beyond the
//! sign-in is noticed here, without a request: a refused refresh consumes the refresh token at some
//! issuers. [`Session::resolve`](crate::Session::resolve) has the person act and repeats the request, for
//! any number of callers with one prompt; a back end sends the person to
//! [`authorization_url`](crate::ConsentRequired::authorization_url).
//!
//! A scope that the issuer withheld although the person was asked is
//! [`Error::Denied`](crate::Error::Denied) from then on: an allowlist gap never becomes an endless
//! prompt. A new sign-in asks again.
//!
//! # Never logged out by the client
//!
//! Refresh tokens rotate, and using one twice ends the session. So there is one redemption of a refresh token
//! at a time, across tasks and processes that share a store, and for all audiences that it serves; each goes
//! like this:
//!
//! 1. wait for this process's turn, take the store's lock, and load the session again;
//! 2. if another task or process has left what is needed meanwhile, take that;
//! 3. else write down that this token is about to be redeemed, and for which request; ask whether the lock
//!    is still held; and redeem it;
//! 4. write the new token before anything is handed up, and release the lock.
//!
//! Each write names the version of the record that it replaces. If another process was faster, the record is
//! loaded again, and what happened here is applied to that.
//!
//! | the issuer's answer | what becomes of the session |
//! |---|---|
//! | a token | the new refresh token is kept; the old one if none came |
//! | 429, 5xx, unreachable | nothing; the call can be repeated |
//! | unusable, but with a new refresh token | that is kept |
//! | none: a timeout, a torn reply, a crash in between | the same request is repeated once, ever, and not before the issuer answers again; as often as it takes within a [grace period](crate::Dialect::refresh_grace) of the issuer. Without one the token may be spent, and then a sign-in is needed |
//! | `invalid_grant` | if the store holds that very token still, it is erased and [`Error::Login`](crate::Error::Login) is what is left; if it holds a newer one, that is used |
//!
//! Redemptions run on the client's own thread, and the end of the runtime that they were begun in waits for
//! them, so that a program which ends right after a call loses no session. If the store cannot be written,
//! nothing is redeemed; if it fails between the two writes, the new token stays in memory, and is written at
//! the next call or by [`People::close`](crate::People::close), which says what it could not write.
//!
//! # Signing out
//!
//! [`Session::sign_out`](crate::Session::sign_out) forgets the tokens, leaves a tombstone in the store,
//! and revokes the refresh token; what became of that, [`SignedOut`](crate::SignedOut) says. Once it has returned `Ok` it is final: it wins over a refresh under way, and
//! over whatever any process writes of that sign-in. Other processes stop at their next miss, or in their next refresh
//! window; over a store that announces changes, as soon as they hear of it.
//!
//! The session that the person's browser has at the issuer ends on a page of the issuer:
//! [`Session::begin_sign_out`](crate::Session::begin_sign_out) says where to send them, and
//! [`Session::sign_out_in_browser`](crate::Session::sign_out_in_browser) waits until they come back to a port of
//! this machine.
