//! What follows from a refusal, for a request that may or may not be sent twice.

use crate::{
    error::Error,
    refusal::{Refusal, RefusalKind},
    source::{AfterRefusal, TokenSource},
    token::AccessToken,
};

/// The token to repeat the request with; nothing if the answer is to be handed up.
pub(super) async fn follow<S: TokenSource>(
    source: &S,
    token: &AccessToken,
    refusal: &Refusal,
    can_repeat: bool,
) -> Result<Option<AccessToken>, Error> {
    if !can_repeat && refusal.kind() == RefusalKind::InvalidToken {
        // That the token is on trial changes nothing here: the API's answer says enough.
        let _ = source.reject(token).await;
        return Ok(None);
    }
    Ok(match source.after_refusal(token, refusal).await? {
        AfterRefusal::Repeat(next) if can_repeat => Some(next),
        AfterRefusal::Repeat(_) | AfterRefusal::NotAboutToken => None,
    })
}
