//! What is kept of a session: opaque bytes, and the number of the write that made them.

use std::{
    fmt,
    num::NonZeroU64,
    str::FromStr,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{StoreError, StoreErrorKind};

/// The largest record that a store takes unless it says otherwise, in bytes: 1 MiB.
///
/// A session with hundreds of large access tokens stays below; more is no session, and is neither
/// written nor read.
pub const LARGEST_RECORD: usize = 1024 * 1024;

/// What is kept of a session: bytes that only the client can read.
///
/// It holds tokens, so `Debug` hides it and its memory is wiped when it is dropped. A store writes
/// the bytes as they are, and shows them to no person. What a store may know of them is the
/// [`version`](Self::version), which it compares, and until when they are
/// [worth keeping](Self::keep_until).
///
/// # Examples
///
/// ```
/// use intelliauth::SessionRecord;
///
/// let record = SessionRecord::from_bytes(*br#"{"write":"00000000000000ff","keep_until":1900000000}"#);
/// assert_eq!(record.version().to_string(), "00000000000000ff");
/// assert!(record.keep_until().is_some());
/// assert_eq!(format!("{record:?}"), "SessionRecord(hidden)");
/// ```
#[derive(Clone)]
pub struct SessionRecord {
    bytes: Zeroizing<Vec<u8>>,
    version: Version,
    keep_until: Option<SystemTime>,
}

impl SessionRecord {
    /// The record that these bytes are, as they were given to the store.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::from_wiped(Zeroizing::new(bytes.into()))
    }

    pub(super) fn from_wiped(bytes: Zeroizing<Vec<u8>>) -> Self {
        let head = Head::of(&bytes);
        Self {
            version: head.write.unwrap_or_else(|| Version::of_bytes(&bytes)),
            keep_until: head.keep_until,
            bytes,
        }
    }

    /// The bytes, to be written as they are.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Which write made it: what [`save`](super::SessionStore::save) compares.
    ///
    /// It stands in the bytes. Those that name none (a damaged record, or one of a release that did
    /// not write it) have a version as well, which is computed from all of them.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether a store takes it that takes so many bytes: what [`save`](super::SessionStore::save) asks
    /// first.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](StoreErrorKind::TooLarge) if it is larger.
    pub fn ensure_fits(&self, limit: usize) -> Result<(), StoreError> {
        let length = self.bytes.len();
        if length <= limit {
            return Ok(());
        }
        let what = format!("a session of {length} bytes is larger than the {limit} that are kept");
        Err(StoreError::new(StoreErrorKind::TooLarge, what))
    }

    /// Until when it has to be kept, by the wall clock; nothing where that is not known.
    ///
    /// A store may forget the record after this, and must not before. One without such a time has to
    /// be kept until it is replaced.
    pub fn keep_until(&self) -> Option<SystemTime> {
        self.keep_until
    }

    /// [`keep_until`](Self::keep_until) as seconds since the Unix epoch: for a column, or a time to live.
    pub fn keep_until_unix(&self) -> Option<u64> {
        let after = self.keep_until?.duration_since(SystemTime::UNIX_EPOCH);
        after.ok().map(|after| after.as_secs())
    }
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionRecord(hidden)")
    }
}

/// Which write made a record: a number that is drawn anew for each.
///
/// It is no counter, since two processes that write at one time must not come to the same. It hides
/// nothing, and may stand in logs, in a column of its own, in a header.
///
/// # Examples
///
/// ```
/// use intelliauth::Version;
///
/// let version: Version = "00000000000000ff".parse()?;
/// assert_eq!(version.to_string(), "00000000000000ff");
/// assert_eq!(version.get().get(), 255);
/// # Ok::<(), intelliauth::VersionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(NonZeroU64);

impl Version {
    /// The version of every record that is there and [cannot be
    /// read](crate::StoreErrorKind::Unreadable).
    ///
    /// What cannot be loaded shows no version; with this one it can still be
    /// [set aside](super::SessionStore::set_aside). No record that can be read has it.
    pub const UNREADABLE: Self = Self(NonZeroU64::MAX);

    /// The version of a write for which this random number was drawn.
    pub(crate) fn drawn(number: u64) -> Self {
        Self::readable(number)
    }

