//! A rotation as a change of the session: where the new refresh token enters, and where it is of no use.

use super::{
    change::{Applied, Target, is_same},
    record::{Family, FamilyId, KeptToken, Session, SignInId, SignedIn},
    rules::{Rule, holds},
    transition::{Transition, took},
};
use crate::{
    scope::{Audience, Scopes},
    secret::Secret,
};

/// What a redemption has brought.
#[derive(Clone)]
pub(crate) struct Rotation {
    pub(crate) redeemed: Secret,
    /// The number of the attempt.
    pub(crate) attempt: u64,
    /// The sign-in that it was sent under.
    pub(crate) sign_in: SignInId,
    /// The family that it is of.
    pub(crate) family: FamilyId,
    /// The new refresh token; nothing if the old one stays (RFC 6749 section 6).
    pub(crate) rotated: Option<Secret>,
    /// What was granted; nothing if the rest of the reply was unusable.
    pub(crate) granted: Option<(Audience, Scopes)>,
    pub(crate) token: Option<KeptToken>,
}

impl Rotation {
    /// The account and the sign-in are the record's: a rotation changes one family.
    pub(super) fn apply(&self, session: &mut Option<Session>, target: &mut Target<'_>) -> Applied {
        let Some(found) = session else {
            took(Transition::RecordGone);
            return Applied::Waits;
        };
        // A record that is gone, and that this process has signed out of before: it may come back.
        let is_gone = target.is_gone() && found.sign_in != self.sign_in;
        let Some(signed_in) = &mut found.signed_in else {
            if is_gone {
                took(Transition::RecordGone);
                return Applied::Waits;
            }
            target.to_revoke.extend(self.rotated.clone());
            took(Transition::RotationSignedOut);
            return Applied::SignedOut;
        };
        let is_of_this_sign_in = found.sign_in == self.sign_in;
        self.enter(signed_in, is_of_this_sign_in, target)
    }

    /// The refresh token enters wherever its family is. The access token does not enter another sign-in: what
    /// the person proved there is not what it was issued for.
    fn enter(
        &self,
        signed_in: &mut SignedIn,
        is_of_this_sign_in: bool,
        target: &mut Target<'_>,
    ) -> Applied {
        let family = if holds(Rule::RotationNeedsItsToken) {
            signed_in.family_of(&self.redeemed)
        } else {
            signed_in.families.first_mut()
        };
        if let Some(family) = family {
            self.settle_mark(family);
            if let Some((audience, granted)) = &self.granted {
                family.grant(audience, granted);
            }
            if !is_of_this_sign_in {
                took(Transition::RotationBesideSignIn);
                return Applied::EnteredAside;
            }
            if let Some(token) = &self.token {
                signed_in.keep(token.clone(), target.now);
            }
            took(Transition::RotationEntered);
            return Applied::Entered;
        }
        let own = self.rotated.as_ref();
        if own.is_some_and(|rotated| signed_in.family_of(rotated).is_some()) {
            took(Transition::RotationFound);
            // The access token is of its own sign-in alone, here as above.
            return if is_of_this_sign_in {
                Applied::Found
            } else {
                Applied::Overtaken
            };
        }
        let mut replaced = signed_in.replaced.iter_mut();
        if let Some(replaced) = replaced.find(|one| is_same(one, &self.redeemed))
            && let Some(rotated) = own
        {
            *replaced = rotated.clone();
            took(Transition::RotationOfReplaced);
            return Applied::EnteredAside;
        }
        if target.is_gone() {
            took(Transition::RecordGone);
            return Applied::Waits;
        }
        took(Transition::RotationOvertaken);
        let mut families = signed_in.families.iter();
        let has_another =
            families.any(|one| one.id() == self.family && one.refresh_token.is_some());
        if !has_another {
            // A sign-out has ended the family and not known of this token. Where another process has rotated
            // it, revoking this one would end the good one too (RFC 7009 section 2.1).
            target.to_revoke.extend(self.rotated.clone());
        }
        Applied::Overtaken
    }
}

impl Rotation {
    /// A new refresh token has no mark. The old one keeps the attempts of other processes since.
    fn settle_mark(&self, family: &mut Family) {
        if let Some(rotated) = &self.rotated {
            (family.refresh_token, family.mark) = (Some(rotated.clone()), None);
            return;
        }
        family.settle(self.attempt);
        if !holds(Rule::OldTokenStays) {
            family.refresh_token = None;
        }
    }
}
