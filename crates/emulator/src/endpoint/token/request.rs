//! What every grant has before it: the request, and the application that proved who it is.

use crate::config::Application;
use crate::exchange::Exchange;
use crate::form::Form;
use crate::tenant::Tenant;

/// A token request of an application that proved who it is.
#[derive(Debug)]
pub(super) struct TokenRequest<'r> {
    pub(super) tenant: &'r Tenant,
    pub(super) exchange: &'r Exchange,
    pub(super) application: Application,
    pub(super) form: Form,
}
