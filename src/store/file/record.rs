//! Reading a record, and replacing it so that there is always a whole one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::Path,
};

use tempfile::{Builder, NamedTempFile};
use zeroize::Zeroizing;

use super::{Place, directory, failed, is_digest, lock, owner};
use crate::{
    error::{StoreError, StoreErrorKind},
    store::{LARGEST_RECORD, Saved, SessionRecord, Version},
};

/// The largest record that is read, in bytes.
///
/// More is refused, so that a file that another program filled takes no memory.
pub(super) const LARGEST: u64 = LARGEST_RECORD as u64;

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
    Ok(Some(SessionRecord::from_wiped(bytes)))
}

/// All bytes of a file; nothing if there are too many.
fn contents(file: File) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let length = file.metadata()?.len();
    if length > LARGEST {
        return Ok(None);
    }
    // With room for all of them at once: a vector that grows leaves copies behind that are not wiped.
    let room = usize::try_from(length).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    let is_too_large = bytes.len() as u64 > LARGEST;
    Ok((!is_too_large).then_some(bytes))
}

/// The version of what is there: nothing if there is no record.
pub(super) fn version(place: &Place) -> Result<Option<Version>, StoreError> {
    match read(place) {
        Ok(record) => Ok(record.map(|record| record.version())),
        Err(error) if error.kind() == StoreErrorKind::Unreadable => Ok(Some(Version::UNREADABLE)),
        Err(error) => Err(error),
    }
}

/// Where the records of a directory are.
pub(super) fn places(directory: &Path) -> Result<Vec<Place>, StoreError> {
    if !directory::find(directory)? {
        return Ok(Vec::new());
    }
    let failed_here = |error| failed("listing the directory", directory, error);
    let mut places = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed_here)? {
        let name = entry.map_err(failed_here)?.file_name();
        let digest = name.to_str().and_then(|name| name.strip_suffix(".json"));
        if let Some(digest) = digest.filter(|digest| is_digest(digest)) {
            places.push(Place {
                directory: directory.to_owned(),
                digest: digest.to_owned(),
            });
        }
    }
    Ok(places)
}

/// The records that can be read.
pub(super) fn read_all(places: &[Place]) -> Vec<SessionRecord> {
    let read = |place: &Place| {
        read(place).unwrap_or_else(|error| {
            tracing::debug!(%error, "a session that cannot be read is left out of the list");
            None
        })
    };
    places.iter().filter_map(read).collect()
}

/// Replaces the record of that version by these bytes, durably.
pub(super) fn save(
    place: &Place,
    bytes: &[u8],
    replacing: Option<Version>,
) -> Result<Saved, StoreError> {
    save_by(place, replacing, |file| file.write_all(bytes))
}

/// Replaces the record of that version by what `write` writes; if that fails, nothing changes.
fn save_by(
    place: &Place,
    replacing: Option<Version>,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<Saved, StoreError> {
    let is_superseded = || version(place).map(|there| there != replacing);
    // What is late needs to write nothing.
    if is_superseded()? {
        return Ok(Saved::Superseded);
    }
    directory::prepare(&place.directory)?;
    let path = place.record();
    let failed_here = |error| failed("writing the session's file", &path, error);
    let aside = write_aside(place, write).map_err(failed_here)?;
    {
        // Held for a comparison and a rename, not for the flushing before and after.
        let _writing = lock::for_writing(place)?;
        if is_superseded()? {
            return Ok(Saved::Superseded);
        }
        let renamed = aside.persist(&path);
        renamed.map_err(|error| failed_here(error.error))?;
    }
    directory::flush(&place.directory).map_err(failed_here)?;
    Ok(Saved::Saved)
}

/// A file beside the record, flushed to the disk.
fn write_aside(
    place: &Place,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<NamedTempFile> {
    // Mode 0600, and removed again when it is dropped before it has its name.
    let mut aside = Builder::new()
        .prefix(&format!(".{}.", place.digest))
        .suffix(ASIDE)
        .tempfile_in(&place.directory)?;
    write(aside.as_file_mut())?;
    aside.as_file().sync_all()?;
    Ok(aside)
}

/// How the name of a file ends that is being written.
pub(super) const ASIDE: &str = ".tmp";

#[cfg(test)]
pub(super) mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::store::SessionKey;

    pub(in crate::store::file) fn place() -> (TempDir, Place) {
        let above = tempfile::tempdir().unwrap();
        let place = Place {
            directory: above.path().join("sessions"),
            digest: SessionKey::new("https://issuer.example", "app", "alice").digest(),
        };
        (above, place)
    }

    pub(in crate::store::file) fn names(place: &Place) -> Vec<String> {
        let entries = fs::read_dir(&place.directory).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(in crate::store::file) fn kept(place: &Place) -> Vec<u8> {
        read(place).unwrap().unwrap().as_bytes().to_vec()
    }

    /// Replaces whatever is there.
    pub(in crate::store::file) fn put(place: &Place, bytes: &[u8]) -> Version {
        let there = version(place).unwrap();
        assert_eq!(save(place, bytes, there).unwrap(), Saved::Saved);
        version(place).unwrap().unwrap()
    }

    #[test]
    fn a_disk_that_fills_up_in_the_middle_leaves_the_old_record_and_no_litter() {
        let (_above, place) = place();
        let old = put(&place, b"old");
        let error = save_by(&place, Some(old), |file| {
            file.write_all(b"the first half of ")?;
            Err(ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Full);
        assert!(error.next_move().contains("space"), "{}", error.next_move());
        assert_eq!(kept(&place), b"old");
        let digest = &place.digest;
        assert_eq!(
            names(&place),
            [format!("{digest}.json"), format!("{digest}.write.lock")]
        );
    }

    #[test]
    fn a_write_that_was_late_while_it_was_written_changes_nothing() {
        let (_above, place) = place();
        let old = put(&place, b"old");
        let outcome = save_by(&place, Some(old), |file| {
            put(&place, b"another process was faster");
            file.write_all(b"late")
        });
        assert_eq!(outcome.unwrap(), Saved::Superseded);
        assert_eq!(kept(&place), b"another process was faster");
        assert!(!names(&place).iter().any(|name| name.ends_with(ASIDE)));
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let (_above, place) = place();
        let largest = vec![b'x'; usize::try_from(LARGEST).unwrap()];
        put(&place, &largest);
        assert_eq!(kept(&place).len(), largest.len());
        put(&place, &[largest, vec![b'x']].concat());
        let error = read(&place).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreadable);
        // A person who signs in replaces it.
        put(&place, b"small");
        assert_eq!(kept(&place), b"small");
    }
}
