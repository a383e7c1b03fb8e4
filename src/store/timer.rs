//! Whether there is a clock to wait by.

use std::{panic::catch_unwind, time::Duration};

use tokio::{runtime::Handle, time::sleep};

use crate::error::{StoreError, StoreErrorKind};

/// Refuses to wait where nothing tells the time: a timer that is made there panics.
pub(super) fn require_timer() -> Result<(), StoreError> {
    let has_runtime = Handle::try_current().is_ok();
    // A runtime without a timer cannot be asked for it.
    let has_timer = has_runtime && catch_unwind(|| drop(sleep(Duration::ZERO))).is_ok();
    if has_timer {
        return Ok(());
    }
    let error = StoreError::new(
        StoreErrorKind::Other,
        "there is no tokio runtime with a timer to wait in",
    );
    Err(error.with_next_move("call this inside of a tokio runtime that is built with enable_all()"))
}
