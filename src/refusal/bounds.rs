//! How much of a refusal is read.

/// The words of a list, without those that are too long to be a scope: a token above all.
pub(super) fn names(list: &str) -> impl Iterator<Item = &str> {
    let words = list.split_ascii_whitespace();
    words.filter(|word| word.len() <= LONGEST_SCOPE)
}

/// Of the headers, and of a body: real challenges have some hundred bytes.
pub(crate) const LARGEST: usize = 8 * 1024;

/// Longer ones are left out.
const LONGEST_SCOPE: usize = 128;
