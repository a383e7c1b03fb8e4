//! Locking what is valid between any two statements.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, even after a panic elsewhere: the guarded data is valid between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
