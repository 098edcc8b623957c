//! Limits of this process.

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};

/// Keeps the memory of this process, which holds keys and bodies, out of core dumps, and away from debuggers of the same user.
/// Processes that it starts write no core dumps either.
///
/// # Errors
/// Returns the system's error.
pub(crate) fn protect_memory() -> Result<(), Errno> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // A core pattern that starts a program has no size limit, so the limit alone is not enough.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    nix::sys::prctl::set_dumpable(false)?;
    Ok(())
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_no_core_dump_and_closed_to_debuggers() {
        protect_memory().unwrap();
        let limits = nix::sys::resource::getrlimit(Resource::RLIMIT_CORE).unwrap();
        assert_eq!(limits, (0, 0));
        #[cfg(target_os = "linux")]
        assert!(!nix::sys::prctl::get_dumpable().unwrap());
    }
}
