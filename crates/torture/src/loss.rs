//! A session is lost: whose fault was it?
//!
//! The refresh token that the session last had is the witness. Its issuer knows whether it was
//! redeemed, whether that was the first time, and whether it would still be taken.

use std::fmt;
use std::time::Duration;

use intelliauth_emulator::RefreshTokenState;

use crate::ledger::{Ledger, Place};

/// The refresh token that a session has, or last had.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    pub(crate) place: Place,
    /// What it is worth to the issuer.
    pub(crate) state: RefreshTokenState,
}

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
    /// The answer was lost, and the same request would have been answered again.
    LostInGrace,
    /// The issuer had rotated it, no answer was lost, and the new one is not in the session.
    NotKept,
    /// The session's file is gone, or says that nobody is signed in.
    RecordGone,
    /// A process was told that the person must sign in, although they were.
    AskedInVain,
}

/// Everything that is known when a loss is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'j> {
    pub(crate) ledger: &'j Ledger,
    pub(crate) kills: &'j [Kill],
    /// The grace period that the processes know of.
    pub(crate) grace: Option<Duration>,
}

impl Judge<'_> {
    /// The refresh token was erased: what the family ended with says why.
    pub(crate) fn erased(&self, family: &str, is_alive: bool) -> Fault {
        match self.ledger.reused_in(family) {
            Some(place) => self.reused(place),
            None if is_alive => Fault::Ours(Ours::ErasedGood),
            None => Fault::Ours(Ours::NotKept),
        }
    }

    /// The refresh token stands there, and no process will redeem it any more.
    ///
    /// In a grace period they were there to repeat the request until it was answered.
    pub(crate) fn given_up(&self, token: &Witness) -> Fault {
        match self.left(token) {
            Fault::Issuer(_) if self.grace.is_some() && token.state == RefreshTokenState::Spent => {
                Fault::Ours(Ours::LostInGrace)
            }
            fault => fault,
        }
    }

    /// The refresh token stands there, and there is no process any more that would redeem it.
    pub(crate) fn left(&self, token: &Witness) -> Fault {
        let place = &token.place;
        match token.state {
            _ if self.is_good(token) => Fault::Ours(Ours::GivenUpGood),
            RefreshTokenState::Replayable | RefreshTokenState::Spent => {
                let lost = self.lost(place).filter(|_| !self.has_arrived(place));
                lost.map_or(Fault::Ours(Ours::NotKept), Fault::Issuer)
            }
            _ => self.erased(&place.0, false),
        }
    }

    /// Whether the next redemption of the token, or the same one again, is answered.
    pub(crate) fn is_good(&self, token: &Witness) -> bool {
        match token.state {
            RefreshTokenState::Current => true,
            RefreshTokenState::Replayable => !self.has_arrived(&token.place),
            _ => false,
        }
    }

    /// A token came again, and ended its family.
    fn reused(&self, place: &Place) -> Fault {
        let Some(lost) = self.lost(place) else {
            return Fault::Ours(Ours::UsedTwice);
        };
        let after = self.ledger.reused_after(place);
        let is_in_grace = self
            .grace
            .is_some_and(|grace| after.is_none_or(|after| after < grace));
        if is_in_grace {
            return Fault::Ours(Ours::LostInGrace);
        }
        Fault::Issuer(lost)
    }

    /// How an answer to a redemption of this token was lost, if one was.
    pub(crate) fn lost(&self, place: &Place) -> Option<Lost> {
        if self.ledger.dropped(place) > 0 {
            return Some(Lost::Dropped);
        }
        (self.killed_processed(place) > 0).then_some(Lost::Killed)
    }

    /// Whether the issuer has answered it more often than answers are known to be lost.
    pub(crate) fn has_arrived(&self, place: &Place) -> bool {
        self.ledger.answers(place) > self.lost_answers(place)
    }

    /// How many answers to this token are known to be lost.
    pub(crate) fn lost_answers(&self, place: &Place) -> u64 {
        self.ledger.dropped(place) + self.killed_processed(place)
    }

    /// How many redemptions of this token are known to have ended without an answer.
    pub(crate) fn unanswered(&self, place: &Place) -> u64 {
        let killed = self.kills.iter().filter(|kill| kill.place == *place);
        killed.count() as u64 + self.ledger.dropped(place)
    }

    /// Whether the issuer has done its part in the redemption of this token that is under way.
    pub(crate) fn is_processed(&self, token: &Witness) -> bool {
        match token.state {
            RefreshTokenState::Spent => true,
            RefreshTokenState::Replayable => self.has_arrived(&token.place),
            _ => false,
        }
    }

    fn killed_processed(&self, place: &Place) -> u64 {
        let killed = self.kills.iter();
        let killed = killed.filter(|kill| kill.place == *place && kill.was_processed);
        killed.count() as u64
    }
}

