//! Sessions in files, for programs that are started again.

mod aside;
mod directory;
mod lock;
mod owner;
mod record;
mod sweep;

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use directory::Directory;

use super::{
    FamilyKey, Saved, SessionKey, SessionLock, SessionRecord, SessionStore, Version, runtime,
};
use crate::error::{StoreError, StoreErrorKind};

/// Sessions in files: one for each, which only this user can read.
///
/// Any number of processes may share the directory. A session is the file `<digest>.json`; beside it
/// stand lock files, which are never deleted: `<digest>.write.lock` for the moment in which the record
/// is replaced, and `<digest>.lock` for each family whose refresh token was redeemed. The names say
/// [nothing](SessionKey::digest) about whose it is.
///
/// - **Written whole or not at all.** A record is written aside, flushed to the disk and renamed, and
///   the directory is flushed too. A crash, `kill -9` or a full disk leaves the old record.
/// - **Compared and replaced in one step**, under the write lock, which is held for as long as a rename
///   takes. Only a process that is stopped right there keeps others from writing that one session;
///   they give up after 4 s.
/// - **Locked by the system.** A lock ends with its holder, however that ends. Those that wait try
///   again every 5 to 50 ms; nothing blocks a thread.
/// - **Only ours.** The directory is made with mode 0700 and files with 0600. A symbolic link, another
///   owner, or rights for other users are refused, and the error says what to run.
/// - **The directory that was there, and no other.** Where it is missing, or another one stands in its
///   place (a share that is not mounted at the moment), each use is [`Io`](StoreErrorKind::Io) until it is
///   back: no session counts as gone, and none is written where it would be lost. If it was removed on
///   purpose, start the program again.
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
/// use intelliauth::{FileStore, Saved, SessionKey, SessionRecord, SessionStore};
///
/// let key = SessionKey::new("https://banking-cymmetri.intelliauth.local", "app_01HZX0DESKTOP", "alice");
/// let record = SessionRecord::from_bytes(*b"opaque");
/// let saved = FileStore::in_directory(&directory).save(&key, &record, None).await?;
/// assert_eq!(saved, Saved::Saved);
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
    directory: OnceLock<Directory>,
    /// Whether what other processes left behind when they died was looked for.
    is_swept: AtomicBool,
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
    /// It is made at the first use that writes, with mode 0700; one that exists must have that mode. A relative
    /// path starts at what is the current directory now.
    pub fn in_directory(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        // Fails for an empty path, or without a current directory: its first use then says so.
        let directory = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let shared = Shared {
            directory: OnceLock::from(Directory::new(directory)),
            ..Shared::default()
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn directory(&self) -> Result<Directory, StoreError> {
        if let Some(directory) = self.shared.directory.get() {
            return Ok(directory.clone());
        }
        let found = directory::of_this_user()?;
        let directory = self.shared.directory.get_or_init(|| Directory::new(found));
        Ok(directory.clone())
    }

    fn files(&self, digest: String) -> Result<RecordFiles, StoreError> {
        let directory = self.directory()?;
        Ok(RecordFiles { directory, digest })
    }
}

impl SessionStore for FileStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let files = self.files(key.digest())?;
        off_the_async_threads(move || record::read(&files)).await
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        record.ensure_fits(self.record_limit())?;
        let files = self.files(key.digest())?;
        let (record, shared) = (record.clone(), Arc::clone(&self.shared));
        // One piece of blocking work: what was begun is finished before the runtime ends.
        off_the_async_threads(move || {
            let saved = record::save(&files, record.as_bytes(), replacing)?;
            if !shared.is_swept.swap(true, Ordering::Relaxed) {
                sweep::sweep(files.directory.path());
            }
            Ok(saved)
        })
        .await
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        let files = self.files(family.digest())?;
        lock::acquire(&files, patience).await.map(SessionLock::new)
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        let files = self.files(key.digest())?;
        off_the_async_threads(move || aside::set_aside(&files, version)).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        let directory = self.directory()?;
        let all_files = off_the_async_threads(move || record::all_files(&directory)).await?;
        // A part at a time: all records of a large directory need not be in memory together.
        for some in all_files.chunks(LISTED_TOGETHER) {
            let some = some.to_vec();
            let records = off_the_async_threads(move || Ok(record::read_all(&some))).await?;
            records.into_iter().for_each(&mut *visit);
        }
        Ok(())
    }
}

/// How many records are read together when all are listed: a few megabytes at most in practice.
const LISTED_TOGETHER: usize = 64;

/// Where one session is.
#[derive(Clone, Debug)]
struct RecordFiles {
    directory: Directory,
    digest: String,
}

impl RecordFiles {
    fn record(&self) -> PathBuf {
        self.directory.path().join(format!("{}.json", self.digest))
    }

    /// Of the family whose digest this is.
    fn lock(&self) -> PathBuf {
        self.directory.path().join(format!("{}.lock", self.digest))
    }

    fn write_lock(&self) -> PathBuf {
        self.directory
            .path()
            .join(format!("{}.write.lock", self.digest))
    }
}

/// Whether it is the digest of a session.
fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Runs `work` where it may block. It is finished even if its caller gives up.
async fn off_the_async_threads<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let runtime = runtime::current()?;
    let outcome = runtime.spawn_blocking(work).await;
    outcome.unwrap_or_else(|error| {
        let what = "the runtime ended before the session's file was read or written";
        Err(StoreError::new(StoreErrorKind::Other, what).caused_by(error))
    })
}

/// The error of a system call, told with what was done to which file.
fn failed(doing: &str, path: &Path, error: io::Error) -> StoreError {
    let kind = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        ErrorKind::FileTooLarge => StoreErrorKind::TooLarge,
        _ => StoreErrorKind::Io,
    };
    let error_at = StoreError::new(kind, format!("{doing} `{}` failed", path.display()));
    error_at.caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_runtime_files_are_an_error_and_not_a_panic() {
        let files = tempfile::tempdir().unwrap();
        let store = FileStore::in_directory(files.path());
        let key = SessionKey::new("https://issuer.example", "app", "alice");
        let mut load = Box::pin(store.load(&key));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let outcome = load.as_mut().poll(&mut cx);
        assert!(
            matches!(&outcome, std::task::Poll::Ready(Err(error)) if error.kind() == StoreErrorKind::Other)
        );
    }

    #[test]
    fn what_the_system_says_is_told_apart() {
        let of = |kind: ErrorKind| failed("writing", Path::new("/x"), kind.into());
        for (kind, expected) in [
            (ErrorKind::StorageFull, StoreErrorKind::Full),
            (ErrorKind::QuotaExceeded, StoreErrorKind::Full),
            (ErrorKind::FileTooLarge, StoreErrorKind::TooLarge),
            (ErrorKind::PermissionDenied, StoreErrorKind::Io),
        ] {
            assert_eq!(of(kind).kind(), expected);
            assert_eq!(of(kind).to_string(), "writing `/x` failed");
        }
    }
}
