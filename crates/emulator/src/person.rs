//! What the tenant knows about people: who signed in where, and what they allowed whom.
//!
//! Rules and records only; the pages and the endpoints are elsewhere.

mod browser;
mod code;
mod consent;
mod device;
mod family;
mod grant;
mod id_token;
mod issued_secrets;
mod session;
mod ticket;

pub(crate) use self::browser::{Browser, Browsers};
pub(crate) use self::code::{Code, Codes, Redeemed};
pub use self::consent::{ConsentRecord, ConsentedScope};
pub(crate) use self::consent::{Consents, Shown, Which};
pub(crate) use self::device::{Decision, Device, Devices, Poll};
pub(crate) use self::family::{Families, Family, Grace, Redemption, RefreshRequest, Rotation};
pub use self::family::{FamilyDeath, FamilyRecord, RefreshTokenRecord, RefreshTokenState};
pub(crate) use self::grant::{Grant, Level, SignIn};
pub(crate) use self::id_token::IdTokens;
pub(crate) use self::issued_secrets::IssuedSecrets;
pub use self::session::SessionRecord;
pub(crate) use self::session::{Session, Sessions};
pub(crate) use self::ticket::{
    AuthorizationRequest, Back, Callback, Prompt, Step, Ticket, Tickets,
};

/// Everything about people that changes at run time.
#[derive(Debug, Default)]
pub(crate) struct People {
    pub(crate) browsers: Browsers,
    pub(crate) sessions: Sessions,
    pub(crate) tickets: Tickets,
    pub(crate) codes: Codes,
    pub(crate) devices: Devices,
    pub(crate) consents: Consents,
    pub(crate) families: Families,
    pub(crate) id_tokens: IdTokens,
    /// Every secret value that was handed out, for the logs.
    pub(crate) issued_secrets: IssuedSecrets,
}
