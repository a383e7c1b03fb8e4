//! A session that the store would not take: it counts here until the store does, or somebody acts.

use super::{OpenSession, lock};
use crate::store::{Session, SignedIn};

/// A session that the store would not take.
#[derive(Clone)]
pub(super) struct Unsaved {
    pub(super) session: Session,
    /// The generation that stands in the store in its place.
    pub(super) replaces: u64,
    /// And the sign-in.
    pub(super) over: u64,
    /// Whether it took nothing over from that one: then it counts however that one has changed.
    pub(super) is_anew: bool,
    /// How often the person had signed out by then.
    pub(super) sign_outs: u64,
}

impl OpenSession {
    /// Keeps what the store would not take, until it does.
    pub(super) fn keep_unsaved(&self, unsaved: Unsaved) {
        let revision = unsaved.session.revision;
        // First, so that whoever looks in between finds it.
        *lock(&self.unsaved) = Some(unsaved);
        self.saw_unsaved(revision);
    }

    pub(super) fn forget_unsaved(&self) {
        lock(&self.unsaved).take();
    }

    /// Lets go of what somebody else was faster than. If it was a sign-out, its tokens are to be revoked,
    /// other than those that `stored` has as well.
    pub(super) fn give_up_unsaved(&self, stored: Option<&Session>) {
        let sign_outs = self.sign_outs();
        let unsaved = lock(&self.unsaved)
            // A share that is not mounted looks empty for a while.
            .take_if(|unsaved| stored.is_some() || unsaved.sign_outs != sign_outs);
        let ended = unsaved.filter(|unsaved| unsaved.sign_outs != sign_outs);
        let Some(mut signed_in) = ended.and_then(|unsaved| unsaved.session.signed_in) else {
            return;
        };
        let in_use = stored.and_then(|stored| stored.signed_in.as_ref());
        signed_in.families.retain(|family| {
            let own = family.refresh_token.as_ref();
            let mut others = in_use.into_iter().flat_map(SignedIn::refresh_tokens);
            own.is_some_and(|own| others.all(|other| other.expose() != own.expose()))
        });
        self.owe(&signed_in);
    }

    /// What would be in the store if that could be used at all: nothing that a sign-out has ended.
    pub(super) fn unsaved(&self) -> Option<Unsaved> {
        let unsaved = lock(&self.unsaved).clone();
        unsaved.filter(|unsaved| unsaved.sign_outs == self.sign_outs())
    }

    /// What is to stand in the place of this record, and does not yet.
    pub(super) fn instead_of(&self, stored: Option<&Session>) -> Option<Unsaved> {
        let unsaved = self.unsaved()?;
        let of = |number: fn(&Session) -> u64| stored.map_or(0, number);
        let is_same = unsaved.replaces == of(|it| it.generation);
        // If somebody has signed in or out meanwhile, that counts; if they have just redeemed, this does.
        let sign_in = of(|it| it.sign_in);
        let is_older = unsaved.is_anew && sign_in != 0 && sign_in == unsaved.over;
        (is_same || is_older).then_some(unsaved)
    }
}
