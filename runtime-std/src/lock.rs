//! Locks whose holder panicked are taken all the same: what they guard is changed only by code
//! that leaves it whole at each point where it could panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for the lock, poisoned or not.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
