//! How long a call into the store takes, and whether it comes to anything.

use std::time::Duration;

use crate::{
    error::StoreErrorKind,
    session::simulation::{random::Random, settings::StoreKind, weather::Trouble, world::World},
};

/// The time that a call takes, and what is lost of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    /// Until it is done.
    pub(super) before: Duration,
    /// From then until it is answered.
    pub(super) after: Duration,
    /// It is never done.
    pub(super) is_lost: bool,
    /// It is never answered.
    pub(super) is_unanswered: bool,
    is_late: bool,
}

/// What becomes of a save that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Made,
    MadeAndRefused,
    Refused(StoreErrorKind),
}

impl Plan {
    pub(super) fn quick(world: &World) -> Self {
        let is_slow = world.meets(Trouble::StoreSlow);
        let (before, after) = world.executor.draw(|random| {
            let longest = if is_slow {
                4000
            } else {
                usual(world.settings.store)
            };
            (part(random, longest), part(random, longest / 4))
        });
        Self {
            before,
            after,
            is_late: is_slow,
            ..Self::default()
        }
    }

    pub(super) fn load(world: &World) -> Self {
        Self {
            is_lost: world.meets(Trouble::LoadsHang),
            ..Self::quick(world)
        }
    }

    pub(super) fn save(world: &World) -> Self {
        let quick = Self::quick(world);
        if world.meets(Trouble::SavesHang) {
            return Self {
                is_lost: true,
                ..quick
            };
        }
        if world.meets(Trouble::SavesUnanswered) {
            return Self {
                is_unanswered: true,
                ..quick
            };
        }
        if world.meets(Trouble::SavesLate) {
            return Self {
                before: world.executor.draw(|random| random.seconds(4, 40)),
                is_late: true,
                ..quick
            };
        }
        quick
    }

    /// Whether its caller may give up before it is answered.
    pub(super) fn is_troubled(&self) -> bool {
        self.is_lost || self.is_unanswered || self.is_late
    }
}

/// The longest time that a call takes where nothing is wrong, in milliseconds.
fn usual(store: StoreKind) -> u64 {
    match store {
        StoreKind::File => 3,
        StoreKind::Database { .. } => 20,
    }
}

/// Often no time at all, so that other work comes in between by chance alone.
fn part(random: &mut Random, longest: u64) -> Duration {
    if random.percent(40) {
        return Duration::ZERO;
    }
    random.milliseconds(0, longest)
}
