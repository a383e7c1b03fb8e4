//! [`PageError`]: how a visit to the pages may fail.

use std::io;

/// Why a person did not get to the end of the pages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// No person has this id or address.
    #[error("no person has the id or the address `{0}`")]
    UnknownUser(String),
    /// The address does not belong to this emulator.
    #[error("the address does not belong to this emulator")]
    Elsewhere,
    /// The request ended on a page of the emulator: a redirect URI that is not registered, an
    /// expired page. The application hears nothing of it.
    #[error("stopped on a page: {title} ({error})")]
    #[non_exhaustive]
    Stopped {
        /// The heading of the page.
        title: String,
        /// The error code on it.
        error: String,
    },
    /// A page did not take what the person typed: a suspended account, an unknown user code.
    #[error("a page refused what was typed: {0}")]
    Refused(String),
    /// The reply is not a page that this driver knows, as after a fault.
    #[error("the reply is not a page of the emulator: status {0}")]
    NoPage(u16),
    /// The connection failed, as after a fault, or when the emulator was dropped.
    #[error("the connection failed")]
    Connection(#[from] io::Error),
}
