//! Tokens where the requests are: the same decisions in each HTTP library.

mod api;
#[cfg(feature = "reqwest")]
mod call;
mod follow;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
mod origin;

pub use api::Api;
#[cfg(feature = "reqwest")]
pub(crate) use call::send_for;
#[cfg(feature = "reqwest")]
pub use call::{CallError, send};
#[cfg(feature = "tower")]
pub use layer::{SecondBody, SendAgain, SendOnce, TokenLayer, TokenService};
#[cfg(feature = "reqwest-middleware")]
pub use middleware::TokenMiddleware;
