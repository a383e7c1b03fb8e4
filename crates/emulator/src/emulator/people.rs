//! What people do here, what the tenant knows about them, and what may be done about it.

use std::sync::Arc;

use super::Emulator;
use crate::login::Person;
use crate::person::{
    ConsentRecord, FamilyRecord, RefreshTokenRecord, RefreshTokenState, SessionRecord, Which,
};
use crate::tenant::{By, ChangeError};

/// People: what they allowed, where they are signed in, which refresh tokens live.
impl Emulator {
    /// A person, by id or address, at a browser of their own without a cookie.
    ///
    /// The pages, their cookies and their redirects are the real ones, over HTTP; only the
    /// callback is not followed. See [`Person::approve`].
    pub fn login_as(&self, user: impl Into<String>) -> Person {
        Person::new(Arc::clone(&self.tenant), user.into())
    }

    /// What people allowed and denied, by person, application and API.
    pub fn consents(&self) -> Vec<ConsentRecord> {
        self.tenant.live().people.consents.records()
    }

    /// The sessions, in order of sign-in.
    pub fn sessions(&self) -> Vec<SessionRecord> {
        self.tenant.sessions()
    }

    /// The families of refresh tokens, in order of their beginning.
    pub fn families(&self) -> Vec<FamilyRecord> {
        self.tenant.families()
    }

    /// The state of a refresh token right now. Asking does not use the token.
    pub fn refresh_token_state(&self, token: &str) -> RefreshTokenState {
        self.tenant.refresh_token_state(token)
    }

    /// Which token of which family a refresh token is; `None` if it was never made here.
    pub fn refresh_token(&self, token: &str) -> Option<RefreshTokenRecord> {
        self.tenant.refresh_token(token)
    }

    /// Takes back all that a person allowed an application at one API, or everything with `None`.
    ///
    /// With the consent to `offline_access` its refresh tokens end. Returns how many records there
    /// were.
    pub fn revoke_consent(&self, user: &str, application: &str, audience: Option<&str>) -> usize {
        let which = audience.map_or(Which::All, Which::Api);
        let by = By::handle();
        self.tenant
            .revoke_consent((user, application), which, &by)
            .len()
    }

    /// Ends a session, and with it every refresh token and access token that came from it.
    ///
    /// # Errors
    ///
    /// [`ChangeError::UnknownSession`]
    pub fn revoke_session(&self, session: &str) -> Result<(), ChangeError> {
        self.tenant.revoke_session(session, &By::handle())
    }

    /// Suspends a person, or lets them in again. Suspending ends every session of theirs.
    ///
    /// # Errors
    ///
    /// [`ChangeError::UnknownUser`]
    pub fn set_user_enabled(&self, user: &str, enabled: bool) -> Result<(), ChangeError> {
        let changed = self.tenant.set_user_enabled(user, enabled, &By::handle());
        changed.map(drop)
    }
}
