//! One holder at a time, among all tasks and processes: a lock of the system, asked for again and again.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use tokio::time::{sleep, timeout};

use super::{RecordFiles, directory::Directory, failed, off_the_async_threads, owner};
use crate::{
    error::{StoreError, StoreErrorKind},
    store::HeldLock,
    time::{Clock, SystemClock},
};

/// How long to wait between two tries, in milliseconds, drawn anew each time.
///
/// Shorter keeps 40 waiting processes busy with trying; longer is noticed by the person who waits.
const PAUSE: std::ops::RangeInclusive<u64> = 5..=50;

/// As [`PAUSE`], between two tries to replace a record: its lock is held for the time of a rename.
const WRITE_PAUSE: std::ops::RangeInclusive<u64> = 1..=10;

/// How long a write waits for others of the same session.
///
/// Longer than any write takes whose process is not stopped in the middle, and shorter than the time
/// that a client gives a store's answer (5 s), so that the error names the file.
const WRITE_PATIENCE: Duration = Duration::from_secs(4);

/// For how long a failed try says that another one waits: longer than the longest pause.
const WISH: Duration = Duration::from_millis(100);

/// A lock that is held. It is free again when this is dropped, and when the process ends.
pub(super) struct Locked {
    file: File,
    path: PathBuf,
}

impl HeldLock for Locked {
    /// The system takes it from no holder; but a person may have deleted the file.
    async fn is_held(&self) -> bool {
        let (Ok(file), path) = (self.file.try_clone(), self.path.clone()) else {
            return false;
        };
        let looked = off_the_async_threads(move || Ok(is_still_at(&path, &file))).await;
        looked.unwrap_or(false)
    }

    async fn release(self) {
        // Where files are far away this asks another machine. Without a runtime it is dropped here.
        let _ = off_the_async_threads(move || {
            drop(self);
            Ok(())
        })
        .await;
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing the file alone would not free it while a child that is being started has it too.
        let _ = self.file.unlock();
    }
}

/// Takes the lock, trying again for as long as `patience` lasts.
pub(super) async fn acquire(files: &RecordFiles, patience: Duration) -> Result<Locked, StoreError> {
    let (path, may_wait) = (files.lock(), !patience.is_zero());
    // Those that wait already go first. Without that, a process that locks again as soon as it has
    // unlocked would keep all others out: their tries hardly ever fall into the moment between.
    if let Some(locked) = attempt(files, may_wait).await? {
        return Ok(locked);
    }
    if !may_wait {
        return Err(in_use(&path, patience));
    }
    let tries = async {
        loop {
            sleep(Duration::from_millis(fastrand::u64(PAUSE))).await;
            if let Some(locked) = attempt(files, false).await? {
                return Ok(locked);
            }
        }
    };
    let outcome = timeout(patience, tries).await;
    outcome.unwrap_or_else(|_elapsed| Err(in_use(&path, patience)))
}

/// The right to replace a session's record, for a moment. It blocks the thread.
pub(super) fn for_writing(files: &RecordFiles) -> Result<Locked, StoreError> {
    for_writing_within(files, WRITE_PATIENCE)
}

fn for_writing_within(files: &RecordFiles, patience: Duration) -> Result<Locked, StoreError> {
    let (path, clock) = (files.write_lock(), SystemClock::new());
    let began = clock.now();
    loop {
        if let Some(locked) = try_once(&files.directory, &path, false)? {
            return Ok(locked);
        }
        if clock.now().since(began) >= patience {
            return Err(in_use(&path, patience));
        }
        thread::sleep(Duration::from_millis(fastrand::u64(WRITE_PAUSE)));
    }
}

/// One try; nothing if another holder has it.
///
/// It never waits inside of the system: that would keep a thread, and a runtime from shutting down.
async fn attempt(files: &RecordFiles, after_others: bool) -> Result<Option<Locked>, StoreError> {
    let files = files.clone();
    off_the_async_threads(move || try_once(&files.directory, &files.lock(), after_others)).await
}

