//! The texts of tokens: each says which one it is, so that it is recognised wherever it turns up.

use std::fmt;

/// One refresh token: the family that it is of, and its number in the row of its rotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TokenName {
    pub(super) family: usize,
    pub(super) serial: usize,
}

/// The tokens that stand in a record, whatever its form.
#[derive(Clone, Debug, Default)]
pub(super) struct Mentions {
    pub(super) refresh: Vec<TokenName>,
    /// The numbers of access tokens.
    pub(super) access: Vec<usize>,
}

impl TokenName {
    pub(super) fn read(text: &str) -> Option<Self> {
        Self::read_bytes(text.strip_prefix("rt-")?.as_bytes())
    }

    fn read_bytes(rest: &[u8]) -> Option<Self> {
        let (family, length) = number(rest)?;
        let rest = rest.get(length..)?.strip_prefix(b"-")?;
        let (serial, _) = number(rest)?;
        Some(Self { family, serial })
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rt-{}-{}", self.family, self.serial)
    }
}

impl Mentions {
    pub(super) fn in_record(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for (at, pair) in bytes.windows(3).enumerate() {
            let rest = &bytes[at + 3..];
            match pair {
                b"rt-" => found.refresh.extend(TokenName::read_bytes(rest)),
                b"at-" => found.access.extend(number(rest).map(|(number, _)| number)),
                _ => {}
            }
        }
        found
    }

    /// The refresh token of this family that stands there.
    pub(super) fn of(&self, family: usize) -> Option<TokenName> {
        let own = self.refresh.iter().filter(|name| name.family == family);
        own.copied().max()
    }
}

/// The text of an access token.
pub(super) fn access_token(number: usize, length: usize) -> String {
    let mut text = format!("at-{number}.");
    while text.len() < length {
        text.push('x');
    }
    text
}

pub(super) fn access_number(text: &str) -> Option<usize> {
    Some(number(text.strip_prefix("at-")?.as_bytes())?.0)
}

/// The number at the beginning, and how long it is.
fn number(bytes: &[u8]) -> Option<(usize, usize)> {
    let length = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    Some((text.parse().ok()?, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_in_any_record() {
        let record = br#"{"a":"rt-3-12","that":["at-7.xxx","at-x"],"write":"rt-","b":"rt-0-0"}"#;
        let found = Mentions::in_record(record);
        let last = TokenName {
            family: 3,
            serial: 12,
        };
        assert_eq!(found.of(3), Some(last));
        assert_eq!(found.refresh.len(), 2);
        assert_eq!(found.access, [7]);
        assert_eq!(TokenName::read(&last.to_string()), Some(last));
        assert_eq!(access_number(&access_token(7, 40)), Some(7));
    }
}
