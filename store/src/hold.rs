//! Files of bodies that nobody names any more, and those who still want to read them.

use std::fs;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_core::effect::Handle;

use crate::body_path;
use crate::store::Shared;

/// As long as this lives no file of a body is removed; what went meanwhile is removed with it.
#[derive(Debug)]
pub struct BodiesHold(Arc<Shared>);

/// Who holds the files, and which of them are to go afterwards.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<(usize, Vec<Handle>)>);

impl Held {
    fn lock(&self) -> MutexGuard<'_, (usize, Vec<Handle>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodiesHold {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.held.lock().0 += 1;
        Self(shared)
    }
}

impl Drop for BodiesHold {
    fn drop(&mut self) {
        let waiting = {
            let mut held = self.0.held.lock();
            held.0 -= 1;
            if held.0 > 0 {
                return;
            }
            std::mem::take(&mut held.1)
        };
        remove_all(&self.0, &waiting);
    }
}

/// Removes files that no row names since the commit before, or leaves them to the last who holds
/// them. One that cannot be removed is swept at the next start, as are those beyond
/// [`WAITING_MAX`].
pub(crate) fn remove(shared: &Shared, gone: Vec<Handle>) {
    if gone.is_empty() {
        return;
    }
    {
        let mut held = shared.held.lock();
        if held.0 > 0 {
            let room = WAITING_MAX.saturating_sub(held.1.len());
            held.1.extend(gone.into_iter().take(room));
            return;
        }
    }
    remove_all(shared, &gone);
}

fn remove_all(shared: &Shared, handles: &[Handle]) {
    for handle in handles {
        if let Err(error) = fs::remove_file(body_path(&shared.bodies, *handle))
            && error.kind() != io::ErrorKind::NotFound
        {
            log::warn!(handle:% = handle, error:% = error; "a body's file could not be removed");
        }
    }
}

/// Files that wait to be removed, 16 bytes each.
const WAITING_MAX: usize = 1 << 20;
