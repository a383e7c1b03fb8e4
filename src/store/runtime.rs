//! The runtime that a store is called on.

use tokio::runtime::Handle;

use crate::error::{StoreError, StoreErrorKind};

/// The runtime that this is called on. Outside of any there is nothing to wait by.
pub(super) fn current() -> Result<Handle, StoreError> {
    Handle::try_current().map_err(|error| {
        let what = "a store of sessions was called outside of a tokio runtime";
        StoreError::new(StoreErrorKind::Other, what)
            .with_next_move("call this inside of a tokio runtime that is built with enable_all()")
            .caused_by(error)
    })
}
