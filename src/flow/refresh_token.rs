//! The refresh token grant (RFC 6749 section 6): a person's session yields a token for each API.

mod resumable;

use std::sync::Arc;

pub(crate) use resumable::resumable;

use super::{Flow, FlowContext};
use crate::{
    error::{Error, UnavailableReason},
    session::{Sessions, Wanted},
    token::TokenResponse,
};

/// A person's tokens: from the session that a sign-in has left, without the person.
#[derive(Debug)]
pub(crate) struct RefreshToken {
    sessions: Arc<Sessions>,
}

impl RefreshToken {
    pub(crate) fn new(sessions: Arc<Sessions>) -> Self {
        Self { sessions }
    }
}

impl Flow for RefreshToken {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let Some(open) = cx.principal.session() else {
            return Err(Error::request(
                "people are kept apart by their sessions: use the client of People::session",
            ));
        };
        for attempt in 1..=ATTEMPTS {
            let wanted = self.wanted(&cx);
            let error = match self.sessions.access_token(open, wanted).await {
                Ok(token) => return Ok(token),
                Err(error) if error.person_needed().is_none() => return Err(error),
                Err(error) => error,
            };
            let signed_in = self.sessions.signed_in(open).await.ok().flatten();
            let signed_in = signed_in.as_ref();
            let error = resumable(
                error,
                cx.endpoint,
                open,
                signed_in,
                cx.urgency.in_background,
            )
            .await;
            // They have acted since it was found: a caller that asked after that waits for this flight too.
            let has_acted = open.revision() != error.revision();
            if !has_acted || attempt == ATTEMPTS {
                return Err(error);
            }
        }
        Err(Error::unavailable(UnavailableReason::Abandoned))
    }
}

impl RefreshToken {
    fn wanted(&self, cx: &FlowContext<'_>) -> Wanted {
        Wanted {
            target: cx.target.clone(),
            urgency: cx.urgency,
            replaces_usable: cx.replaces_usable,
            departed: self.sessions.now(),
        }
    }
}

/// How often a flight starts because of a person who acted meanwhile.
const ATTEMPTS: usize = 2;
