//! libsolv's growing list of ids, freed when dropped.

use crate::ffi;

/// An owned `Queue`.
pub(crate) struct Queue(ffi::Queue);

impl Queue {
    pub(crate) fn new() -> Self {
        let mut raw = std::mem::MaybeUninit::<ffi::Queue>::zeroed();
        // SAFETY: queue_init writes every field of the struct it is given.
        unsafe {
            ffi::queue_init(raw.as_mut_ptr());
            Self(raw.assume_init())
        }
    }

    pub(crate) fn from_ids(ids: &[ffi::Id]) -> Self {
        let mut queue = Self::new();
        queue.extend(ids);
        queue
    }

    pub(crate) fn extend(&mut self, ids: &[ffi::Id]) {
        if ids.is_empty() {
            return;
        }
        let at = self.0.count;
        // SAFETY: the queue is initialised, `ids` is a live slice of the length given, and `at` is its end.
        unsafe { ffi::queue_insertn(&mut self.0, at, ids.len() as i32, ids.as_ptr()) }
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut ffi::Queue {
        &mut self.0
    }

    pub(crate) fn ids(&self) -> &[ffi::Id] {
        queue_ids(&self.0)
    }
}

/// The ids in a queue that libsolv owns.
pub(crate) fn queue_ids(queue: &ffi::Queue) -> &[ffi::Id] {
    if queue.elements.is_null() || queue.count <= 0 {
        return &[];
    }
    // SAFETY: libsolv keeps `count` initialised ids at `elements`, and the borrow of the queue keeps them in place.
    unsafe { std::slice::from_raw_parts(queue.elements, queue.count as usize) }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the queue was initialised by queue_init and is freed once.
        unsafe { ffi::queue_free(&mut self.0) }
    }
}
