//! [`Stop`]: a request that ends on a page of the emulator.

use crate::refusal::{Code, Refusal};

/// Why a request ends on a page of the emulator: the application gets no answer.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) refusal: Box<Refusal>,
    pub(super) title: &'static str,
}

impl Stop {
    pub(super) fn new(title: &'static str, code: Code, description: impl Into<String>) -> Self {
        let refusal = Box::new(Refusal::new(code, description));
        Self { refusal, title }
    }

    /// The ticket is used, expired, or of another browser.
    pub(super) fn gone() -> Self {
        let description = "This page was used already or is too old. \
                           Go back to the application and start again.";
        Self::new("This page has expired", Code::InvalidRequest, description)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        let title = match refusal.code {
            Code::RateLimited => "Too many requests",
            Code::TenantSuspended => "This account is paused",
            Code::ServerError => "Something went wrong",
            _ => "This request cannot be answered",
        };
        let refusal = Box::new(refusal);
        Self { refusal, title }
    }
}
