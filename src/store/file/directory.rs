//! The directory that all files of a store are in.

use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

use super::{failed, owner};
use crate::error::{StoreError, StoreErrorKind};

/// The place that the system has for files like these.
pub(super) fn of_this_user() -> Result<PathBuf, StoreError> {
    let user = choose_native_strategy().map_err(|error| {
        StoreError::new(
            StoreErrorKind::Other,
            "this user has no home directory to keep sessions in",
        )
        .with_next_move("set HOME, or name a directory with FileStore::in_directory")
        .caused_by(error)
    })?;
    let base = if cfg!(windows) {
        // Local, not roaming: on two machines at once, the locks of one mean nothing to the other.
        user.cache_dir()
    } else {
        user.state_dir().unwrap_or_else(|| user.data_dir())
    };
    Ok(base.join("intelliauth").join("sessions"))
}

/// Whether the directory is there. One that others can change is an error.
pub(super) fn find(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => owner::check_directory(path, &metadata).map(|()| true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("looking at the directory", path, error)),
    }
}

/// Makes the directory where it is missing.
pub(super) fn prepare(path: &Path) -> Result<(), StoreError> {
    if find(path)? {
        return Ok(());
    }
    let missing: Vec<&Path> = path.ancestors().take_while(|made| !made.exists()).collect();
    private_builder()
        .create(path)
        .map_err(|error| failed("making the directory", path, error))?;
    for parent in missing.iter().filter_map(|made| made.parent()) {
        // Some parents cannot be opened by those who may pass through them: `/home`, for example.
        let _ = flush(parent);
    }
    find(path).map(drop)
}

/// Makes what was created, renamed or removed in a directory survive a crash of the machine.
///
/// Some file systems (network shares above all) know no such call for a directory and say so; the file
/// itself was flushed before.
#[cfg(unix)]
pub(super) fn flush(path: &Path) -> io::Result<()> {
    match fs::File::open(path)?.sync_all() {
        Err(error) if is_unknown(&error) => Ok(()),
        outcome => outcome,
    }
}

/// `EINVAL` or `ENOTSUP`, as fsync(2) answers for what it cannot flush.
#[cfg(unix)]
fn is_unknown(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, Unsupported};
    matches!(error.kind(), InvalidInput | Unsupported)
}

/// Windows has no such call; NTFS keeps a journal of its directories.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail where there is one")]
pub(super) fn flush(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn private_builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}