impl Ours {
    pub(crate) const ALL: [Self; 7] = [
        Self::UsedTwice,
        Self::ErasedGood,
        Self::GivenUpGood,
        Self::LostInGrace,
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
            Self::GivenUpGood => "given up after lost redemptions, though good",
            Self::LostInGrace => "lost with an answer that could be had again",
            Self::NotKept => "rotated, and the new one not kept",
            Self::RecordGone => "the session's record is gone",
            Self::AskedInVain => "asked to sign in although signed in",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::REUSED_AFTER;

    fn kill(number: u64, was_processed: bool) -> Kill {
        Kill {
            place: ("fam".to_owned(), number),
            was_processed,
            was_repetition: false,
        }
    }

    fn erased(ledger: &Ledger, kills: &[Kill], grace: Option<Duration>) -> Fault {
        let judge = Judge {
            ledger,
            kills,
            grace,
        };
        judge.erased("fam", false)
    }

    #[test]
    fn a_repetition_after_a_lost_answer_is_the_issuers() {
        let dropped = Ledger::of(&[(0, 0, 0), (1, 0, 1)], &[1]);
        let fault = erased(&dropped, &[], None);
        assert_eq!(fault, Fault::Issuer(Lost::Dropped));
        let killed = Ledger::of(&[(0, 0, 0), (1, 0, 0)], &[1]);
        let fault = erased(&killed, &[kill(1, true)], None);
        assert_eq!(fault, Fault::Issuer(Lost::Killed));
    }

    #[test]
    fn a_repetition_that_a_grace_period_covers_is_ours_if_it_is_lost() {
        let dropped = Ledger::of(&[(0, 0, 0), (1, 0, 1)], &[1]);
        let killed = Ledger::of(&[(0, 0, 0), (1, 1, 0)], &[1]);
        let kills = [kill(1, true), kill(1, true)];
        let grace = Some(REUSED_AFTER + Duration::from_millis(1));
        let ours = Fault::Ours(Ours::LostInGrace);
        assert_eq!(erased(&dropped, &[], grace), ours);
        assert_eq!(erased(&killed, &kills, grace), ours);
        // It came too late: the grace period was over.
        let grace = Some(REUSED_AFTER);
        assert_eq!(erased(&dropped, &[], grace), Fault::Issuer(Lost::Dropped));
        assert_eq!(erased(&killed, &kills, grace), Fault::Issuer(Lost::Killed));
    }

    #[test]
    fn a_token_used_twice_after_its_answer_arrived_is_ours() {
        let ledger = Ledger::of(&[(0, 0, 0), (1, 0, 1)], &[0]);
        let used_twice = Fault::Ours(Ours::UsedTwice);
        for grace in [None, Some(Duration::from_secs(60))] {
            assert_eq!(erased(&ledger, &[], grace), used_twice);
            // Killed before the issuer saw it, or in another redemption: that explains nothing.
            let kills = [kill(0, false), kill(1, true)];
            assert_eq!(erased(&ledger, &kills, grace), used_twice);
        }
    }

    #[test]
    fn a_good_token_that_is_gone_is_ours() {
        let ledger = Ledger::of(&[(0, 0, 0)], &[]);
        let judge = Judge {
            ledger: &ledger,
            kills: &[],
            grace: None,
        };
        assert_eq!(judge.erased("fam", true), Fault::Ours(Ours::ErasedGood));
        assert_eq!(judge.erased("fam", false), Fault::Ours(Ours::NotKept));
    }

    #[test]
    fn a_token_that_is_given_up_is_judged_by_what_it_is_worth() {
        use RefreshTokenState::{Current, Replayable, Spent};
        let lost = Ledger::of(&[(0, 0, 1)], &[]);
        let kept = Ledger::of(&[(0, 0, 0)], &[]);
        let grace = Some(Duration::from_secs(60));
        let issuers = Fault::Issuer(Lost::Dropped);
        let rows = [
            (&lost, None, Current, Fault::Ours(Ours::GivenUpGood)),
            (&lost, None, Spent, issuers),
            (&kept, None, Spent, Fault::Ours(Ours::NotKept)),
            (&lost, grace, Replayable, Fault::Ours(Ours::GivenUpGood)),
            (&kept, grace, Replayable, Fault::Ours(Ours::NotKept)),
            (&lost, grace, Spent, Fault::Ours(Ours::LostInGrace)),
            (&kept, grace, Spent, Fault::Ours(Ours::NotKept)),
        ];
        for (ledger, grace, state, expected) in rows {
            let place = ("fam".to_owned(), 0);
            let judge = Judge {
                ledger,
                kills: &[],
                grace,
            };
            let token = Witness { place, state };
            assert_eq!(judge.given_up(&token), expected, "{grace:?} {state:?}");
        }
        // With no process left that could repeat it, it is the issuer's again.
        let judge = Judge {
            ledger: &lost,
            kills: &[],
            grace,
        };
        let place = ("fam".to_owned(), 0);
        assert_eq!(
            judge.left(&Witness {
                place,
                state: Spent
            }),
            issuers
        );
    }

    #[test]
    fn an_answer_has_arrived_if_fewer_are_lost() {
        let ledger = Ledger::of(&[(0, 2, 1)], &[]);
        let place = ("fam".to_owned(), 0);
        let with = |kills: &[Kill]| {
            let judge = Judge {
                ledger: &ledger,
                kills,
                grace: Some(Duration::from_secs(60)),
            };
            (judge.has_arrived(&place), judge.unanswered(&place))
        };
        assert_eq!(with(&[kill(0, true)]), (true, 2));
        assert_eq!(with(&[kill(0, true), kill(0, false)]), (true, 3));
        assert_eq!(with(&[kill(0, true), kill(0, true)]), (false, 3));
    }
}
