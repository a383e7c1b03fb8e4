//! Changes about people: suspended, signed out, consent taken back. All of them audited.

use serde_json::json;

use super::change::{By, ChangeError};
use super::{Live, Tenant, TokenOwner};
use crate::audit::{AuditParty, Event, Outcome};
use crate::config::User;
use crate::person::{
    ConsentRecord, FamilyDeath, FamilyRecord, Grace, Grant, RefreshTokenRecord, RefreshTokenState,
    SessionRecord, Which,
};
use crate::policy::RequestedScope;

impl Tenant {
    /// Suspends a person, or lets them in again. A suspended one has no session and no refresh token.
    pub(crate) fn set_user_enabled(
        &self,
        id: &str,
        enabled: bool,
        by: &By,
    ) -> Result<User, ChangeError> {
        let (before, user, sessions) = {
            let mut live = self.live();
            let users = &mut live.users;
            let user = users.iter_mut().find(|user| user.id == id);
            let user = user.ok_or_else(|| ChangeError::UnknownUser(id.to_owned()))?;
            let before = std::mem::replace(&mut user.enabled, enabled);
            let user = user.clone();
            (before, user, live.people.sessions.live_of(id))
        };
        let kind = if enabled {
            "user.enabled"
        } else {
            "user.disabled"
        };
        let (was, is) = (json!({ "enabled": before }), json!({ "enabled": enabled }));
        self.record_change(kind, AuditParty::new("user", id), &was, &is, by);
        if !enabled {
            for session in sessions {
                self.end_session(&session, FamilyDeath::UserSuspended, by);
            }
            // Families of older sign-ins, whose sessions are gone.
            let theirs = |grant: &Grant| grant.user == id;
            let mut live = self.live();
            live.people
                .families
                .end_where(theirs, FamilyDeath::UserSuspended);
            let is_theirs = |owner: &TokenOwner| owner.user == id;
            live.tokens
                .revoke_where(|it| it.person.as_ref().is_some_and(is_theirs));
        }
        Ok(user)
    }

    pub(crate) fn revoke_session(&self, id: &str, by: &By) -> Result<(), ChangeError> {
        if self.live().people.sessions.find(id).is_none() {
            return Err(ChangeError::UnknownSession(id.to_owned()));
        }
        self.end_session(id, FamilyDeath::SessionRevoked, by);
        Ok(())
    }

    /// Ends a session, with every family and every token that came from it.
    pub(crate) fn end_session(&self, id: &str, death: FamilyDeath, by: &By) {
        let (user, families) = {
            let mut live = self.live();
            let Some(session) = live
                .people
                .sessions
                .find_mut(id)
                .filter(|it| !it.is_revoked)
            else {
                return;
            };
            session.is_revoked = true;
            let user = session.user.clone();
            let theirs = |grant: &Grant| grant.session == id;
            let families = live.people.families.end_where(theirs, death);
            let is_theirs = |owner: &TokenOwner| owner.session == id;
            live.tokens
                .revoke_where(|it| it.person.as_ref().is_some_and(is_theirs));
            (user, families)
        };
        let kind = match death {
            FamilyDeath::SignedOut => "user.signed_out",
            _ => "user.session_revoked",
        };
        self.record(Event {
            kind,
            actor: match death {
                FamilyDeath::SignedOut => AuditParty::new("user", user.as_str()),
                _ => by.actor.clone(),
            },
            target: AuditParty::new("session", id),
            outcome: Outcome::Success,
            data: json!({ "user": user, "reason": death, "families": families }),
            context: by.context.clone(),
        });
    }

    /// Ends one family and the tokens that came from it.
    pub(crate) fn end_family(&self, id: &str, death: FamilyDeath) -> bool {
        let mut live = self.live();
        let is_theirs = |owner: &TokenOwner| owner.family == id;
        live.tokens
            .revoke_where(|it| it.person.as_ref().is_some_and(is_theirs));
        live.people.families.end(id, death)
    }

