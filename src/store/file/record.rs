//! Reading a record, and replacing it so that there is always a whole one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tempfile::Builder;
use zeroize::Zeroizing;

use super::{Place, directory, failed, owner};
use crate::{
    error::{StoreError, StoreErrorKind},
    store::SessionRecord,
    time::{Clock, SystemClock},
};

/// The largest record that is read: a session with hundreds of large tokens stays far below.
///
/// More is refused, so that a file that somebody else filled takes no memory.
const LARGEST: u64 = 1024 * 1024;

/// After this, what a write left behind is no write in progress any more.
///
/// A write takes milliseconds. One that was stopped for longer than this fails, and the old record
/// stays.
const ABANDONED: Duration = Duration::from_secs(10 * 60);

/// The record, if there is one.
pub(super) fn read(place: &Place) -> Result<Option<SessionRecord>, StoreError> {
    if !directory::find(&place.directory)? {
        return Ok(None);
    }
    let path = place.record();
    let file = match owner::open(OpenOptions::new().read(true), &path)? {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("opening the session's file", &path, error)),
    };
    let bytes =
        contents(file).map_err(|error| failed("reading the session's file", &path, error))?;
    let Some(bytes) = bytes else {
        let what = format!("`{}` is larger than any session", path.display());
        return Err(StoreError::new(StoreErrorKind::Unreadable, what));
    };
    Ok(Some(SessionRecord(bytes)))
}

/// All bytes of a file; nothing if there are too many.
fn contents(file: File) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let length = file.metadata()?.len();
    if length > LARGEST {
        return Ok(None);
    }
    // With room for all of them at once: a vector that grows leaves copies behind that nobody wipes.
    let room = usize::try_from(length).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    let is_too_large = bytes.len() as u64 > LARGEST;
    Ok((!is_too_large).then_some(bytes))
}

/// Replaces the record by these bytes, durably.
pub(super) fn replace(place: &Place, bytes: &[u8]) -> Result<(), StoreError> {
    replace_by(place, |file| file.write_all(bytes))
}

/// Replaces the record by what `write` writes; if that fails, nothing changes.
fn replace_by(
    place: &Place,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), StoreError> {
    directory::prepare(&place.directory)?;
    let path = place.record();
    if let Ok(metadata) = fs::symlink_metadata(&path) {
        owner::check_file(&path, &metadata)?;
    }
    let failed_here = |error| failed("writing the session's file", &path, error);
    // Mode 0600, and removed again when it is dropped before it has its name.
    let mut aside = Builder::new()
        .prefix(&format!(".{}.", place.digest))
        .suffix(ASIDE)
        .tempfile_in(&place.directory)
        .map_err(failed_here)?;
    write(aside.as_file_mut()).map_err(failed_here)?;
    aside.as_file().sync_all().map_err(failed_here)?;
    aside
        .persist(&path)
        .map_err(|error| failed_here(error.error))?;
    directory::flush(&place.directory).map_err(failed_here)
}

/// Renames the record so that it is in nobody's way, and loses none that was renamed before.
pub(super) fn set_aside(place: &Place) -> Result<(), StoreError> {
    let path = place.record();
    let is_there = directory::find(&place.directory)? && fs::symlink_metadata(&path).is_ok();
    if !is_there {
        return Ok(());
    }
    let failed_here = |error| failed("setting the session's file aside:", &path, error);
    let free = reserve(place).map_err(failed_here)?;
    if let Err(error) = fs::rename(&path, &free) {
        // Only the empty file that was made a moment ago.
        let _ = fs::remove_file(&free);
        let somebody_was_faster = error.kind() == ErrorKind::NotFound;
        return if somebody_was_faster {
            Ok(())
        } else {
            Err(failed_here(error))
        };
    }
    tracing::warn!(path = %free.display(), "a session that cannot be read was set aside");
    directory::flush(&place.directory).map_err(failed_here)
}

