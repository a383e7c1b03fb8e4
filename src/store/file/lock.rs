//! One holder at a time, among all tasks and processes: a lock of the system, asked for again and again.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use tokio::time::{sleep, timeout};

use super::{Place, directory, failed, off_the_async_threads, owner};
use crate::{
    error::{StoreError, StoreErrorKind},
    store::require_timer,
    time::{Clock, SystemClock},
};

/// How long to wait between two tries, in milliseconds, drawn anew each time.
///
/// Shorter keeps 40 waiting processes busy with trying; longer is noticed by the person who waits.
const PAUSE: std::ops::RangeInclusive<u64> = 5..=50;

/// For how long a failed try says that somebody is waiting: longer than the longest pause.
const WISH: Duration = Duration::from_millis(100);

/// A lock that is held. It is free again when this is dropped, and when the process ends.
pub(super) struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing the file alone would not free it while a child that is being started has it too.
        let _ = self.0.unlock();
    }
}

/// The locks that this store holds, so that a write can hold on to the one it was made under.
#[derive(Default)]
pub(super) struct Held(Mutex<HashMap<String, Weak<Locked>>>);

impl Held {
    pub(super) fn remember(&self, place: &Place, locked: Locked) -> Arc<Locked> {
        let locked = Arc::new(locked);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, locked| locked.strong_count() > 0);
        held.insert(place.digest.clone(), Arc::downgrade(&locked));
        locked
    }

    pub(super) fn of(&self, place: &Place) -> Option<Arc<Locked>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&place.digest)?.upgrade()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// Takes the lock, trying again for as long as `patience` lasts.
pub(super) async fn acquire(place: &Place, patience: Duration) -> Result<Locked, StoreError> {
    let may_wait = !patience.is_zero();
    // Those who wait already go first. Without that, a process that locks again as soon as it has
    // unlocked would keep all others out: their tries hardly ever fall into the moment between.
    if let Some(locked) = attempt(place, may_wait).await? {
        return Ok(locked);
    }
    if !may_wait {
        return Err(in_use(place, patience));
    }
    require_timer()?;
    let tries = async {
        loop {
            sleep(Duration::from_millis(fastrand::u64(PAUSE))).await;
            if let Some(locked) = attempt(place, false).await? {
                return Ok(locked);
            }
        }
    };
    let outcome = timeout(patience, tries).await;
    outcome.unwrap_or_else(|_elapsed| Err(in_use(place, patience)))
}

/// One try; nothing if somebody else has it.
///
/// It never waits inside of the system: that would keep a thread, and a runtime from shutting down.
async fn attempt(place: &Place, after_others: bool) -> Result<Option<Locked>, StoreError> {
    let place = place.clone();
    off_the_async_threads(move || try_once(&place, after_others)).await
}

fn try_once(place: &Place, after_others: bool) -> Result<Option<Locked>, StoreError> {
    directory::prepare(&place.directory)?;
    let path = place.lock();
    let file = open(&path)?;
    if after_others && is_wished_for(&file) {
        return Ok(None);
    }
    match file.try_lock() {
        Ok(()) => {
            let locked = Locked(file);
            let is_the_one = is_still_at(&path, &locked.0);
            Ok(is_the_one.then_some(locked))
        }
        Err(TryLockError::WouldBlock) => {
            wish_for(&file);
            Ok(None)
        }
        Err(TryLockError::Error(error)) => Err(failed("locking", &path, error)),
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
                // A new file looks as if somebody had just wished for it.
                let _ = file.set_modified(SystemTime::UNIX_EPOCH);
                return Ok(file);
            }
            // Another process made it in between.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("making the lock", path, error)),
        }
    }
}

/// Whether somebody else tried in vain a moment ago. The time of the lock file says so.
fn is_wished_for(file: &File) -> bool {
    wish_age(file).is_some_and(|age| age < WISH)
}

/// Leaves word that somebody waits. It is a courtesy: if it fails, only fairness suffers.
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

/// Whether the path still leads to this file. Somebody may have deleted it, though nobody should.
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

fn in_use(place: &Place, patience: Duration) -> StoreError {
    let path = place.lock();
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

    fn place(directory: &Path) -> Place {
        Place {
            directory: directory.join("sessions"),
            digest: SessionKey::new("https://issuer.example", "app", "alice").digest(),
        }
    }

    #[test]
    fn newcomers_let_those_go_first_who_wait() {
        let above = tempfile::tempdir().unwrap();
        let place = place(above.path());
        let held = try_once(&place, true).unwrap().expect("nobody waits");
        assert!(try_once(&place, false).unwrap().is_none());
        drop(held);
        assert!(
            try_once(&place, true).unwrap().is_none(),
            "somebody waits: a newcomer comes later"
        );
        assert!(try_once(&place, false).unwrap().is_some());

        let file = open(&place.lock()).unwrap();
        let past = SystemClock::new().now().wall() - 2 * WISH;
        file.set_modified(past).unwrap();
        assert!(
            try_once(&place, true).unwrap().is_some(),
            "nobody waits any more"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_whose_file_was_deleted_is_none() {
        let above = tempfile::tempdir().unwrap();
        let place = place(above.path());
        let held = try_once(&place, true).unwrap().expect("nobody has it");
        let path = place.lock();
        fs::remove_file(&path).unwrap();
        assert!(!is_still_at(&path, &held.0));
    }

    #[test]
    fn locks_that_nobody_holds_are_forgotten() {
        let above = tempfile::tempdir().unwrap();
        let held = Held::default();
        for number in 0..10 {
            let place = Place {
                directory: above.path().join("sessions"),
                digest: format!("{number:064}"),
            };
            let locked = try_once(&place, true).unwrap().expect("nobody has it");
            drop(held.remember(&place, locked));
            assert!(held.of(&place).is_none());
        }
        assert_eq!(held.0.lock().unwrap().len(), 1);
    }
}
