//! What a program says when there is no memory left. It stands here because an allocator is unsafe code.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

unsafe extern "C" {
    fn write(fd: c_int, buffer: *const c_void, count: usize) -> isize;
    fn _exit(status: c_int) -> !;
    fn mmap(
        at: *mut c_void,
        len: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn signal(number: c_int, handler: extern "C" fn(c_int)) -> *mut c_void;
}

const SIGABRT: c_int = 6;
const MAP_PRIVATE_ANONYMOUS: c_int = 0x22;

/// Where not even this much can be had an abort is for lack of memory.
const LITTLE: usize = 16 << 20;

/// Those of the process, for aborts.
static SPEAKER: OnceLock<&'static LastWords> = OnceLock::new();

/// The system's allocator with last words: where the standard library would abort the process with a number of bytes,
/// `text` goes to stderr and the process ends with `code`. Nothing is unwound: what is open stays as after `kill -9`.
#[derive(Debug)]
pub struct LastWords {
    /// Whole lines.
    pub text: &'static str,
    /// The exit code.
    pub code: u8,
}

impl LastWords {
    /// From now on the last words are also said where libsolv gets no memory: it aborts the process with a number of
    /// bytes. Other aborts stay what they are.
    pub fn hear_aborts(&'static self) {
        if SPEAKER.set(self).is_ok() {
            // SAFETY: the handler makes system calls only.
            unsafe { signal(SIGABRT, on_abort) };
        }
    }

    fn given(&self, memory: *mut u8) -> *mut u8 {
        if memory.is_null() {
            self.speak();
        }
        memory
    }

    #[cold]
    fn speak(&self) -> ! {
        let text = self.text.as_bytes();
        // SAFETY: the buffer is as long as said. Neither call takes memory or a lock, so they may stand in an
        // allocator; nobody can be told that stderr cannot be written.
        unsafe {
            write(2, text.as_ptr().cast(), text.len());
            _exit(c_int::from(self.code))
        }
    }
}

/// Returning means that the process aborts after all.
extern "C" fn on_abort(_number: c_int) {
    // SAFETY: a new mapping without access rights touches no existing memory.
    let probe = unsafe {
        mmap(
            std::ptr::null_mut(),
            LITTLE,
            0,
            MAP_PRIVATE_ANONYMOUS,
            -1,
            0,
        )
    };
    // MAP_FAILED is an address of all ones.
    if let (usize::MAX, Some(words)) = (probe.addr(), SPEAKER.get()) {
        words.speak();
    }
}

// SAFETY: each call goes to the system's allocator as it came, and so does its answer to the caller; a process that
// ends instead of an answer breaks no promise of the trait.
unsafe impl GlobalAlloc for LastWords {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        self.given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        self.given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        self.given(unsafe { System.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}
