//! Reading a record, and replacing it so that there is always a whole one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
};

use tempfile::{Builder, NamedTempFile};
use zeroize::Zeroizing;

use super::{
    RecordFiles,
    directory::{self, Directory},
    failed, is_digest, lock, owner,
};
use crate::{
    error::{StoreError, StoreErrorKind},
    store::{LARGEST_RECORD, Saved, SessionRecord, Version},
};

/// The largest record that is read, in bytes.
///
/// More is refused, so that a file that another program filled takes no memory.
pub(super) const LARGEST: u64 = LARGEST_RECORD as u64;

/// The record, if there is one.
pub(super) fn read(files: &RecordFiles) -> Result<Option<SessionRecord>, StoreError> {
    if !files.directory.find()? {
        return Ok(None);
    }
    let path = files.record();
    let file = match owner::open(OpenOptions::new().read(true), &path)? {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // The directory may have gone in between, and the record with it.
            files.directory.find()?;
            return Ok(None);
        }
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
pub(super) fn version(files: &RecordFiles) -> Result<Option<Version>, StoreError> {
    match read(files) {
        Ok(record) => Ok(record.map(|record| record.version())),
        Err(error) if error.kind() == StoreErrorKind::Unreadable => Ok(Some(Version::UNREADABLE)),
        Err(error) => Err(error),
    }
}

/// Where the records of a directory are.
pub(super) fn all_files(directory: &Directory) -> Result<Vec<RecordFiles>, StoreError> {
    if !directory.find()? {
        return Ok(Vec::new());
    }
    let failed_here = |error| failed("listing the directory", directory.path(), error);
    let mut all_files = Vec::new();
    for entry in fs::read_dir(directory.path()).map_err(failed_here)? {
        let name = entry.map_err(failed_here)?.file_name();
        let digest = name.to_str().and_then(|name| name.strip_suffix(".json"));
        if let Some(digest) = digest.filter(|digest| is_digest(digest)) {
            all_files.push(RecordFiles {
                directory: directory.clone(),
                digest: digest.to_owned(),
            });
        }
    }
    Ok(all_files)
}

/// The records that can be read.
pub(super) fn read_all(all_files: &[RecordFiles]) -> Vec<SessionRecord> {
    let read = |files: &RecordFiles| {
        read(files).unwrap_or_else(|error| {
            tracing::debug!(%error, "a session that cannot be read is left out of the list");
            None
        })
    };
    all_files.iter().filter_map(read).collect()
}

/// Replaces the record of that version by these bytes, durably.
pub(super) fn save(
    files: &RecordFiles,
    bytes: &[u8],
    replacing: Option<Version>,
) -> Result<Saved, StoreError> {
    save_by(files, replacing, |file| file.write_all(bytes))
}

/// Replaces the record of that version by what `write` writes; if that fails, nothing changes.
fn save_by(
    files: &RecordFiles,
    replacing: Option<Version>,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<Saved, StoreError> {
    let is_superseded = || version(files).map(|there| there != replacing);
    // What is late needs to write nothing.
    if is_superseded()? {
        return Ok(Saved::Superseded);
    }
    files.directory.prepare()?;
    let path = files.record();
    let failed_here = |error| failed("writing the session's file", &path, error);
    let aside = write_aside(files, write).map_err(failed_here)?;
    {
        // Held for a comparison and a rename, not for the flushing before and after.
        let _writing = lock::for_writing(files)?;
        if is_superseded()? {
            return Ok(Saved::Superseded);
        }
        let renamed = aside.persist(&path);
        renamed.map_err(|error| failed_here(error.error))?;
    }
    directory::flush(files.directory.path()).map_err(failed_here)?;
    Ok(Saved::Saved)
}

/// A file beside the record, flushed to the disk.
fn write_aside(
    files: &RecordFiles,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<NamedTempFile> {
    // Mode 0600, and removed again when it is dropped before it has its name.
    let mut aside = Builder::new()
        .prefix(&format!(".{}.", files.digest))
        .suffix(ASIDE)
        .tempfile_in(files.directory.path())?;
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

    pub(in crate::store::file) fn files() -> (TempDir, RecordFiles) {
        let above = tempfile::tempdir().unwrap();
        let files = RecordFiles {
            directory: Directory::new(above.path().join("sessions")),
            digest: SessionKey::new("https://issuer.example", "app", "alice").digest(),
        };
        (above, files)
    }

    pub(in crate::store::file) fn names(files: &RecordFiles) -> Vec<String> {
        let entries = fs::read_dir(files.directory.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(in crate::store::file) fn kept(files: &RecordFiles) -> Vec<u8> {
        read(files).unwrap().unwrap().as_bytes().to_vec()
    }

    /// Replaces whatever is there.
    pub(in crate::store::file) fn put(files: &RecordFiles, bytes: &[u8]) -> Version {
        let there = version(files).unwrap();
        assert_eq!(save(files, bytes, there).unwrap(), Saved::Saved);
        version(files).unwrap().unwrap()
    }

    #[test]
    fn a_disk_that_fills_up_in_the_middle_leaves_the_old_record_and_no_litter() {
        let (_above, files) = files();
        let old = put(&files, b"old");
        let error = save_by(&files, Some(old), |file| {
            file.write_all(b"the first half of ")?;
            Err(ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Full);
        assert!(error.next_move().contains("space"), "{}", error.next_move());
        assert_eq!(kept(&files), b"old");
        let digest = &files.digest;
        assert_eq!(
            names(&files),
            [format!("{digest}.json"), format!("{digest}.write.lock")]
        );
    }

    #[test]
    fn a_write_that_was_late_while_it_was_written_changes_nothing() {
        let (_above, files) = files();
        let old = put(&files, b"old");
        let outcome = save_by(&files, Some(old), |file| {
            put(&files, b"another process was faster");
            file.write_all(b"late")
        });
        assert_eq!(outcome.unwrap(), Saved::Superseded);
        assert_eq!(kept(&files), b"another process was faster");
        assert!(!names(&files).iter().any(|name| name.ends_with(ASIDE)));
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let (_above, files) = files();
        let largest = vec![b'x'; usize::try_from(LARGEST).unwrap()];
        put(&files, &largest);
        assert_eq!(kept(&files).len(), largest.len());
        put(&files, &[largest, vec![b'x']].concat());
        let error = read(&files).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreadable);
        // A person who signs in replaces it.
        put(&files, b"small");
        assert_eq!(kept(&files), b"small");
    }
}
