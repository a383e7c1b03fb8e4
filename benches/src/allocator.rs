//! The system's allocator with a counter in front, which is off unless a figure is taken.
//!
//! Off, it costs one relaxed load a call, so that times and instructions of peers that allocate stay
//! what they are.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static IS_ON: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

/// What the whole process allocated while something ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heap {
    pub(crate) allocations: u64,
    /// What is still held of it, with what the allocator itself needs for each piece.
    pub(crate) live_bytes: i64,
}

/// Runs `work` and counts, on every thread: let nothing else run meanwhile.
pub(crate) fn counted(work: impl FnOnce()) -> Heap {
    let before = read();
    IS_ON.store(true, Relaxed);
    work();
    IS_ON.store(false, Relaxed);
    let after = read();
    Heap {
        allocations: after.allocations - before.allocations,
        live_bytes: after.live_bytes - before.live_bytes,
    }
}

fn read() -> Heap {
    Heap {
        allocations: ALLOCATIONS.load(Relaxed),
        live_bytes: LIVE_BYTES.load(Relaxed),
    }
}

/// A piece as glibc's malloc cuts it: eight bytes in front, in steps of sixteen, at least 32.
#[expect(clippy::cast_possible_wrap, reason = "no allocation has 2^63 bytes")]
const fn piece(bytes: usize) -> i64 {
    let cut = (bytes + 8).next_multiple_of(16);
    (if cut < 32 { 32 } else { cut }) as i64
}

#[expect(
    unsafe_code,
    reason = "there is no other way to be an allocator; each call is passed on as it came"
)]
// SAFETY: every call reaches `System` with the arguments that came, and its result is returned.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_ON.load(Relaxed) {
            ALLOCATIONS.fetch_add(1, Relaxed);
            LIVE_BYTES.fetch_add(piece(layout.size()), Relaxed);
        }
        // SAFETY: the caller's promises are the ones that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if IS_ON.load(Relaxed) {
            LIVE_BYTES.fetch_sub(piece(layout.size()), Relaxed);
        }
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if IS_ON.load(Relaxed) {
            ALLOCATIONS.fetch_add(1, Relaxed);
            LIVE_BYTES.fetch_add(piece(size) - piece(layout.size()), Relaxed);
        }
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