    /// The number itself: for a column of 64 bits.
    pub fn get(self) -> NonZeroU64 {
        self.0
    }

    /// The version of bytes that name none: the first eight of their SHA-256.
    fn of_bytes(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let first = digest.first_chunk().copied().unwrap_or_default();
        Self::readable(u64::from_be_bytes(first))
    }

    fn readable(number: u64) -> Self {
        let number = number.clamp(1, u64::MAX - 1);
        Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }
}

impl From<NonZeroU64> for Version {
    fn from(number: NonZeroU64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Version {
    /// 16 hexadecimal digits, in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads 16 hexadecimal digits, of which one is not zero.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let is_hexadecimal = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().and_then(NonZeroU64::new);
        let number = number.filter(|_| is_hexadecimal);
        number.map(Self).ok_or(VersionError(()))
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A text that is not the version of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record's version is 16 hexadecimal digits, not all of them zero")]
pub struct VersionError(());

/// What the client wrote at the top of a record, for the store to read.
#[derive(Default)]
struct Head {
    write: Option<Version>,
    keep_until: Option<SystemTime>,
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Members {
            write: Option<Version>,
            keep_until: Option<u64>,
        }
        // An array would be read as the members in their order.
        let is_object = bytes.trim_ascii_start().starts_with(b"{");
        let members = is_object.then(|| serde_json::from_slice::<Members>(bytes).ok());
        let Some(members) = members.flatten() else {
            return Self::default();
        };
        let after_epoch = members.keep_until.map(Duration::from_secs);
        Self {
            write: members
                .write
                .filter(|version| *version != Version::UNREADABLE),
            keep_until: after_epoch.and_then(|after| SystemTime::UNIX_EPOCH.checked_add(after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(bytes: &[u8]) -> String {
        SessionRecord::from_bytes(bytes).version().to_string()
    }

    #[test]
    fn records_hide_themselves() {
        let record = SessionRecord::from_bytes(*b"not-a-real-token");
        assert_eq!(format!("{record:?}"), "SessionRecord(hidden)");
    }

    #[test]
    fn the_version_stands_in_the_bytes() {
        assert_eq!(
            version(br#" {"version":1,"write":"00000000000000ff","signed_in":null}"#),
            "00000000000000ff"
        );
        assert_eq!(
            version(br#"{"write":"00000000000000FF"}"#),
            "00000000000000ff"
        );
    }

    #[test]
    fn bytes_that_name_no_version_are_told_apart_by_all_of_them() {
        // printf 'not-json' | sha256sum
        assert_eq!(version(b"not-json"), "0c21a879c732a679");
        let none = [
            &br#"{"version":1,"generation":3}"#[..],
            br#"{"version":1,"generation":4}"#,
            br#"{"write":"00000000000000ff","torn"#,
            br#"{"write":"00000000000000ff","write":"00000000000000ff"}"#,
            br#"{"write":"0000000000000000"}"#,
            br#"{"write":"ffffffffffffffff"}"#,
            br#"{"write":"ff"}"#,
            br#"{"write":"+0000000000000ff"}"#,
            br#"{"write":255}"#,
            br#"["00000000000000ff",7]"#,
            b"",
        ];
        let different: std::collections::BTreeSet<_> = none.map(version).into();
        assert_eq!(different.len(), none.len());
        assert!(!different.contains("00000000000000ff"));
        assert!(!different.contains(&Version::UNREADABLE.to_string()));
    }

    #[test]
    fn until_when_it_is_kept_stands_in_the_bytes() {
        let until = |bytes: &[u8]| SessionRecord::from_bytes(bytes).keep_until();
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000);
        assert_eq!(until(br#"{"keep_until":1900000000}"#), Some(expected));
        let record = SessionRecord::from_bytes(*br#"{"keep_until":1900000000}"#);
        assert_eq!(record.keep_until_unix(), Some(1_900_000_000));
        assert_eq!(until(br#"{"keep_until":null}"#), None);
        assert_eq!(until(br#"{"keep_until":18446744073709551615}"#), None);
        assert_eq!(until(b"{}"), None);
    }

    #[test]
    fn versions_are_never_those_of_the_unreadable() {
        assert_ne!(Version::readable(u64::MAX), Version::UNREADABLE);
        assert_eq!(Version::readable(0).get().get(), 1);
    }
}
