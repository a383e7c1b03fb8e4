//! What kinds of programs there are.

use intelliauth::RefreshAhead;

/// What kind of program it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Gets some tokens and ends.
    Program,
    /// Gets some tokens, gives up on one, and ends at once, without `close`.
    GivesUp,
    /// Makes a call in the refresh window and ends at once, without `close`.
    LeavesInWindow,
    /// Runs for a while, with several tasks.
    Service,
}

impl Kind {
    pub(super) fn drawn(draw: &mut fastrand::Rng) -> Self {
        match draw.u8(0..12) {
            0..3 => Self::Program,
            3..5 => Self::GivesUp,
            5..7 => Self::LeavesInWindow,
            _ => Self::Service,
        }
    }

    /// Those that show that it is safe without never do.
    pub(super) fn may_close(self) -> bool {
        matches!(self, Self::Program | Self::Service)
    }

    pub(super) fn ahead(self, draw: &mut fastrand::Rng) -> RefreshAhead {
        let is_inline = match self {
            Self::Program | Self::GivesUp => draw.u8(0..4) > 0,
            Self::LeavesInWindow => false,
            Self::Service => draw.u8(0..4) == 0,
        };
        if is_inline {
            RefreshAhead::Inline
        } else {
            RefreshAhead::Background
        }
    }
}
