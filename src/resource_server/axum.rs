//! axum: a router that takes no route without a requirement, and extractors.

mod extract;
mod fallback;
mod paths;
mod route;
mod router;

pub use extract::{Permission, Permitted};
pub use paths::RouteError;
pub use route::Route;
pub use router::ProtectedRouter;
