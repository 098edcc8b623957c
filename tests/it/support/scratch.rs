//! Folders for what tests write, in memory if there is enough: creating files on disk dominates the run time.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::statvfs::statvfs;
use tempfile::TempDir;

/// Free bytes below which the shared memory is not used.
const ENOUGH: u64 = 2 << 30;

/// Returns a new folder that the server's own user can pass through.
pub(crate) fn folder() -> TempDir {
    with_mode(0o711)
}

/// Returns a new folder in which every user can write.
pub(crate) fn open_folder() -> TempDir {
    with_mode(0o777)
}

fn with_mode(mode: u32) -> TempDir {
    let folder = tempfile::tempdir_in(parent()).unwrap();
    // Set afterwards, because the umask would remove bits from a new folder's mode.
    fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
    folder
}

/// Returns a new folder on disk: programs may not be run from shared memory everywhere.
pub(crate) fn folder_for_programs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

fn parent() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = statvfs(memory).map_or(0, |at| at.blocks_available() * at.fragment_size());
    if free > ENOUGH {
        memory.to_path_buf()
    } else {
        std::env::temp_dir()
    }
}

/// Keeps a folder and removes it once this process has ended, even if it was killed.
#[expect(
    clippy::zombie_processes,
    reason = "it ends after this process and cannot be waited for"
)]
pub(crate) fn until_process_ends(folder: TempDir) -> PathBuf {
    let path = folder.keep();
    // Its input is a pipe from us, which ends when we do. Postgres may still write for a moment.
    let mut reaper = Command::new("sh")
        .args([
            "-c",
            r#"cat; until rm -rf "$0"; do sleep 0.1; done"#,
            path.to_str().unwrap(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::mem::forget(reaper.stdin.take());
    path
}
