//! A record that cannot be used, out of the way and still there for a person to look at.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind},
    path::PathBuf,
    time::SystemTime,
};

use super::{RecordFiles, directory, failed, lock, record};
use crate::{
    error::StoreError,
    store::Version,
    time::{Clock, SystemClock},
};

/// Renames the record of that version, and loses none that was renamed before.
pub(super) fn set_aside(files: &RecordFiles, version: Version) -> Result<(), StoreError> {
    let is_there = || record::version(files).map(|there| there == Some(version));
    if !is_there()? {
        return Ok(());
    }
    let _writing = lock::for_writing(files)?;
    if !is_there()? {
        return Ok(());
    }
    let path = files.record();
    let failed_here = |error| failed("setting the session's file aside:", &path, error);
    let free = reserve(files).map_err(failed_here)?;
    if let Err(error) = fs::rename(&path, &free) {
        // Only the empty file that was made a moment ago.
        let _ = fs::remove_file(&free);
        return Err(failed_here(error));
    }
    tracing::warn!(path = %free.display(), "a session that cannot be read was set aside");
    directory::flush(files.directory.path()).map_err(failed_here)
}

/// A name that no file has, held by an empty one.
fn reserve(files: &RecordFiles) -> io::Result<PathBuf> {
    let seconds = SystemClock::new()
        .now()
        .wall()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let mut number = 1_u64;
    loop {
        let name = format!("{}.damaged-{seconds}-{number}.json", files.digest);
        let path = files.directory.path().join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file::record::tests::{files, kept, names, put};

    #[test]
    fn a_name_that_is_taken_is_not_taken_again() {
        let (_above, files) = files();
        for content in [b"one", b"two"] {
            let version = put(&files, content);
            set_aside(&files, version).unwrap();
            set_aside(&files, version).unwrap();
        }
        let is_damaged = |name: &String| name.contains(".damaged-");
        let damaged: Vec<String> = names(&files).into_iter().filter(is_damaged).collect();
        assert_eq!(damaged.len(), 2, "{damaged:?}");
        let mut contents: Vec<Vec<u8>> = damaged
            .iter()
            .map(|name| fs::read(files.directory.path().join(name)).unwrap())
            .collect();
        contents.sort();
        assert_eq!(contents, [b"one", b"two"]);
    }

    #[test]
    fn what_cannot_be_read_is_set_aside_and_what_can_is_not() {
        let (_above, files) = files();
        put(&files, b"readable");
        set_aside(&files, Version::UNREADABLE).unwrap();
        assert_eq!(kept(&files), b"readable");

        let file = OpenOptions::new().write(true).open(files.record()).unwrap();
        file.set_len(record::LARGEST + 1).unwrap();
        assert_eq!(record::version(&files).unwrap(), Some(Version::UNREADABLE));
        set_aside(&files, Version::UNREADABLE).unwrap();
        assert_eq!(record::version(&files).unwrap(), None);
    }
}
