//! The lines of the table: what became of an event. A test fails where no schedule takes one of them.

/// One line of the table of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Transition {
    /// A sign-in met nothing, a tombstone, an older sign-in; itself; its own tombstone; another person; a later one.
    SignInOverNothing,
    SignInOverTombstone,
    SignInOverOlder,
    SignInBeside,
    SignInOutliving,
    SignInFound,
    SignInSignedOut,
    SignInOfOther,
    SignInOvertaken,
    /// A sign-out met its own sign-in; its tombstone; an older one; nothing; another sign-in that keeps parts of its own;
    /// another one.
    SignOutEntered,
    SignOutFound,
    SignOutOverTombstone,
    SignOutOverNothing,
    SignOutOfParts,
    SignOutOvertaken,
    /// A rotation met its token; its own result; a sign-in that replaced the token; a tombstone; another token.
    RotationEntered,
    RotationBesideSignIn,
    RotationFound,
    RotationOfReplaced,
    RotationSignedOut,
    RotationOvertaken,
    /// The end of a family met its token; another state.
    EndEntered,
    EndOvertaken,
    /// A mark that is taken back met itself; another state; one in which it may still come.
    UnmarkEntered,
    UnmarkOvertaken,
    UnmarkWaits,
    /// A rotation, the end of a family, a mark that is taken back, or a sign-in that gave way met no record.
    RecordGone,
    /// What a request for an access token found.
    Adopted,
    NotSignedIn,
    NotCovered,
    FamilyEnded,
    AnswersLost,
    Redeemed,
    RepeatedOnce,
    RepeatedWithinGrace,
    /// What became of a redemption.
    Answered,
    Salvaged,
    Refused,
    RefusedOther,
    AnswerLost,
    SurelyNotRedeemed,
    OtherPerson,
    LockLost,
    /// What became of a save.
    Saved,
    Superseded,
    SaveFailed,
    SaveFound,
    Shed,
    /// What a load found that is no session.
    Damaged,
    LoadFailed,
}

/// Takes note of a line that was taken.
#[cfg(not(test))]
#[inline(always)]
pub(super) const fn took(_transition: Transition) {}

#[cfg(test)]
pub(crate) use coverage::{take, took};

#[cfg(test)]
mod coverage {
    use std::{cell::RefCell, collections::BTreeSet};

    use super::Transition;

    thread_local! {
        static TAKEN: RefCell<BTreeSet<Transition>> = const { RefCell::new(BTreeSet::new()) };
    }

    /// Takes note of a line that was taken on this thread.
    pub(crate) fn took(transition: Transition) {
        TAKEN.with_borrow_mut(|taken| taken.insert(transition));
    }

    /// The lines that were taken on this thread since this was asked last.
    pub(crate) fn take() -> BTreeSet<Transition> {
        TAKEN.take()
    }

    impl Transition {
        /// Every line.
        pub(crate) const ALL: &[Self] = &[
            Self::SignInOverNothing,
            Self::SignInOverTombstone,
            Self::SignInOverOlder,
            Self::SignInBeside,
            Self::SignInOutliving,
            Self::SignInFound,
            Self::SignInSignedOut,
            Self::SignInOfOther,
            Self::SignInOvertaken,
            Self::SignOutEntered,
            Self::SignOutFound,
            Self::SignOutOverTombstone,
            Self::SignOutOverNothing,
            Self::SignOutOfParts,
            Self::SignOutOvertaken,
            Self::RotationEntered,
            Self::RotationBesideSignIn,
            Self::RotationFound,
            Self::RotationOfReplaced,
            Self::RotationSignedOut,
            Self::RotationOvertaken,
            Self::EndEntered,
            Self::EndOvertaken,
            Self::UnmarkEntered,
            Self::UnmarkOvertaken,
            Self::UnmarkWaits,
            Self::RecordGone,
            Self::Adopted,
            Self::NotSignedIn,
            Self::NotCovered,
            Self::FamilyEnded,
            Self::AnswersLost,
            Self::Redeemed,
            Self::RepeatedOnce,
            Self::RepeatedWithinGrace,
            Self::Answered,
            Self::Salvaged,
            Self::Refused,
            Self::RefusedOther,
            Self::AnswerLost,
            Self::SurelyNotRedeemed,
            Self::OtherPerson,
            Self::LockLost,
            Self::Saved,
            Self::Superseded,
            Self::SaveFailed,
            Self::SaveFound,
            Self::Shed,
            Self::Damaged,
            Self::LoadFailed,
        ];
    }
}
