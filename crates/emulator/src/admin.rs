//! The admin API, and what only an emulator has.

use std::sync::Arc;

use axum::Router;

use crate::tenant::Tenant;

pub(crate) fn router(_tenant: &Arc<Tenant>) -> Router<Arc<Tenant>> {
    Router::new()
}
