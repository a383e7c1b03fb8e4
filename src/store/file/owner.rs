//! Whether a file is ours alone. On Unix its owner and mode say so; on Windows the profile's rights do.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    path::Path,
};

use super::failed;
use crate::error::{StoreError, StoreErrorKind};

/// Opens a file that is ours alone. It follows no symbolic link, at the end of the path.
///
/// The outer error is a refusal; the inner one is the system's, which may mean that there is no file.
pub(super) fn open(
    options: &mut OpenOptions,
    path: &Path,
) -> Result<Result<File, io::Error>, StoreError> {
    if let Ok(metadata) = fs::symlink_metadata(path) {
        refuse_link(path, &metadata)?;
    }
    // Between the look and this, only a process of ours could put a link there, and it fails then.
    let file = match without_following(options).open(path) {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    let metadata = file
        .metadata()
        .map_err(|error| failed("looking at", path, error))?;
    check_file(path, &metadata)?;
    Ok(Ok(file))
}

/// Refuses what is there if it is no file of ours alone.
pub(super) fn check_file(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    refuse_link(path, metadata)?;
    if !metadata.is_file() {
        let next_move = format!("move `{}` out of the way", path.display());
        return Err(insecure(path, "is no regular file", next_move));
    }
    refuse_others(path, metadata, "600")
}

/// Refuses what is there if it is no directory of ours alone.
pub(super) fn check_directory(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    refuse_link(path, metadata)?;
    if !metadata.is_dir() {
        let next_move = format!("move `{}` out of the way", path.display());
        return Err(insecure(path, "is no directory", next_move));
    }
    refuse_others(path, metadata, "700")
}

fn refuse_link(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    if !metadata.is_symlink() {
        return Ok(());
    }
    let next_move = format!(
        "remove the link `{}`; a directory elsewhere is named with FileStore::in_directory",
        path.display()
    );
    Err(insecure(path, "is a symbolic link", next_move))
}

#[cfg(unix)]
fn refuse_others(path: &Path, metadata: &Metadata, mode: &str) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;

    let owner = metadata.uid();
    let us = rustix::process::geteuid().as_raw();
    if owner != us {
        let next_move = format!(
            "run the program as the user with the id {owner}, or move `{}` out of the way",
            path.display()
        );
        let problem = format!("belongs to the user with the id {owner}, and this is {us}");
        return Err(insecure(path, &problem, next_move));
    }
    let rights_of_others = metadata.mode() & 0o077;
    if rights_of_others != 0 {
        let next_move = format!("run: chmod {mode} {}", quoted(path));
        let problem = format!(
            "is open to others (mode {:03o} instead of {mode})",
            metadata.mode() & 0o777
        );
        return Err(insecure(path, &problem, next_move));
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "it refuses nothing where rights come with the profile"
)]
fn refuse_others(_path: &Path, _metadata: &Metadata, _mode: &str) -> Result<(), StoreError> {
    Ok(())
}

fn insecure(path: &Path, problem: &str, next_move: String) -> StoreError {
    let what = format!("`{}` {problem}", path.display());
    StoreError::new(StoreErrorKind::Insecure, what).with_next_move(next_move)
}

/// The path as a shell takes it.
#[cfg(unix)]
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Neither follows a link, nor waits for the other end of a pipe that was put there.
#[cfg(unix)]
fn without_following(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits().cast_signed())
}

#[cfg(not(unix))]
fn without_following(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_to_run_survives_a_shell() {
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        // The root of the file system is root's; who runs this is not, or it is open to others.
        let root = Path::new("/");
        let error = check_directory(root, &fs::metadata(root).unwrap()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Insecure);
    }
}
