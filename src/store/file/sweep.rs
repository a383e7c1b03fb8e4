//! Removing what writes left behind whose process died.

use std::{
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{is_digest, record::ASIDE};
use crate::time::{Clock, SystemClock};

/// After this, what a write left behind is no write in progress any more.
///
/// A write takes milliseconds. One that was stopped for longer than this fails, and the old record
/// stays.
const ABANDONED: Duration = Duration::from_secs(10 * 60);

/// Removes what writes left behind whose process died. It holds tokens, so it should not stay.
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
    digest.is_some_and(is_digest)
}

fn now() -> SystemTime {
    SystemClock::new().now().wall()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::store::file::record::tests::{files, kept, names, put};

    #[test]
    fn only_old_files_of_ours_are_swept() {
        let (_above, files) = files();
        put(&files, b"kept");
        let [old, young, foreign] = [
            format!(".{}.abandoned.tmp", files.digest),
            format!(".{}.inuse.tmp", files.digest),
            ".foreign.tmp".to_owned(),
        ];
        let long_ago = now() - 2 * ABANDONED;
        for (name, is_old) in [(&old, true), (&young, false), (&foreign, true)] {
            let file = File::create(files.directory.path().join(name)).unwrap();
            if is_old {
                file.set_modified(long_ago).unwrap();
            }
        }
        sweep(files.directory.path());
        let left = names(&files);
        assert!(!left.contains(&old), "{left:?}");
        assert!(left.contains(&young) && left.contains(&foreign), "{left:?}");
        assert_eq!(kept(&files), b"kept");
    }
}