    /// Takes a consent back: of one API, of what is about the person, or all of it.
    ///
    /// Without the consent to `offline_access` the refresh tokens that depend on it end. What a
    /// revoked consent does to live tokens is not documented: access tokens live on until they expire.
    pub(crate) fn revoke_consent(
        &self,
        (user, application): (&str, &str),
        which: Which<'_>,
        by: &By,
    ) -> Vec<ConsentRecord> {
        let revoked = {
            let mut live = self.live();
            let revoked = live.people.consents.revoke((user, application), which);
            let mut scopes = revoked.iter().flat_map(|record| &record.granted);
            if scopes.any(|granted| granted.scope == "offline_access") {
                let theirs = |grant: &Grant| grant.user == user && grant.client_id == application;
                live.people
                    .families
                    .end_where(theirs, FamilyDeath::ConsentRevoked);
            }
            revoked
        };
        for record in &revoked {
            let granted: Vec<&str> = record.granted.iter().map(|it| it.scope.as_str()).collect();
            self.record(Event {
                kind: "consent.revoked",
                actor: by.actor.clone(),
                target: AuditParty::new("user", user),
                outcome: Outcome::Success,
                data: json!({
                    "application": application,
                    "audience": record.audience,
                    "before": { "scopes": granted },
                    "after": { "scopes": [] },
                }),
                context: by.context.clone(),
            });
        }
        revoked
    }

    pub(crate) fn sessions(&self) -> Vec<SessionRecord> {
        let now = self.now();
        let live = self.live();
        live.people.sessions.records(now, live.switches.session_ttl)
    }

    pub(crate) fn families(&self) -> Vec<FamilyRecord> {
        let now = self.now();
        self.live().people.families.records(now)
    }

    pub(crate) fn refresh_token_state(&self, token: &str) -> RefreshTokenState {
        let now = self.now();
        let live = self.live();
        live.people
            .families
            .state(token, now, Grace::of(&live.switches))
    }

    pub(crate) fn refresh_token(&self, token: &str) -> Option<RefreshTokenRecord> {
        let now = self.now();
        let live = self.live();
        let grace = Grace::of(&live.switches);
        live.people.families.record_of(token, now, grace)
    }

    /// Session and application of an id token that was made here; an expired one is accepted
    /// (OpenID Connect RP-Initiated Logout section 4).
    pub(crate) fn session_of(&self, id_token: &str) -> Option<(String, String)> {
        self.live().people.id_tokens.find(id_token)
    }
}

impl Live {
    /// Name and description of a scope, as a page shows them.
    pub(crate) fn words_for(&self, requested: &RequestedScope) -> (&str, &str) {
        let api = self
            .apis
            .iter()
            .find(|api| Some(&api.audience) == requested.audience.as_ref());
        let known = api.and_then(|api| api.scopes.iter().find(|it| it.scope == requested.scope));
        if let Some(known) = known {
            return (&known.name, &known.description);
        }
        let own = ABOUT_PERSON
            .iter()
            .find(|(scope, ..)| *scope == requested.scope);
        own.map_or(("", ""), |(_, name, description)| (name, description))
    }

    /// The place of a scope on a page: as the tenant and the platform list them.
    pub(crate) fn rank(&self, scope: &str) -> usize {
        let own = ABOUT_PERSON.iter().map(|(own, ..)| *own);
        let theirs = self.apis.iter().flat_map(|api| &api.scopes);
        let mut all = own.chain(theirs.map(|it| it.scope.as_str()));
        all.position(|known| known == scope).unwrap_or(usize::MAX)
    }

    /// The text of a page about a scope.
    pub(crate) fn text_of(&self, requested: &RequestedScope) -> String {
        let (name, description) = self.words_for(requested);
        format!("{name}: {description}")
    }
}

/// The scopes of OpenID Connect in words; the platform has none for them.
const ABOUT_PERSON: [(&str, &str, &str); 4] = [
    (
        "openid",
        "Know who you are",
        "Recognise you when you come back",
    ),
    (
        "profile",
        "See your profile",
        "Your name and how you like to be called",
    ),
    (
        "email",
        "See your email address",
        "Your address, and whether it is verified",
    ),
    (
        "offline_access",
        "Stay connected",
        "Keep this access while you are away, until you take it back",
    ),
];