/// A name that nobody has, held by an empty file.
fn reserve(place: &Place) -> io::Result<PathBuf> {
    let seconds = now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let mut number = 1_u64;
    loop {
        let name = format!("{}.damaged-{seconds}-{number}.json", place.digest);
        let path = place.directory.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Removes what writes left behind whose process died. They hold tokens, so they should not stay.
pub(super) fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let is_aside = entry.file_name().to_str().is_some_and(is_name_aside);
        if is_aside && is_abandoned(&entry).unwrap_or(false) {
            // Another process may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_abandoned(entry: &fs::DirEntry) -> io::Result<bool> {
    // Of the entry itself: links are not followed.
    let metadata = entry.metadata()?;
    let age = now().duration_since(metadata.modified()?);
    Ok(metadata.is_file() && age.is_ok_and(|age| age > ABANDONED))
}

/// Whether it is a name of ours: a dot, a digest, a dot, something random, and the ending.
fn is_name_aside(name: &str) -> bool {
    let digest = name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(ASIDE))
        .and_then(|rest| rest.split_once('.'))
        .map(|(digest, _random)| digest);
    digest.is_some_and(|digest| {
        digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

fn now() -> SystemTime {
    SystemClock::new().now().wall()
}

/// How the name of a file ends that is being written.
const ASIDE: &str = ".tmp";

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::store::SessionKey;

    fn place() -> (TempDir, Place) {
        let above = tempfile::tempdir().unwrap();
        let place = Place {
            directory: above.path().join("sessions"),
            digest: SessionKey::new("https://issuer.example", "app", "alice").digest(),
        };
        (above, place)
    }

    fn names(place: &Place) -> Vec<String> {
        let entries = fs::read_dir(&place.directory).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn kept(place: &Place) -> Vec<u8> {
        read(place).unwrap().unwrap().as_bytes().to_vec()
    }

    #[test]
    fn a_disk_that_fills_up_in_the_middle_leaves_the_old_record_and_no_litter() {
        let (_above, place) = place();
        replace(&place, b"old").unwrap();
        let error = replace_by(&place, |file| {
            file.write_all(b"the first half of ")?;
            Err(ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Full);
        assert!(error.next_move().contains("space"), "{}", error.next_move());
        assert_eq!(kept(&place), b"old");
        assert_eq!(names(&place), [format!("{}.json", place.digest)]);
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let (_above, place) = place();
        let largest = vec![b'x'; usize::try_from(LARGEST).unwrap()];
        replace(&place, &largest).unwrap();
        assert_eq!(kept(&place).len(), largest.len());
        replace(&place, &[largest, vec![b'x']].concat()).unwrap();
        let error = read(&place).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreadable);
    }

    #[test]
    fn only_old_files_of_ours_are_swept() {
        let (_above, place) = place();
        replace(&place, b"kept").unwrap();
        let [old, young, foreign] = [
            format!(".{}.abandoned.tmp", place.digest),
            format!(".{}.inuse.tmp", place.digest),
            ".somebody-elses.tmp".to_owned(),
        ];
        let long_ago = now() - 2 * ABANDONED;
        for (name, is_old) in [(&old, true), (&young, false), (&foreign, true)] {
            let file = File::create(place.directory.join(name)).unwrap();
            if is_old {
                file.set_modified(long_ago).unwrap();
            }
        }
        sweep(&place.directory);
        let left = names(&place);
        assert!(!left.contains(&old), "{left:?}");
        assert!(left.contains(&young) && left.contains(&foreign), "{left:?}");
        assert_eq!(kept(&place), b"kept");
    }

    #[test]
    fn a_name_that_is_taken_is_not_taken_again() {
        let (_above, place) = place();
        for content in [b"one", b"two"] {
            replace(&place, content).unwrap();
            set_aside(&place).unwrap();
        }
        set_aside(&place).unwrap();
        let damaged = names(&place);
        assert_eq!(damaged.len(), 2, "{damaged:?}");
        let mut contents: Vec<Vec<u8>> = damaged
            .iter()
            .map(|name| fs::read(place.directory.join(name)).unwrap())
            .collect();
        contents.sort();
        assert_eq!(contents, [b"one", b"two"]);
    }
}
