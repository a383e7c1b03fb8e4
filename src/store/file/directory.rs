//! The directory that all files of a store are in.

use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

use super::{failed, owner};
use crate::error::{StoreError, StoreErrorKind};

/// The directory of a store, and which one it is.
///
/// Once seen, it is the only one that is used: where it is missing, or another one stands in its place, its
/// records are not gone for good. A share may not be mounted at the moment.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    path: PathBuf,
    seen: Arc<OnceLock<Identity>>,
}

/// The device and the inode.
#[cfg(unix)]
type Identity = (u64, u64);

/// The standard library tells none there: that it was there is all that is known.
#[cfg(not(unix))]
type Identity = ();

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

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            seen: Arc::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the directory is there. One that others can change is an error, and so is another one than
    /// before, or none where there was one.
    pub(super) fn find(&self) -> Result<bool, StoreError> {
        let path = self.path();
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(failed("looking at the directory", path, error));
            }
            Err(_) if self.seen.get().is_none() => return Ok(false),
            Err(error) => return Err(self.replaced("is gone").caused_by(error)),
        };
        let there = identity(&metadata);
        // Before its rights: what a share is mounted over may be of another user.
        if metadata.is_dir() && self.seen.get().is_some_and(|seen| *seen != there) {
            return Err(self.replaced("is another directory now"));
        }
        owner::check_directory(path, &metadata)?;
        // Another thread may have seen it first.
        if *self.seen.get_or_init(|| there) != there {
            return Err(self.replaced("is another directory now"));
        }
        Ok(true)
    }

    /// Makes the directory where it is missing and was never seen.
    pub(super) fn prepare(&self) -> Result<(), StoreError> {
        if self.find()? {
            return Ok(());
        }
        let path = self.path();
        let missing: Vec<&Path> = path.ancestors().take_while(|made| !made.exists()).collect();
        private_builder()
            .create(path)
            .map_err(|error| failed("making the directory", path, error))?;
        for parent in missing.iter().filter_map(|made| made.parent()) {
            // Some parents cannot be opened by those who may pass through them: `/home`, for example.
            let _ = flush(parent);
        }
        self.find().map(drop)
    }

    fn replaced(&self, how: &str) -> StoreError {
        let path = self.path.display();
        let what = format!("`{path}` {how}, and this program keeps sessions in the one before");
        let next_move = format!(
            "bring back the directory `{path}` (is its share mounted?); if it was removed or replaced on \
             purpose, start the program again"
        );
        StoreError::new(StoreErrorKind::Io, what).with_next_move(next_move)
    }
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_metadata: &fs::Metadata) -> Identity {}

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
