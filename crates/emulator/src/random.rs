//! Unguessable values and ids.

use std::time::SystemTime;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The system's random source failed; nothing secret can be made.
#[derive(Debug, thiserror::Error)]
#[error("the system's random source failed")]
pub(crate) struct NoRandomness;

/// 256 bits, base64url: a client secret, an opaque token, an admin token.
pub(crate) fn token() -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_unspecified| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Eight letters in two groups, `WDJB-MJHT`: consonants only, so that no word comes out (RFC 8628
/// section 6.1).
pub(crate) fn user_code() -> Result<String, NoRandomness> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_unspecified| NoRandomness)?;
    // 256 is not a multiple of 20: some letters are slightly more likely, which helps little in guessing.
    let letters = bytes.map(|byte| {
        let index = usize::from(byte) % CONSONANTS.len();
        CONSONANTS.get(index).copied().map_or('B', char::from)
    });
    let (first, second) = letters.split_at(4);
    Ok(first.iter().chain(&['-']).chain(second).collect())
}

/// A prefix and a ULID: 48 bits of milliseconds and 80 random ones, in Crockford's base 32.
///
/// An id is not a secret: without a random source it is only less unique.
pub(crate) fn id(prefix: &str, now: SystemTime) -> String {
    let mut tail = [0; 16];
    let _ = rand::fill(&mut tail);
    let millis = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let value = (millis << 80) | (u128::from_be_bytes(tail) & ((1 << 80) - 1));
    let digits = (0..26).rev().map(|place| {
        let digit = (value >> (place * 5)) & 31;
        CROCKFORD
            .get(usize::try_from(digit).unwrap_or(0))
            .copied()
            .unwrap_or(b'0')
    });
    prefix.chars().chain(digits.map(char::from)).collect()
}

const CONSONANTS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_are_prefixed_ulids_that_sort_by_time() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let (first, later) = (id("evt_", at), id("evt_", at + Duration::from_secs(1)));
        assert_eq!(first.len(), 4 + 26);
        assert!(first < later);
        assert_ne!(first, id("evt_", at));
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(token().unwrap(), token().unwrap());
    }
}
