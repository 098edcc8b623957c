//! Settings of the C library's memory allocator.

/// Allocations from this size on are returned to the operating system as soon as they are freed.
#[cfg(target_env = "gnu")]
const LARGE_BYTES: i32 = 256 * 1024;

/// Freed memory at the end of the heap that is kept for later allocations.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: i32 = 4 * 1024 * 1024;

/// Most heaps. Each thread may use another one, and each keeps freed memory of its own.
#[cfg(target_env = "gnu")]
const HEAPS: i32 = 2;

/// Limits the freed memory that the process keeps. To be called before other threads start.
///
/// By default glibc adapts its limits to the largest allocation that was freed. After a few bodies of 10 MiB the heap of each
/// thread keeps tens of megabytes. Other C libraries have no such setting, and need none.
pub fn limit_freed_memory() {
    #[cfg(target_env = "gnu")]
    for (setting, value) in [
        (libc::M_MMAP_THRESHOLD, LARGE_BYTES),
        (libc::M_TRIM_THRESHOLD, KEPT_BYTES),
        (libc::M_ARENA_MAX, HEAPS),
    ] {
        #[expect(unsafe_code, reason = "there is no safe function for it")]
        // SAFETY: `mallopt` takes two integers and touches only the allocator's own settings, under its lock. It returns 0 for a
        // setting that it does not know, and changes nothing then.
        unsafe {
            libc::mallopt(setting, value);
        }
    }
}
