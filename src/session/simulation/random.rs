//! The one source of chance in a schedule: the same seed draws the same numbers on every machine.

use std::time::Duration;

/// A generator that everything in one schedule draws from, in the order in which it happens.
#[derive(Debug)]
pub(super) struct Random(fastrand::Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds begin alike in a generator of this kind: they are spread first.
        Self(fastrand::Rng::with_seed(spread(seed)))
    }

    /// Never zero.
    pub(super) fn number(&mut self) -> u64 {
        self.0.u64(1..)
    }

    /// One of `0..end`; zero if there is none.
    pub(super) fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.0.usize(..end) }
    }

    /// One of `from..=to`.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.u64(from..=to)
    }

    /// Yes in `percent` of a hundred cases.
    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.0.u32(..100) < percent
    }

    /// Yes once in `count` cases.
    pub(super) fn once_in(&mut self, count: u32) -> bool {
        self.0.u32(..count) == 0
    }

    pub(super) fn milliseconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }

    pub(super) fn seconds(&mut self, from: u64, to: u64) -> Duration {
        self.milliseconds(from * 1000, to * 1000)
    }

    pub(super) fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of them, each as likely as its weight says.
    pub(super) fn weighted<T: Copy>(&mut self, from: &[(u32, T)]) -> T {
        let total: u32 = from.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.0.u32(..total);
        for (weight, one) in from {
            if drawn < *weight {
                return *one;
            }
            drawn -= weight;
        }
        from[from.len() - 1].1
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, 2014).
fn spread(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_draws_one_sequence() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [random.number(), random.number(), random.between(1, 1000)]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn what_has_no_weight_is_never_drawn() {
        let mut random = Random::new(1);
        let all_one = (0..1000).all(|_| random.weighted(&[(0, 'a'), (3, 'b'), (0, 'c')]) == 'b');
        assert!(all_one);
    }
}
