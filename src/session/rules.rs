//! The rules by name, so that a test can switch one off and see the simulation find it.
//!
//! Outside of this crate's own tests every rule holds, and asking costs nothing.

/// A rule of the sessions that can be switched off in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// The store's lock is taken before a redemption.
    LockFamily,
    /// The session is loaded again once the lock is held.
    LoadUnderLock,
    /// A redemption is marked before it is sent.
    MarkBeforeRedeeming,
    /// What cannot be marked is not redeemed.
    NoMarkNoRedemption,
    /// A mark whose write is uncertain, and that was never sent, is taken back.
    UnmarkUnsent,
    /// The lock is asked whether it is still held, right before the refresh token is sent, and before the answers
    /// to it are said to be lost.
    CheckLock,
    /// A repetition is the request that the mark names.
    RepeatTheMarkedRequest,
    /// A mark that names no request is not repeated.
    NamelessMarkIsNotRepeated,
    /// A lost redemption is repeated once, ever.
    RepeatOnce,
    /// Within a grace period that the dialect names the same request may be repeated.
    RepeatWithinGrace,
    /// The grace period counts from the first mark.
    GraceFromTheFirstMark,
    /// Nothing is repeated before the issuer answers at all.
    ProbeBeforeRepeating,
    /// What surely was not redeemed takes its mark back.
    UnmarkUnredeemed,
    /// What may have been redeemed keeps its mark.
    MarkStaysInDoubt,
    /// A new refresh token is saved before anything is handed up.
    PersistBeforeHandingUp,
    /// What the store does not take stays pending.
    KeepPending,
    /// The new refresh token of a reply that is unusable otherwise is kept.
    SalvageRotated,
    /// Without a new refresh token the old one stays.
    OldTokenStays,
    /// A refusal ends a family only if that still holds the token that was refused.
    EndOnlyTheRefused,
    /// A save that was superseded is made anew from what is there.
    MergeWhenSuperseded,
    /// A rotation enters only where its family still holds the token that was redeemed.
    RotationNeedsItsToken,
    /// A sign-out ends the sign-in that it was made for, and no later one.
    SignOutEndsItsOwn,
    /// A sign-out counts in this process before the store has taken it.
    SignOutCountsAtOnce,
    /// A sign-in that could not be saved gives way to one that came later elsewhere.
    LaterSignInWins,
    /// A sign-in drops the access tokens that it replaces.
    SignInDropsTokens,
    /// What the sign-in is not known to cover is refused without a request.
    CoveredOnly,
    /// A refreshed ID token has to name the same person.
    SamePersonWhenRefreshed,
    /// Where the same person has to sign in, another one is refused.
    SamePersonSignsIn,
    /// Every call into the store has a time limit.
    LimitStoreCalls,
    /// A damaged record is set aside.
    SetAsideDamaged,
}

/// Whether the rule is in force.
#[cfg(not(test))]
#[expect(clippy::inline_always, reason = "it is a constant outside of tests")]
#[inline(always)]
pub(super) const fn holds(_rule: Rule) -> bool {
    true
}

#[cfg(test)]
pub(crate) use switches::{holds, switch_off};

#[cfg(test)]
mod switches {
    use std::{cell::RefCell, collections::HashSet};

    use super::Rule;

    thread_local! {
        static OFF: RefCell<HashSet<Rule>> = RefCell::default();
    }

    /// Whether the rule is in force on this thread.
    pub(crate) fn holds(rule: Rule) -> bool {
        OFF.with_borrow(|off| !off.contains(&rule))
    }

    /// Switches a rule off on this thread, until the result is dropped.
    pub(crate) fn switch_off(rule: Rule) -> SwitchedOff {
        OFF.with_borrow_mut(|off| off.insert(rule));
        SwitchedOff(rule)
    }

    /// A rule that is switched off.
    #[must_use = "the rule is in force again when this is dropped"]
    pub(crate) struct SwitchedOff(Rule);

    impl Drop for SwitchedOff {
        fn drop(&mut self) {
            OFF.with_borrow_mut(|off| off.remove(&self.0));
        }
    }

    impl Rule {
        /// Every rule.
        pub(crate) const ALL: &[Self] = &[
            Self::LockFamily,
            Self::LoadUnderLock,
            Self::MarkBeforeRedeeming,
            Self::NoMarkNoRedemption,
            Self::UnmarkUnsent,
            Self::CheckLock,
            Self::RepeatTheMarkedRequest,
            Self::NamelessMarkIsNotRepeated,
            Self::RepeatOnce,
            Self::RepeatWithinGrace,
            Self::GraceFromTheFirstMark,
            Self::ProbeBeforeRepeating,
            Self::UnmarkUnredeemed,
            Self::MarkStaysInDoubt,
            Self::PersistBeforeHandingUp,
            Self::KeepPending,
            Self::SalvageRotated,
            Self::OldTokenStays,
            Self::EndOnlyTheRefused,
            Self::MergeWhenSuperseded,
            Self::RotationNeedsItsToken,
            Self::SignOutEndsItsOwn,
            Self::SignOutCountsAtOnce,
            Self::LaterSignInWins,
            Self::SignInDropsTokens,
            Self::CoveredOnly,
            Self::SamePersonWhenRefreshed,
            Self::SamePersonSignsIn,
            Self::LimitStoreCalls,
            Self::SetAsideDamaged,
        ];
    }
}