fn try_once(
    directory: &Directory,
    path: &Path,
    after_others: bool,
) -> Result<Option<Locked>, StoreError> {
    directory.prepare()?;
    let file = open(path)?;
    if after_others && is_wished_for(&file) {
        return Ok(None);
    }
    match file.try_lock() {
        Ok(()) => {
            let path = path.to_owned();
            let locked = Locked { file, path };
            let is_the_one = is_still_at(&locked.path, &locked.file);
            Ok(is_the_one.then_some(locked))
        }
        Err(TryLockError::WouldBlock) => {
            wish_for(&file);
            Ok(None)
        }
        Err(TryLockError::Error(error)) => Err(failed("locking", path, error)),
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    loop {
        let error = match owner::open(&mut options, path)? {
            Ok(file) => return Ok(file),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::NotFound {
            return Err(failed("opening the lock", path, error));
        }
        let made = owner::open(options.clone().create_new(true), path)?;
        match made {
            Ok(file) => {
                // A new file looks as if it had just been wished for.
                let _ = file.set_modified(SystemTime::UNIX_EPOCH);
                return Ok(file);
            }
            // Another process made it in between.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("making the lock", path, error)),
        }
    }
}

/// Whether another one tried in vain a moment ago. The time of the lock file says so.
fn is_wished_for(file: &File) -> bool {
    wish_age(file).is_some_and(|age| age < WISH)
}

/// Leaves word that this one waits. It is a courtesy: if it fails, only fairness suffers.
fn wish_for(file: &File) {
    let is_fresh = wish_age(file).is_some_and(|age| age < WISH / 4);
    if !is_fresh {
        let _ = file.set_modified(SystemClock::new().now().wall());
    }
}

fn wish_age(file: &File) -> Option<Duration> {
    let wished = file.metadata().ok()?.modified().ok()?;
    let now = SystemClock::new().now().wall();
    now.duration_since(wished).ok()
}

/// Whether the path still leads to this file. A person may have deleted it, though none should.
#[cfg(unix)]
fn is_still_at(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;

    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let here = file.metadata().map(identity);
    let there = fs::symlink_metadata(path).map(identity);
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

/// A file that is open cannot be deleted there.
#[cfg(not(unix))]
fn is_still_at(path: &Path, _file: &File) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn in_use(path: &Path, patience: Duration) -> StoreError {
    let what = if patience.is_zero() {
        format!("`{}` is held by another process or task", path.display())
    } else {
        format!(
            "`{}` was held by another process or task for {patience:?}",
            path.display()
        )
    };
    let next_move = format!(
        "repeat the call; if it stays so, end the program that holds `{}`, and leave the file: \
         deleting it frees nothing",
        path.display()
    );
    StoreError::new(StoreErrorKind::Locked, what).with_next_move(next_move)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SessionKey;

    fn files(directory: &Path) -> RecordFiles {
        RecordFiles {
            directory: Directory::new(directory.join("sessions")),
            digest: SessionKey::new("https://issuer.example", "app", "alice").digest(),
        }
    }

    fn attempt(files: &RecordFiles, after_others: bool) -> Option<Locked> {
        try_once(&files.directory, &files.lock(), after_others).unwrap()
    }

    #[test]
    fn newcomers_let_those_go_first_that_wait() {
        let above = tempfile::tempdir().unwrap();
        let files = files(above.path());
        let held = attempt(&files, true).expect("none waits");
        assert!(attempt(&files, false).is_none());
        drop(held);
        assert!(
            attempt(&files, true).is_none(),
            "one waits: a newcomer comes later"
        );
        assert!(attempt(&files, false).is_some());

        let file = open(&files.lock()).unwrap();
        let past = SystemClock::new().now().wall() - 2 * WISH;
        file.set_modified(past).unwrap();
        assert!(attempt(&files, true).is_some(), "none waits any more");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_lock_whose_file_was_deleted_is_none() {
        let above = tempfile::tempdir().unwrap();
        let files = files(above.path());
        let held = attempt(&files, true).expect("it is free");
        assert!(held.is_held().await);
        fs::remove_file(files.lock()).unwrap();
        assert!(!held.is_held().await);
    }

    #[test]
    fn a_write_that_cannot_begin_says_which_file_is_held() {
        let above = tempfile::tempdir().unwrap();
        let files = files(above.path());
        let held = for_writing(&files).unwrap();
        let Err(error) = for_writing_within(&files, Duration::from_millis(1)) else {
            panic!("it is held");
        };
        assert_eq!(error.kind(), StoreErrorKind::Locked);
        let file = format!("{}.write.lock", files.digest);
        assert!(error.to_string().contains(&file), "{error}");
        assert!(error.next_move().contains(&file));
        drop(held);
        drop(for_writing(&files).unwrap());
    }
}
