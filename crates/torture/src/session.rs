//! The session's file, as the coordinator sees it from outside.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;

/// Where the one session is.
#[derive(Clone, Debug)]
pub(crate) struct SessionFile {
    directory: PathBuf,
    record: PathBuf,
    lock: PathBuf,
}

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Missing,
    /// It does not parse.
    Torn,
    SignedOut,
    /// Somebody was signed in, and the refresh token was erased.
    Erased,
    Standing(Standing),
}

/// A refresh token that can be redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) refresh_token: String,
    /// How many redemptions of it were sent without an answer that is known.
    pub(crate) unanswered: u32,
    pub(crate) generation: u64,
}

/// What lies in the directory beside the session and its lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Litter {
    pub(crate) damaged: u64,
    pub(crate) temporary: u64,
}

#[derive(Deserialize)]
struct Record {
    generation: u64,
    signed_in: Option<SignedIn>,
}

#[derive(Deserialize)]
struct SignedIn {
    families: Vec<Family>,
}

#[derive(Deserialize)]
struct Family {
    refresh_token: Option<String>,
    unanswered: u32,
}

impl SessionFile {
    pub(crate) fn new(directory: &Path, digest: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            record: directory.join(format!("{digest}.json")),
            lock: directory.join(format!("{digest}.lock")),
        }
    }

    pub(crate) fn see(&self) -> Seen {
        match fs::read(&self.record) {
            Ok(bytes) => read(&bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Seen::Missing,
            Err(_unreadable) => Seen::Torn,
        }
    }

    /// The refresh token that stands in the file, if one does.
    pub(crate) fn standing(&self) -> Option<Standing> {
        match self.see() {
            Seen::Standing(standing) => Some(standing),
            _ => None,
        }
    }

    /// The process that holds the session's lock.
    pub(crate) fn holder(&self) -> Option<u32> {
        let inode = fs::metadata(&self.lock).ok()?.ino();
        let locks = fs::read_to_string("/proc/locks").ok()?;
        holder_of(inode, &locks)
    }

    pub(crate) fn litter(&self) -> Result<Litter> {
        let mut litter = Litter::default();
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            litter.damaged += u64::from(name.contains(".damaged-"));
            litter.temporary += u64::from(name.ends_with(".tmp"));
        }
        Ok(litter)
    }
}

fn read(bytes: &[u8]) -> Seen {
    let Ok(record) = serde_json::from_slice::<Record>(bytes) else {
        return Seen::Torn;
    };
    let generation = record.generation;
    let Some(signed_in) = record.signed_in else {
        return Seen::SignedOut;
    };
    let family = signed_in.families.into_iter().next();
    let standing = family.and_then(|family| {
        Some(Standing {
            refresh_token: family.refresh_token?,
            unanswered: family.unanswered,
            generation,
        })
    });
    standing.map_or(Seen::Erased, Seen::Standing)
}

/// `1: FLOCK  ADVISORY  WRITE 4711 fe:00:123456 0 EOF`: the process, and the file's inode at the end.
fn holder_of(inode: u64, locks: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", process, file, ..] = words.as_slice() else {
            return None;
        };
        let found: u64 = file.rsplit(':').next()?.parse().ok()?;
        (found == inode).then(|| process.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_the_inode() {
        let locks = "1: FLOCK  ADVISORY  READ 5 fe:00:42 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 6 fe:00:42 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 7 fe:00:42 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 8 fe:00:42 0 EOF\n";
        assert_eq!(holder_of(42, locks), Some(7));
        assert_eq!(holder_of(43, locks), None);
    }

    #[test]
    fn what_stands_in_the_file_is_told_apart() {
        let record =
            |signed_in: &str| format!(r#"{{"version":1,"generation":3,"signed_in":{signed_in}}}"#);
        let of = |signed_in: &str| read(record(signed_in).as_bytes());
        assert_eq!(of("null"), Seen::SignedOut);
        assert_eq!(
            of(r#"{"families":[{"refresh_token":null,"unanswered":0}]}"#),
            Seen::Erased
        );
        let Seen::Standing(standing) = of(r#"{"families":[{"refresh_token":"R","unanswered":1}]}"#)
        else {
            panic!("it stands there")
        };
        assert_eq!((standing.unanswered, standing.generation), (1, 3));
        assert_eq!(read(br#"{"version":1,"gen"#), Seen::Torn);
        assert_eq!(read(b""), Seen::Torn);
    }
}
