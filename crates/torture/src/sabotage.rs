//! Stores that break a rule on purpose: whoever uses them must fail the test.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use intelliauth::{
    FileStore, SessionKey, SessionLock, SessionRecord, SessionStore, StoreError, StoreErrorKind,
};

/// Shares the files, and waits for nobody.
#[derive(Clone, Debug)]
pub(crate) struct Unlocked(pub(crate) FileStore);

impl SessionStore for Unlocked {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.0.load(key).await
    }

    async fn save(&self, key: &SessionKey, record: &SessionRecord) -> Result<(), StoreError> {
        self.0.save(key, record).await
    }

    async fn lock(
        &self,
        _key: &SessionKey,
        _patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        Ok(SessionLock::new(()))
    }

    async fn set_aside(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.0.set_aside(key).await
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

    async fn save(&self, key: &SessionKey, record: &SessionRecord) -> Result<(), StoreError> {
        let path = self.directory.join(format!("{}.json", key.digest()));
        let (first, second) = record.as_bytes().split_at(record.as_bytes().len() / 2);
        let opened = OpenOptions::new().write(true).truncate(true).open(path);
        let mut file = opened.map_err(failed)?;
        file.write_all(first).map_err(failed)?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        file.write_all(second).map_err(failed)
    }

    async fn lock(&self, key: &SessionKey, patience: Duration) -> Result<SessionLock, StoreError> {
        self.files.lock(key, patience).await
    }

    async fn set_aside(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.files.set_aside(key).await
    }
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Io, "writing failed").caused_by(error)
}
