//! Sessions in files, for programs that are started again.

mod directory;
mod lock;
mod owner;
mod record;

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::runtime::Handle;

use self::lock::Held;
use super::{SessionKey, SessionLock, SessionRecord, SessionStore};
use crate::error::{StoreError, StoreErrorKind};

/// Sessions in files: one for each, which only this user can read.
///
/// Any number of processes may share the directory. A session is the file `<digest>.json` beside a
/// `<digest>.lock` that is never deleted; the names say [nothing](SessionKey::digest) about whose it
/// is. Clones share what they know; save through the store that gave the lock, or a clone of it, so
/// that the lock outlasts a write whose caller gave up.
///
/// - **Written whole or not at all.** A record is written aside, flushed to the disk and renamed, and
///   the directory is flushed too. A crash, `kill -9` or a full disk leaves the old record.
/// - **Locked by the system.** The lock ends with its holder, however that ends. Those who wait try
///   again every 5 to 50 ms; nothing blocks a thread.
/// - **Only ours.** The directory is made with mode 0700 and files with 0600. A symbolic link, another
///   owner, or rights for anybody else are refused, and the error says what to run.
///
/// A record is not encrypted: who can read the user's files, or a backup of them, can read it. On
/// Windows the files are as private as the user's profile, and this is untested there. A directory
/// on a network file system works if its locks do; one that is synchronised between machines does not.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let place = tempfile::tempdir()?;
/// # let directory = place.path().join("sessions");
/// use intelliauth::{FileStore, SessionKey, SessionRecord, SessionStore};
///
/// let key = SessionKey::new("https://banking-cymmetri.intelliauth.local", "app_01HZX0DESKTOP", "alice");
/// FileStore::in_directory(&directory).save(&key, &SessionRecord::new(b"opaque".to_vec())).await?;
///
/// let after_a_restart = FileStore::in_directory(&directory);
/// assert!(after_a_restart.load(&key).await?.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FileStore {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Found out at the first use, unless it was named.
    directory: OnceLock<PathBuf>,
    /// What other processes left behind when they died was looked for.
    is_swept: AtomicBool,
    held: Held,
}

impl FileStore {
    /// Sessions in the place that the system has for such files.
    ///
    /// That is `intelliauth/sessions` in `$XDG_STATE_HOME` (by default `~/.local/state`) on Linux and
    /// other Unixes, in `~/Library/Application Support` on macOS, and in `%LOCALAPPDATA%` on Windows,
    /// which does not travel to other machines. It is looked up at the first use; without a home
    /// directory each use is an error.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sessions in a directory of your own.
    ///
    /// It is made at the first use, with mode 0700; one that exists must have that mode. A relative
    /// path starts at what is the current directory now.
    pub fn in_directory(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        // Fails for an empty path, or without a current directory: its first use then says so.
        let directory = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let shared = Shared {
            directory: OnceLock::from(directory),
            ..Shared::default()
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn place(&self, key: &SessionKey) -> Result<Place, StoreError> {
        let directory = if let Some(directory) = self.shared.directory.get() {
            directory
        } else {
            let found = directory::of_this_user()?;
            self.shared.directory.get_or_init(|| found)
        };
        Ok(Place {
            directory: directory.clone(),
            digest: key.digest(),
        })
    }
}

impl SessionStore for FileStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let place = self.place(key)?;
        off_the_async_threads(move || record::read(&place)).await
    }

    async fn save(&self, key: &SessionKey, record: &SessionRecord) -> Result<(), StoreError> {
        let place = self.place(key)?;
        let record = record.clone();
        let shared = Arc::clone(&self.shared);
        // Whoever awaits this may give up. The write goes on, and so does the lock it was made under:
        // else it could replace what the next holder wrote.
        let lock = shared.held.of(&place);
        off_the_async_threads(move || {
            let _until_written = lock;
            record::replace(&place, record.as_bytes())?;
            if !shared.is_swept.swap(true, Ordering::Relaxed) {
                record::sweep(&place.directory);
            }
            Ok(())
        })
        .await
    }

    async fn lock(&self, key: &SessionKey, patience: Duration) -> Result<SessionLock, StoreError> {
        let place = self.place(key)?;
        let locked = lock::acquire(&place, patience).await?;
        Ok(SessionLock::new(self.shared.held.remember(&place, locked)))
    }

    async fn set_aside(&self, key: &SessionKey) -> Result<(), StoreError> {
        let place = self.place(key)?;
        let lock = self.shared.held.of(&place);
        off_the_async_threads(move || {
            let _until_moved = lock;
            record::set_aside(&place)
        })
        .await
    }
}

/// Where one session is.
#[derive(Clone, Debug)]
struct Place {
    directory: PathBuf,
    digest: String,
}

impl Place {
    fn record(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.digest))
    }

    fn lock(&self) -> PathBuf {
        self.directory.join(format!("{}.lock", self.digest))
    }
}

/// Runs `work` where it may block. It is finished even if nobody waits for it any more.
async fn off_the_async_threads<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let runtime = Handle::try_current().map_err(|error| {
        StoreError::new(
            StoreErrorKind::Other,
            "there is no tokio runtime to read and write files in",
        )
        .with_next_move("call this inside of a tokio runtime")
        .caused_by(error)
    })?;
    let outcome = runtime.spawn_blocking(work).await;
    outcome.unwrap_or_else(|error| {
        let what = "the runtime ended before the session's file was read or written";
        Err(StoreError::new(StoreErrorKind::Other, what).caused_by(error))
    })
}

/// The error of a system call, told with what was done to which file.
fn failed(doing: &str, path: &Path, error: io::Error) -> StoreError {
    let is_full = matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    );
    let kind = if is_full {
        StoreErrorKind::Full
    } else {
        StoreErrorKind::Io
    };
    let error_at = StoreError::new(kind, format!("{doing} `{}` failed", path.display()));
    error_at.caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_runtime_files_are_an_error_and_not_a_panic() {
        let place = tempfile::tempdir().unwrap();
        let store = FileStore::in_directory(place.path());
        let key = SessionKey::new("https://issuer.example", "app", "alice");
        let mut load = Box::pin(store.load(&key));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let outcome = load.as_mut().poll(&mut cx);
        assert!(
            matches!(&outcome, std::task::Poll::Ready(Err(error)) if error.kind() == StoreErrorKind::Other)
        );
    }

    #[test]
    fn a_disk_or_a_quota_or_a_file_that_is_full_is_full() {
        for kind in [
            ErrorKind::StorageFull,
            ErrorKind::QuotaExceeded,
            ErrorKind::FileTooLarge,
        ] {
            let error = failed("writing", Path::new("/somewhere"), kind.into());
            assert_eq!(error.kind(), StoreErrorKind::Full);
        }
        let other = failed(
            "writing",
            Path::new("/x"),
            ErrorKind::PermissionDenied.into(),
        );
        assert_eq!(other.kind(), StoreErrorKind::Io);
        assert_eq!(other.to_string(), "writing `/x` failed");
    }
}
