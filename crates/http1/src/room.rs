//! The buffer that a thread's connections share.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

/// Where a thread's connections read into, one at a time: those that wait hold no buffers.
#[derive(Clone)]
pub struct Room(Arc<Mutex<Box<[u8]>>>);

impl Room {
    /// A room of so many bytes: the most that is read at once.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![0; bytes].into_boxed_slice())))
    }

    /// The room. Held for a read only.
    pub fn enter(&self) -> MutexGuard<'_, Box<[u8]>> {
        self.0.lock()
    }
}
