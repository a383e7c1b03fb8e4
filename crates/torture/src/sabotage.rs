//! Stores that break a rule on purpose: whoever uses them must fail the test.

mod other_request;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use intelliauth::{
    FamilyKey, FileStore, Saved, SessionKey, SessionLock, SessionRecord, SessionStore, StoreError,
    StoreErrorKind, Version,
};

pub(crate) use self::other_request::OtherRequest;

/// Shares the files, and waits for nobody.
#[derive(Clone, Debug)]
pub(crate) struct Unlocked(pub(crate) FileStore);

impl SessionStore for Unlocked {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.0.load(key).await
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        self.0.save(key, record, replacing).await
    }

    async fn lock(
        &self,
        _family: &FamilyKey,
        _patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        Ok(SessionLock::guard(()))
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        self.0.set_aside(key, version).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        self.0.list(visit).await
    }
}

/// Writes over what is there, and takes its time in the middle.
#[derive(Clone, Debug)]
pub(crate) struct TornWrites {
    pub(crate) files: FileStore,
    pub(crate) directory: PathBuf,
}

impl SessionStore for TornWrites {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.files.load(key).await
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        _replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        let path = self.directory.join(format!("{}.json", key.digest()));
        let (first, second) = record.as_bytes().split_at(record.as_bytes().len() / 2);
        let opened = OpenOptions::new().write(true).truncate(true).open(path);
        let mut file = opened.map_err(failed)?;
        file.write_all(first).map_err(failed)?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        file.write_all(second).map_err(failed)?;
        Ok(Saved::Saved)
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        self.files.lock(family, patience).await
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        self.files.set_aside(key, version).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        self.files.list(visit).await
    }
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Io, "writing failed").caused_by(error)
}
