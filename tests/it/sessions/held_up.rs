//! A store in every kind of trouble, and people at the emulator.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use intelliauth::{
    AccessToken, AuthorizationCode, Client, Error, FamilyKey, MemoryStore, People, Saved, Session,
    SessionKey, SessionLock, SessionRecord, SessionStore, StoreError, StoreErrorKind, TokenRequest,
    Version,
};
use intelliauth_emulator::{Config, Emulator, sample};
use tokio::sync::Semaphore;

/// A store that can be told to be slow, away, full or empty.
#[derive(Clone, Debug)]
pub(super) struct HeldUp {
    pub(super) store: MemoryStore,
    fails: Arc<AtomicBool>,
    /// Nothing can be written.
    is_full: Arc<AtomicBool>,
    /// It has a bug, and panics when something is to be written.
    panics: Arc<AtomicBool>,
    /// Somebody else holds the lock, and nothing can be written.
    is_busy: Arc<AtomicBool>,
    /// Everything is written, and said not to be: the directory could not be flushed.
    denies: Arc<AtomicBool>,
    /// As a share looks that is not mounted.
    pub(super) is_empty: Arc<AtomicBool>,
    /// How many readers come before the one that waits; none of them does while this is huge.
    before: Arc<AtomicUsize>,
    arrived: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

impl HeldUp {
    pub(super) fn new(store: MemoryStore) -> Self {
        Self {
            store,
            fails: Arc::default(),
            is_full: Arc::default(),
            panics: Arc::default(),
            is_busy: Arc::default(),
            denies: Arc::default(),
            is_empty: Arc::default(),
            before: Arc::new(AtomicUsize::new(usize::MAX)),
            arrived: Arc::new(Semaphore::new(0)),
            go_on: Arc::new(Semaphore::new(0)),
        }
    }

    pub(super) fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::SeqCst);
    }

    pub(super) fn set_panicking(&self, panics: bool) {
        self.panics.store(panics, Ordering::SeqCst);
    }

    pub(super) fn set_busy(&self, is_busy: bool) {
        self.is_busy.store(is_busy, Ordering::SeqCst);
    }

    pub(super) fn set_denying(&self, denies: bool) {
        self.denies.store(denies, Ordering::SeqCst);
    }

    pub(super) fn set_away(&self, is_away: bool) {
        self.fails.store(is_away, Ordering::SeqCst);
    }

    /// The reader after so many others waits, with what it has read.
    pub(super) fn hold_up_after(&self, others: usize) {
        self.before.store(others, Ordering::SeqCst);
    }

    /// Until it is there.
    pub(super) async fn arrived(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    pub(super) fn go_on(&self) {
        self.go_on.add_permits(1);
    }
}

impl SessionStore for HeldUp {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Io, "the share is away"));
        }
        if self.is_empty.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let record = self.store.load(key).await;
        if self.before.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.arrived.add_permits(1);
            self.go_on.acquire().await.unwrap().forget();
        }
        record
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        let panics = self.panics.load(Ordering::SeqCst);
        assert!(!panics, "this store has a bug, on purpose");
        if self.is_full.load(Ordering::SeqCst) || self.is_busy.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Full, "no space left"));
        }
        let saved = self.store.save(key, record, replacing).await?;
        if self.denies.load(Ordering::SeqCst) {
            let what = "fsync of the directory";
            return Err(StoreError::new(StoreErrorKind::Io, what));
        }
        Ok(saved)
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        if self.is_busy.load(Ordering::SeqCst) {
            let what = "somebody else has it";
            return Err(StoreError::new(StoreErrorKind::Locked, what));
        }
        self.store.lock(family, patience).await
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        self.store.set_aside(key, version).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Io, "the share is away"));
        }
        self.store.list(visit).await
    }
}

/// The emulator and its APIs: whoever signs in is known there.
pub(super) struct Tenant {
    pub(super) emulator: Arc<Emulator>,
}

impl Tenant {
    pub(super) async fn start() -> Self {
        let emulator = Emulator::start(Config::sample()).await.unwrap();
        Self {
            emulator: Arc::new(emulator),
        }
    }

    pub(super) fn session(&self, store: impl SessionStore) -> Session {
        self.people(store).default_session()
    }

    pub(super) fn people(&self, store: impl SessionStore) -> People {
        Client::for_person(self.emulator.issuer(), sample::NATIVE)
            .store(store)
            .build()
            .unwrap()
    }

    /// A browser that this person sits at, and how many pages it was sent to.
    pub(super) fn browser(&self, user: &'static str) -> (AuthorizationCode, Arc<AtomicUsize>) {
        let prompts = Arc::new(AtomicUsize::new(0));
        let (emulator, counted) = (Arc::clone(&self.emulator), Arc::clone(&prompts));
        let login = AuthorizationCode::loopback()
            .without_browser()
            .announce(move |url| {
                counted.fetch_add(1, Ordering::SeqCst);
                let (emulator, url) = (Arc::clone(&emulator), url.clone());
                tokio::spawn(async move {
                    let callback = emulator.login_as(user).approve(&url).await.unwrap();
                    // Whoever listened may have given up.
                    let _ = reqwest::get(callback).await;
                });
            });
        (login, prompts)
    }

    pub(super) async fn sign_in(
        &self,
        session: &Session,
        user: &'static str,
        requests: &[TokenRequest<'static>],
    ) {
        let (login, _) = self.browser(user);
        let login = requests.iter().fold(login, AuthorizationCode::request);
        match session.sign_in(login).await {
            Ok(_) => {}
            // The store did not take it, and the error says so.
            Err(Error::Store(unkept)) => assert!(unkept.account().is_some(), "{unkept}"),
            Err(error) => panic!("{error}"),
        }
    }
}

pub(super) fn banking() -> TokenRequest<'static> {
    TokenRequest::new(sample::BANKING).scope("read:transactions")
}

/// Whose token it is.
pub(super) fn subject(token: &AccessToken) -> Option<String> {
    let claims = token.danger_unverified_claims().unwrap();
    claims.subject().map(str::to_owned)
}

/// Bob may have this too.
pub(super) fn settings() -> TokenRequest<'static> {
    TokenRequest::new(sample::SETTINGS).scope("read:settings")
}

pub(super) fn health() -> TokenRequest<'static> {
    TokenRequest::new(sample::HEALTH).scope("read:records")
}
