//! Trouble that comes and goes: what of it a schedule may meet, and what is in force now.

use std::collections::BTreeMap;

use super::executor::Instant;

/// One kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    LoadsFail,
    LoadsHang,
    /// A save is refused and was not made.
    SavesFail,
    /// A save is said to have failed, and was made.
    SavesMadeAndFailed,
    /// A save is made long after its caller has given up.
    SavesLate,
    /// A save is neither made nor answered.
    SavesHang,
    /// A save is made and never answered.
    SavesUnanswered,
    /// Larger records find no space.
    Full,
    StoreSlow,
    LocksFail,
    LocksHang,
    /// The share is not mounted: it looks empty.
    Away,
    AnnouncementsLost,
    /// No connection: nothing is sent.
    ConnectFails,
    /// Nothing that is sent arrives, and nothing is answered.
    Outage,
    /// The request arrives and its answer does not.
    AnswersLost,
    /// The request does not arrive, which looks the same.
    RequestsLost,
    /// Requests arrive late, some of them after their sender has given up.
    IssuerSlow,
    /// 503.
    Busy,
    /// 429.
    RateLimited,
    /// A gateway says 502 although the issuer has done its part.
    GatewayFails,
    /// The answer is unusable, but its refresh token can be read.
    AnswersUnusable,
    /// The answer names another person.
    AnswersMixedUp,
    RevocationsLost,
}

impl Trouble {
    pub(super) const ALL: &[Self] = &[
        Self::LoadsFail,
        Self::LoadsHang,
        Self::SavesFail,
        Self::SavesMadeAndFailed,
        Self::SavesLate,
        Self::SavesHang,
        Self::SavesUnanswered,
        Self::Full,
        Self::StoreSlow,
        Self::LocksFail,
        Self::LocksHang,
        Self::Away,
        Self::AnnouncementsLost,
        Self::ConnectFails,
        Self::Outage,
        Self::AnswersLost,
        Self::RequestsLost,
        Self::IssuerSlow,
        Self::Busy,
        Self::RateLimited,
        Self::GatewayFails,
        Self::AnswersUnusable,
        Self::AnswersMixedUp,
        Self::RevocationsLost,
    ];

    /// In how many of a hundred cases it strikes while it is in force.
    pub(super) fn percent(self) -> u32 {
        match self {
            Self::Away | Self::Outage | Self::Full => 100,
            Self::SavesFail | Self::LoadsFail | Self::SavesMadeAndFailed => 60,
            Self::AnswersMixedUp | Self::GatewayFails => 30,
            _ => 45,
        }
    }
}

/// What is in force now, and since when.
#[derive(Debug, Default)]
pub(super) struct Weather(BTreeMap<Trouble, Instant>);

impl Weather {
    pub(super) fn since(&self, trouble: Trouble) -> Option<Instant> {
        self.0.get(&trouble).copied()
    }

    pub(super) fn begins(&mut self, trouble: Trouble, now: Instant) {
        self.0.entry(trouble).or_insert(now);
    }

    pub(super) fn ends(&mut self, trouble: Trouble) {
        self.0.remove(&trouble);
    }

    /// What is in force.
    pub(super) fn all(&self) -> Vec<Trouble> {
        self.0.keys().copied().collect()
    }
}
