//! Public keys that are well-formed and under which others than their owner can sign.

/// Whether an Ed25519 key is a point of small order, or is not written as RFC 8032 section 5.1.2 has it.
///
/// Under such a point a signature says nothing: for one message in eight, or for every message, there
/// is one that any attacker can write down. The sign bit changes nothing about the order.
pub(super) fn is_weak_ed25519(point: &[u8]) -> bool {
    let Some((last, rest)) = point.split_last() else {
        return true;
    };
    let y = || rest.iter().copied().chain([last & !SIGN_BIT]);
    // Section 5.1.3: a coordinate of 2^255 - 19 or more decodes to nothing.
    let is_reduced = y().rev().lt(FIELD_PRIME.into_iter().rev());
    !is_reduced
        || SMALL_ORDER
            .iter()
            .any(|small| y().eq(small.iter().copied()))
}

/// Whether an RSA modulus, big-endian, has a factor that is found at once, or has the form by which the
/// keys of a known faulty generator are factored.
pub(super) fn is_weak_rsa(modulus: &[u8]) -> bool {
    // NIST SP 800-89 section 5.3.3: no factor below 752.
    let has_small_factor = (3..=SMALL_FACTOR_MAX)
        .step_by(2)
        .any(|factor| remainder(modulus, factor) == 0);
    has_small_factor || is_of_faulty_generator(modulus)
}

/// CVE-2017-15361 ("ROCA"): the generator's primes are powers of 65537 modulo many small primes, and so is
/// their product. Of sound keys one in about 2^27 looks like that by chance.
fn is_of_faulty_generator(modulus: &[u8]) -> bool {
    FINGERPRINT
        .into_iter()
        .all(|prime| is_power_of_65537(remainder(modulus, prime), prime))
}

fn is_power_of_65537(value: u32, prime: u32) -> bool {
    let base = 65_537 % prime;
    let mut power = 1;
    for _ in 0..prime {
        if power == value {
            return true;
        }
        power = power * base % prime;
    }
    false
}

/// `number`, big-endian, modulo a divisor below 2^16.
fn remainder(number: &[u8], divisor: u32) -> u32 {
    let digit = |rest: u32, byte: &u8| ((rest << 8) | u32::from(*byte)) % divisor;
    number.iter().fold(0, digit)
}

/// The highest bit of the last byte says which of two points is meant, and belongs to no coordinate.
const SIGN_BIT: u8 = 0x80;

/// 2^255 - 19, little-endian.
const FIELD_PRIME: [u8; 32] = [
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
];

/// The coordinates of the eight points whose eightfold is neutral, little-endian; two share most of them.
const SMALL_ORDER: [[u8; 32]; 5] = [
    // Order 4.
    [0; 32],
    // The neutral point.
    [
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00,
    ],
    // Order 2.
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    // Order 8.
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
];

const SMALL_FACTOR_MAX: u32 = 751;

/// The primes that the published test for the faulty generator looks at.
const FINGERPRINT: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rsa::KeySize,
        signature::{Ed25519KeyPair, KeyPair, RsaKeyPair},
    };

    use super::*;

    #[test]
    fn an_ed25519_key_of_small_order_is_weak_however_it_is_written() {
        for point in SMALL_ORDER {
            for sign in [0, SIGN_BIT] {
                let mut point = point;
                point[31] |= sign;
                assert!(is_weak_ed25519(&point), "{point:x?}");
            }
        }
        // Not reduced: 2^255 - 19 is another spelling of zero, 2^255 - 18 of one, and so on.
        for last in 0xed..=0xff_u8 {
            let mut point = FIELD_PRIME;
            point[0] = last;
            assert!(is_weak_ed25519(&point), "{last:x}");
        }
        for _ in 0..50 {
            let pair = Ed25519KeyPair::generate().unwrap();
            assert!(!is_weak_ed25519(pair.public_key().as_ref()));
        }
    }

    #[test]
    fn an_rsa_modulus_with_a_small_factor_is_weak() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let sound = pair.public_key().modulus();
        let sound = sound.big_endian_without_leading_zero();
        assert!(!is_weak_rsa(sound));
        for factor in [3, 5, 7, 257, 743, 751] {
            let mut modulus = sound.to_vec();
            let rest = remainder(&modulus, factor);
            // The nearest multiple below it.
            let mut borrow = rest;
            for byte in modulus.iter_mut().rev() {
                let (low, carries) = byte.overflowing_sub((borrow & 0xff) as u8);
                *byte = low;
                borrow = (borrow >> 8) + u32::from(carries);
            }
            assert_eq!(remainder(&modulus, factor), 0);
            assert!(is_weak_rsa(&modulus), "{factor}");
        }
        // All ones is a multiple of three.
        assert!(is_weak_rsa(&[0xff; 256]));
    }
}
