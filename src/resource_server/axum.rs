//! axum: a router that takes no route without a requirement, and extractors.

mod extract;
mod router;

pub use extract::{Permission, Permitted};
pub use router::{ProtectedRouter, Route};
