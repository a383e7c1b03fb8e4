//! The session's file, as the coordinator sees it from outside.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

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
    pub(crate) mark: Option<Mark>,
    /// Which write of the record this is.
    version: String,
}

/// Redemptions of a refresh token that were sent, and whose answer is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    count: u64,
    /// When the first one was sent, since the Unix epoch. Records of version 1 do not say it.
    first_at: Option<Duration>,
}

/// What lies in the directory beside the session and its lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Litter {
    pub(crate) damaged: u64,
    pub(crate) temporary: u64,
}

/// As the SDK writes it, in version 1 and in version 2.
#[derive(Deserialize)]
struct Record {
    #[serde(alias = "generation", deserialize_with = "word")]
    write: String,
    signed_in: Option<SignedIn>,
}

#[derive(Deserialize)]
struct SignedIn {
    families: Vec<Family>,
}

#[derive(Deserialize)]
struct Family {
    refresh_token: Option<String>,
    /// Version 1.
    #[serde(default)]
    unanswered: u64,
    /// Version 2.
    mark: Option<WrittenMark>,
}

#[derive(Deserialize)]
struct WrittenMark {
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Attempt {
    at: u64,
}

impl Standing {
    /// How many redemptions of it were sent without an answer that is known.
    pub(crate) fn unanswered(&self) -> u64 {
        self.mark.as_ref().map_or(0, |mark| mark.count)
    }

    /// Whether no process redeems it any more: it was repeated, and the grace period is over.
    pub(crate) fn is_given_up(&self, grace: Option<Duration>, now: Duration) -> bool {
        let first_at = self.mark.as_ref().and_then(|mark| mark.first_at);
        let is_in_grace = first_at
            .zip(grace)
            .is_some_and(|(first_at, grace)| now < first_at + grace);
        self.unanswered() > 1 && !is_in_grace
    }
}

impl Family {
    fn mark(&self) -> Option<Mark> {
        if let Some(mark) = &self.mark {
            let first = mark.attempts.first();
            return Some(Mark {
                count: mark.attempts.len() as u64,
                first_at: first.map(|first| Duration::from_millis(first.at)),
            });
        }
        (self.unanswered > 0).then_some(Mark {
            count: self.unanswered,
            first_at: None,
        })
    }
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
    let Some(signed_in) = record.signed_in else {
        return Seen::SignedOut;
    };
    let family = signed_in.families.into_iter().next();
    let standing = family.and_then(|family| {
        Some(Standing {
            mark: family.mark(),
            refresh_token: family.refresh_token?,
            version: record.write,
        })
    });
    standing.map_or(Seen::Erased, Seen::Standing)
}

/// A number in version 1, hexadecimal digits in version 2: it is compared only.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Value::deserialize(deserializer).map(|value| value.to_string())
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

    fn standing(record: &str) -> Standing {
        match read(record.as_bytes()) {
            Seen::Standing(standing) => standing,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_stands_in_the_file_is_told_apart() {
        for head in [
            r#""version":1,"generation":3"#,
            r#""version":2,"write":"00000000000000a3""#,
        ] {
            let of = |signed_in: &str| {
                let record = format!(r#"{{{head},"signed_in":{signed_in}}}"#);
                read(record.as_bytes())
            };
            assert_eq!(of("null"), Seen::SignedOut);
            let erased = r#"{"families":[{"refresh_token":null,"unanswered":0}]}"#;
            assert_eq!(of(erased), Seen::Erased);
            assert_eq!(of(r#"{"families":[{}]}"#), Seen::Erased);
        }
        assert_eq!(read(br#"{"version":1,"gen"#), Seen::Torn);
        assert_eq!(read(br#"{"version":2,"signed_in":null}"#), Seen::Torn);
        assert_eq!(read(b""), Seen::Torn);
    }

    #[test]
    fn a_mark_is_read_in_both_versions() {
        let first = standing(
            r#"{"version":1,"generation":3,
                "signed_in":{"families":[{"refresh_token":"R","unanswered":1}]}}"#,
        );
        assert_eq!((first.unanswered(), first.version.as_str()), (1, "3"));
        let second = standing(
            r#"{"version":2,"write":"00000000000000a3","keep_until":1900000000,"signed_in":
                {"families":[{"refresh_token":"R","mark":{"attempts":[{"id":1,"at":1700000000123},{"id":2,"at":1700000005000}],
                "request":{"audience":"api.a","scopes":[],"parameters":[]}}}]}}"#,
        );
        let mark = second.mark.as_ref().unwrap();
        assert_eq!(mark.count, 2);
        let first_at = Duration::from_millis(1_700_000_000_123);
        assert_eq!(mark.first_at, Some(first_at));
        let unmarked = standing(
            r#"{"version":2,"write":"00000000000000a3",
                "signed_in":{"families":[{"refresh_token":"R"}]}}"#,
        );
        assert_eq!(unmarked.mark, None);
        assert_ne!(unmarked, second);
    }

    #[test]
    fn a_token_is_given_up_after_two_redemptions_and_the_grace_period() {
        let at = Duration::from_secs;
        let marked = |count, first_at| Standing {
            refresh_token: "R".to_owned(),
            mark: Some(Mark { count, first_at }),
            version: "1".to_owned(),
        };
        let grace = Some(at(60));
        assert!(!marked(1, None).is_given_up(None, at(100)));
        assert!(marked(2, None).is_given_up(None, at(100)));
        assert!(marked(2, None).is_given_up(grace, at(100)));
        assert!(!marked(7, Some(at(50))).is_given_up(grace, at(100)));
        assert!(marked(2, Some(at(40))).is_given_up(grace, at(100)));
        assert!(!marked(1, Some(at(40))).is_given_up(grace, at(100)));
        assert!(marked(2, Some(at(50))).is_given_up(None, at(100)));
    }
}
