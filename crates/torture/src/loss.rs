//! A session is lost: whose fault was it?
//!
//! The refresh token that the session last had is the witness. Its issuer knows whether it was
//! redeemed, whether that was the first time, and whether it would still be taken.

use std::fmt;

use intelliauth_emulator::{RefreshTokenRecord, RefreshTokenState};

use crate::issuer::{Ledger, Place};

/// A process that was killed inside a redemption.
#[derive(Clone, Debug)]
pub(crate) struct Kill {
    /// The refresh token that it was redeeming.
    pub(crate) place: Place,
    /// The issuer had done its part: the answer was lost with the process.
    pub(crate) was_processed: bool,
    /// It was repeating a redemption whose answer had been lost before.
    pub(crate) was_repetition: bool,
}

/// How many redemptions of this token are known to have ended without an answer.
pub(crate) fn unanswered(place: &Place, ledger: &Ledger, kills: &[Kill]) -> usize {
    let killed = kills.iter().filter(|kill| kill.place == *place).count();
    killed + usize::from(ledger.is_dropped(place))
}

/// Whose fault a loss is, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The issuer's: the answer was lost on the way, and it takes the repetition for theft.
    Issuer(Lost),
    Ours(Ours),
}

/// How the answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    Dropped,
    Killed,
}

/// What we did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ours {
    /// A refresh token was used twice although the first answer had arrived.
    UsedTwice,
    /// The refresh token was erased although the issuer would have taken it.
    ErasedGood,
    /// It was given up after two redemptions without an answer, although the issuer would have taken it.
    GivenUpGood,
    /// The issuer had rotated it, no answer was lost, and the new one is not in the session.
    NotKept,
    /// The session's file is gone, or says that nobody is signed in.
    RecordGone,
    /// A process was told that the person must sign in, although they were.
    AskedInVain,
}

/// The refresh token was erased: what the family ended with says why.
pub(crate) fn judge_erased(family: &str, is_alive: bool, ledger: &Ledger, kills: &[Kill]) -> Fault {
    match ledger.reused_in(family) {
        Some(place) => {
            lost(place, ledger, kills).map_or(Fault::Ours(Ours::UsedTwice), Fault::Issuer)
        }
        None if is_alive => Fault::Ours(Ours::ErasedGood),
        None => Fault::Ours(Ours::NotKept),
    }
}

/// The refresh token stands there, and nobody will redeem it any more.
pub(crate) fn judge_given_up(token: &RefreshTokenRecord, ledger: &Ledger, kills: &[Kill]) -> Fault {
    match token.state {
        RefreshTokenState::Current | RefreshTokenState::Replayable => {
            Fault::Ours(Ours::GivenUpGood)
        }
        RefreshTokenState::Spent => {
            let place = (token.family.clone(), token.number);
            lost(&place, ledger, kills).map_or(Fault::Ours(Ours::NotKept), Fault::Issuer)
        }
        _ => judge_erased(&token.family, false, ledger, kills),
    }
}

/// How the answer to the redemption of this token was lost, if it was.
pub(crate) fn lost(place: &Place, ledger: &Ledger, kills: &[Kill]) -> Option<Lost> {
    if ledger.is_dropped(place) {
        return Some(Lost::Dropped);
    }
    let died = |kill: &Kill| kill.place == *place && kill.was_processed;
    kills.iter().any(died).then_some(Lost::Killed)
}

impl Ours {
    pub(crate) const ALL: [Self; 6] = [
        Self::UsedTwice,
        Self::ErasedGood,
        Self::GivenUpGood,
        Self::NotKept,
        Self::RecordGone,
        Self::AskedInVain,
    ];
}

impl fmt::Display for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UsedTwice => "used twice although an answer had arrived",
            Self::ErasedGood => "erased although the issuer would have taken it",
            Self::GivenUpGood => "given up after two lost redemptions, though good",
            Self::NotKept => "rotated, and the new one not kept",
            Self::RecordGone => "the session's record is gone",
            Self::AskedInVain => "asked to sign in although signed in",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(number: u64, was_processed: bool) -> Kill {
        Kill {
            place: ("fam".to_owned(), number),
            was_processed,
            was_repetition: false,
        }
    }

    #[test]
    fn a_repetition_after_a_lost_answer_is_the_issuers() {
        let dropped = Ledger::of(&[(0, false), (1, true)], &[1]);
        let fault = judge_erased("fam", false, &dropped, &[]);
        assert_eq!(fault, Fault::Issuer(Lost::Dropped));
        let killed = Ledger::of(&[(0, false), (1, false)], &[1]);
        let fault = judge_erased("fam", false, &killed, &[kill(1, true)]);
        assert_eq!(fault, Fault::Issuer(Lost::Killed));
    }

    #[test]
    fn a_token_used_twice_after_its_answer_arrived_is_ours() {
        let ledger = Ledger::of(&[(0, false), (1, true)], &[0]);
        let used_twice = Fault::Ours(Ours::UsedTwice);
        assert_eq!(judge_erased("fam", false, &ledger, &[]), used_twice);
        // Killed before the issuer saw it, or in another redemption: that explains nothing.
        let kills = [kill(0, false), kill(1, true)];
        assert_eq!(judge_erased("fam", false, &ledger, &kills), used_twice);
    }

    #[test]
    fn a_good_token_that_is_gone_is_ours() {
        let ledger = Ledger::of(&[(0, false)], &[]);
        assert_eq!(
            judge_erased("fam", true, &ledger, &[]),
            Fault::Ours(Ours::ErasedGood)
        );
        assert_eq!(
            judge_erased("fam", false, &ledger, &[]),
            Fault::Ours(Ours::NotKept)
        );
    }
}
