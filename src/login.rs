//! A person signs in: a finished login yields a session.

mod authorization;
mod authorization_code;
mod device_code;
mod end_session;
mod identity;
mod loopback;
mod pending;
mod requested_access;
mod resume;
mod sign_in;

pub(crate) use authorization::Authorization;
pub use authorization_code::{AuthorizationCode, Prompt};
pub use device_code::{DeviceCode, DevicePrompt};
pub(crate) use end_session::Leaving;
pub use end_session::{EndSession, PendingLogout};
pub use pending::PendingLogin;
pub(crate) use sign_in::LoginGrant;
pub use sign_in::SignIn;
