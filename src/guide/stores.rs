//! A store of your own: locks, leases, compare-and-set, and what is lost with each.
//!
//! [`MemoryStore`](crate::MemoryStore) ends with the process, and [`FileStore`](crate::FileStore) is
//! for the processes of one machine. Programs on several machines keep the sessions of people in a
//! database: that is a [`SessionStore`](crate::SessionStore), with seven short functions.
//!
//! Refresh tokens rotate, and most issuers end the whole session when one is used twice. So a store
//! that loses a save, mixes two, or gives its lock to two holders signs people out, and one that lets a
//! late save replace a newer record signs them in again. The suite at the end of this page finds out.
//!
//! # What the client asks for
//!
//! | when | calls |
//! |---|---|
//! | a look at what other processes did, once a second at most | `load` |
//! | a redemption | `lock`, `load`, `save` (the mark that it is about to be sent), `is_held`, `save` (what came of it), `release` |
//! | a sign-in, a sign-out | `load`, `save`; again if the save was superseded |
//! | a record that cannot be used | `set_aside` |
//! | a list of who is signed in | `list` |
//!
//! All of it happens on a runtime of the client's own, which outlives the program's callers and has
//! I/O and timers: a connection is best made by the first call, and what a call spawns there lives on. A
//! call gets 5 s ([`store_timeout`](crate::ClientBuilder::store_timeout)),
//! [`lock`](crate::SessionStore::lock) its patience besides; what has not returned by then is dropped, and
//! counts as failed. A lock is held for one redemption: 15 s for the issuer's answer
//! ([`request_timeout`](crate::ClientBuilder::request_timeout)), and the calls around it. An application that
//! raises that beyond 20 s cannot rely on leases.
//!
//! # A driver that blocks
//!
//! The client's runtime has one thread, on which the calls of all sessions take turns where they `await`. What
//! waits there without awaiting (a synchronous driver, a file, a `std` mutex that is held for long) stops every
//! session for as long, and no time limit ends it: the timers are on that thread too. Such work belongs into
//! [`spawn_blocking`](tokio::task::spawn_blocking), which has threads of its own:
//!
//! ```
//! # async fn f() -> Result<(), intelliauth::StoreError> {
//! use intelliauth::{StoreError, StoreErrorKind};
//!
//! # fn query() -> Result<Vec<u8>, std::io::Error> { Ok(Vec::new()) }
//! let row = tokio::task::spawn_blocking(|| query()).await;
//! let lost = |error| StoreError::new(StoreErrorKind::Other, "the query was lost").caused_by(error);
//! let failed = |error| StoreError::new(StoreErrorKind::Io, "the query failed").caused_by(error);
//! let row = row.map_err(lost)?.map_err(failed)?;
//! # let _ = row;
//! # Ok(()) }
//! ```
//!
//! A call whose time is up is dropped, and what it runs there is not: it ends when the driver does, so the driver
//! needs a time limit of its own.
//!
//! # Compare-and-set
//!
//! A record has a [version](crate::SessionRecord::version), which is random, and a save names the one it
//! replaces. Comparing and replacing have to be one step of the database:
//!
//! ```text
//! replacing nothing    INSERT INTO sessions (digest, version, record, keep_until) VALUES (…)
//!                      ON CONFLICT DO NOTHING
//! replacing a version  UPDATE sessions SET version = …, record = …, keep_until = …
//!                      WHERE digest = $digest AND version = $replacing
//! ```
//!
//! It is saved if one row was written: `Saved::from(rows == 1)`. A statement that reads the version and
//! another one that writes are two steps, unless a transaction that is serialisable holds them together.
//! With this alone a sign-out is final: whatever comes late, from a process that was stopped, a queue or
//! a retry, names a version that is no longer there.
//!
//! A load has to find what was saved last: it is sent to the server that takes the saves, and not to a
//! copy that lags behind, or a cache. Under the lock, an old refresh token is a spent one.
//!
//! # Locks and leases
//!
//! What the lock is for is the one thing that compare-and-set cannot do: that the *issuer* is not
//! asked twice. There are two kinds.
//!
//! - **It ends with its holder.** A lock of the file system, or `pg_advisory_lock` on a connection that
//!   is closed when the holder dies. Keep what holds it in
//!   [`SessionLock::guard`](crate::SessionLock::guard), or implement
//!   [`HeldLock`](crate::HeldLock) if to release it is a call.
//! - **It ends by itself**, after a time: a lease, in Redis or in a row. Implement
//!   [`Lease`](crate::Lease), and [`SessionLock::lease`](crate::SessionLock::lease) does the rest: it
//!   lasts 30 s, is renewed every 5 s, and says that it is lost while there are 20 s left, which is more
//!   than the 15 s that an answer may take. A holder that is killed keeps its family locked for those 30 s.
//!
//! A lock is for one [family](crate::FamilyKey), and its name is the family's digest.
//!
//! # What is lost with each
//!
//! | the store has | what is lost |
//! |---|---|
//! | compare-and-set, and locks that end with their holder | nothing but what is lost on the way between issuer and client |
//! | compare-and-set and leases | a process that stands still for more than 20 s, between the question whether it holds the lock and its request, may redeem at the same time as another: an issuer without a grace period ends the session |
//! | compare-and-set and no lock (every caller gets it) | two processes may redeem at the same time whenever they like. Sign-outs are final all the same. It is enough where one process uses the store |
//! | no compare-and-set | a late save brings back what was signed out, or a refresh token that is spent. There is no use for such a store |
//! | a copy that takes over without the last saves | as above: a sign-out may be undone, and a session ended |
//! | eviction, or a time to live that is too short | the person has to sign in again |
//! | a small limit for records | access tokens kept for the next process, the oldest first; then the sign-in itself fails as [`TooLarge`](crate::StoreErrorKind::TooLarge) |
//!
//! # How long
//!
//! A record says [until when](crate::SessionRecord::keep_until) it has to be kept, where that is known:
//! what it holds is of no use after that. A time to live is right for that, and nothing shorter. One
//! that does not say is kept until it is replaced. A record that says "signed out" is a record like
//! others.
//!
//! # An example, and the suite
//!
//! With the feature `test-util` (in `[dev-dependencies]`) there is a suite that holds a store
//! against everything above: `intelliauth::test_util::assert_store`. This is a whole store,
//! and its test:
//!
//! ```
//! use std::{
//!     collections::HashMap,
//!     sync::{Arc, Mutex},
//!     time::Duration,
//! };
//!
//! use intelliauth::{
//!     FamilyKey, Saved, SessionKey, SessionLock, SessionRecord, SessionStore, StoreError,
//!     StoreErrorKind, Version, test_util::assert_store,
//! };
//!
//! /// A database could be in its place.
//! #[derive(Clone, Debug, Default)]
//! struct Shelf {
//!     records: Arc<Mutex<HashMap<SessionKey, SessionRecord>>>,
//!     locks: Arc<Mutex<HashMap<FamilyKey, Arc<tokio::sync::Mutex<()>>>>>,
//! }
//!
//! impl SessionStore for Shelf {
//!     async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
//!         Ok(self.records.lock().unwrap().get(key).cloned())
//!     }
//!
//!     async fn save(
//!         &self,
//!         key: &SessionKey,
//!         record: &SessionRecord,
//!         replacing: Option<Version>,
//!     ) -> Result<Saved, StoreError> {
//!         record.ensure_fits(self.record_limit())?;
//!         // Under one guard, so that comparing and replacing are one step.
//!         let mut records = self.records.lock().unwrap();
//!         let is_there = records.get(key).map(SessionRecord::version) == replacing;
//!         if is_there {
//!             records.insert(key.clone(), record.clone());
//!         }
//!         Ok(Saved::from(is_there))
//!     }
//!
//!     async fn lock(&self, family: &FamilyKey, patience: Duration) -> Result<SessionLock, StoreError> {
//!         let lock = self.locks.lock().unwrap().entry(family.clone()).or_default().clone();
//!         let held = tokio::time::timeout(patience, lock.lock_owned()).await;
//!         // It is free once this is dropped, and so at once when its holder panics.
//!         held.map(SessionLock::guard)
//!             .map_err(|_| StoreError::new(StoreErrorKind::Locked, "another task held the lock"))
//!     }
//!
//!     async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
//!         let mut records = self.records.lock().unwrap();
//!         if records.get(key).map(SessionRecord::version) == Some(version) {
//!             records.remove(key);
//!         }
//!         Ok(())
//!     }
//!
//!     async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
//!         let records: Vec<_> = self.records.lock().unwrap().values().cloned().collect();
//!         records.into_iter().for_each(visit);
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! // A test of your own: each call makes another handle to the same store.
//! let shelf = Shelf::default();
//! assert_store(move || shelf.clone()).await;
//! # }
//! ```
//!
//! What it says of a store that compares first and replaces later:
//!
//! ```text
//! the store breaks 1 of its rules:
//! - Of several saves at one time that replace the same version, exactly one is saved.
//!   but 8 of 8 were `Saved`
//! ```
//!
//! The repository has a store in Redis, in less than a hundred lines, in
//! `interop/tests/it/redis/store.rs`: with a script that compares, and leases.
//!
//! # Announcements
//!
//! A store that can tell others what has changed (`PUBLISH`, `LISTEN`, a change stream) makes a
//! [`StoreChanges`](crate::StoreChanges) for each call of [`changes`](crate::SessionStore::changes): then
//! a sign-out is noticed by other processes within moments, and not by their next request beyond the
//! cache. Where announcements may have been lost, with a connection for example, it says
//! [`Unknown`](crate::StoreChange::Unknown). Nothing depends on one that arrives.
//!
//! # Errors
//!
//! A [`StoreError`](crate::StoreError) has a kind, a sentence, and what to do. Neither these nor their
//! causes may hold any part of a record. Where a save may or may not have happened, it is an error:
//! the client loads again, and finds its own version if it has.
