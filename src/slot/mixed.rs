//! A cheap hash of an audience's name, for places where names that collide are compared anyway.

/// All of `name`, mixed into one number whose upper bits depend on all of it. Not a good hash.
#[inline]
pub(crate) fn mixed(name: &str) -> u64 {
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let mut mixed = 0_u64;
    for word in words {
        mixed = mixed.rotate_left(5) ^ u64::from_le_bytes(*word);
    }
    for byte in rest {
        mixed = mixed.rotate_left(5) ^ u64::from(*byte);
    }
    // 2^64 divided by the golden ratio: the upper bits of the product depend on all others.
    mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
