//! Calls to an API: the same decisions in each HTTP library.

#[cfg(feature = "axum")]
mod answer;
#[cfg(any(feature = "reqwest", feature = "tower"))]
mod api;
#[cfg(feature = "reqwest")]
mod call;
#[cfg(any(feature = "reqwest", feature = "tower"))]
mod follow;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
#[cfg(any(feature = "reqwest", feature = "tower"))]
mod origin;
#[cfg(feature = "reqwest")]
mod read;

#[cfg(any(feature = "reqwest", feature = "tower"))]
pub use api::Api;
#[cfg(feature = "reqwest")]
pub use call::{CallError, send};
#[cfg(feature = "reqwest")]
pub(crate) use call::{RequestBuilder, Response, send_for};
#[cfg(feature = "tower")]
pub use layer::{SecondBody, SendAgain, SendOnce, TokenLayer, TokenService};
#[cfg(feature = "reqwest-middleware")]
pub use middleware::TokenMiddleware;
