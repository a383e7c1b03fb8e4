//! Where sessions are kept: what holds for every store, and what holds for files.

mod broken;
#[cfg(all(feature = "file-store", unix))]
mod exposed;
#[cfg(feature = "file-store")]
mod files;
#[cfg(all(feature = "file-store", unix))]
mod processes;

#[cfg(feature = "file-store")]
use std::time::Duration;

use intelliauth::{
    Error, FamilyKey, MemoryStore, Saved, SessionKey, SessionRecord, SessionStore, StoreError,
    StoreErrorKind, test_util::assert_store,
};

/// Long enough for any turn to come, and short enough to be told of one that does not.
#[cfg(feature = "file-store")]
const PATIENCE: Duration = Duration::from_secs(900);

fn alice() -> SessionKey {
    SessionKey::new("https://issuer.example", "app_test", "alice")
}

fn record(content: impl AsRef<[u8]>) -> SessionRecord {
    SessionRecord::from_bytes(content.as_ref())
}

fn family() -> FamilyKey {
    FamilyKey::new(alice(), None)
}

/// Sets aside whatever is kept for Alice.
async fn set_aside(store: &impl SessionStore) {
    if let Some(there) = store.load(&alice()).await.unwrap() {
        store.set_aside(&alice(), there.version()).await.unwrap();
    }
}

/// Replaces whatever is kept for Alice.
async fn put(store: &impl SessionStore, record: &SessionRecord) -> Result<(), StoreError> {
    loop {
        let there = store.load(&alice()).await?;
        let there = there.map(|there| there.version());
        if store.save(&alice(), record, there).await? == Saved::Saved {
            return Ok(());
        }
    }
}

/// What is kept for Alice.
async fn kept(store: &impl SessionStore) -> Option<Vec<u8>> {
    let found = store.load(&alice()).await.unwrap();
    found.map(|record| record.as_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_a_store() {
    let store = MemoryStore::new();
    assert_store(move || store.clone()).await;
}

#[test]
fn a_failing_store_is_a_next_move_of_its_own() {
    let locked = Error::from(StoreError::new(StoreErrorKind::Locked, "it is held"));
    assert_eq!(locked.kind(), "store");
    assert!(locked.is_retryable());
    assert!(locked.answer().is_none());
    for kind in [
        StoreErrorKind::Insecure,
        StoreErrorKind::Unreadable,
        StoreErrorKind::Full,
        StoreErrorKind::TooLarge,
        StoreErrorKind::Io,
        StoreErrorKind::Other,
    ] {
        let error = Error::from(StoreError::new(kind, "it failed"));
        assert!(!error.is_retryable(), "{kind:?}");
        assert!(!error.next_move().is_empty());
        assert_eq!(error.to_string(), "it failed");
    }
}

#[test]
fn the_cause_of_a_failing_store_is_its_source() {
    use std::error::Error as _;

    let cause = std::io::Error::other("the disk is on fire");
    let error = StoreError::new(StoreErrorKind::Io, "reading failed").caused_by(cause);
    let told = Error::from(error.clone());
    assert_eq!(told.source().unwrap().to_string(), "the disk is on fire");
    assert_eq!(error.to_string(), "reading failed");
    assert!(size_of::<StoreError>() <= size_of::<usize>());
}
