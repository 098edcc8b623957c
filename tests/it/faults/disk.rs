//! A disk that is full, slow or broken beneath Postgres.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::load_test::{LoadTest, count_503, gather};
use super::own_postgres::OwnPostgres;
use super::say;
use crate::support::scratch;

/// A small disk of its own; gone with the test.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where mounting is not allowed, which is logged.
    fn of_mib(size: u32) -> Option<Self> {
        let at = scratch::folder();
        let options = format!("size={size}m,mode=0755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]);
        let mounted = mount.arg(at.path()).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at));
        }
        say("skipped: a small disk of its own needs root and the right to mount");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no room on it.
    fn fill(&self) {
        let mut file = File::create(self.path().join("other-files")).unwrap();
        for size in [1 << 16, 1 << 10, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.path().join("other-files")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, for whatever still has a file of it open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Gives a folder to the user that the server runs as.
fn give_away(own: &OwnPostgres, to_give: &Path) {
    let owner = fs::metadata(own.home().join("sock")).unwrap();
    chown(to_give, Some(owner.uid()), Some(owner.gid())).unwrap();
    fs::set_permissions(to_give, Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_causes_503_until_there_is_space() {
    let Some(disk) = Disk::of_mib(8) else { return };
    let mut test = LoadTest::new(200, "1s").await;
    let inside = disk.path().join("tablespace");
    fs::create_dir(&inside).unwrap();
    give_away(&test.own, &inside);
    let make = format!("CREATE TABLESPACE small LOCATION '{}'", inside.display());
    test.app.sql(&make).await;
    for table in ["leaver.deliveries", "leaver.audit", "users"] {
        let moved = format!("ALTER TABLE {table} SET TABLESPACE small");
        test.app.sql(&moved).await;
    }
    disk.fill();
    let senders = test.load(8, 400);
    test.endpoints.wait_until_rejected().await;
    disk.make_room();
    let (_, ledger) = test.end(senders).await;
    assert!(count_503(&ledger) > 0, "there was no room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_wal_loses_nothing() {
    let Some(disk) = Disk::of_mib(96) else { return };
    let mut own = OwnPostgres::start().await;
    own.stop().await;
    let wal = walk(own.home(), "pg_wal").unwrap();
    let there = disk.path().join("pg_wal");
    let copied = Command::new("cp").arg("-a").arg(&wal).arg(&there).status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(&wal).unwrap();
    symlink(&there, &wal).unwrap();
    own.start_again().await;
    let mut test = LoadTest::over(own, 200, "1s").await;
    let senders = test.load(8, 1_000);
    disk.fill();
    // Each switch needs a file more, until there is no room for it.
    let mut conn = test.own.conn().await;
    let began = Instant::now();
    let next = "CREATE TABLE IF NOT EXISTS noise (n int); INSERT INTO noise VALUES (1); SELECT pg_switch_wal()";
    while sqlx::raw_sql(next).execute(&mut conn).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never ended");
    }
    test.endpoints.wait_until_rejected().await;
    test.own.stop().await;
    disk.make_room();
    test.own.start_again().await;
    let (found, _) = test.end(senders).await;
    assert!(found.acknowledged > 100, "{found:?}");
}

/// The first folder of this name below another.
fn walk(dir: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(dir).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        match path.ends_with(name) {
            true => Some(path),
            false if path.is_dir() => walk(&path, name),
            false => None,
        }
    })
}

/// Stands before `fsync` of the server, and does what a file says: wait so many milliseconds, or fail.
const SHIM: &str = r#"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static int hold(void) {
    char text[32] = "";
    FILE *file = fopen(CONTROL, "r");
    if (file) { if (!fgets(text, sizeof text, file)) text[0] = 0; fclose(file); }
    if (!strncmp(text, "eio", 3)) { errno = EIO; return -1; }
    int ms = 0;
    if (sscanf(text, "%d", &ms) == 1) usleep(ms * 1000);
    return 0;
}
int fsync(int fd) { return hold() ? -1 : (int) syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return hold() ? -1 : (int) syscall(SYS_fdatasync, fd); }
"#;

/// A Postgres whose flushes obey a file.
struct Shimmed {
    folder: tempfile::TempDir,
}

impl Shimmed {
    /// `None` where there is no C compiler, which is logged.
    async fn make() -> Option<Self> {
        let folder = scratch::folder_for_programs();
        let source = folder.path().join("shim.c");
        fs::write(&source, SHIM).unwrap();
        let control = format!("-DCONTROL=\"{}\"", folder.path().join("control").display());
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", &control, "-o"]);
        cc.arg(folder.path().join("shim.so")).arg(&source);
        if !cc.status().is_ok_and(|made| made.success()) {
            say("skipped: a slow disk needs a C compiler, cc");
            return None;
        }
        let pid = crate::support::database::postgres().await.pid();
        let real = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        symlink(real.with_file_name("initdb"), folder.path().join("initdb")).unwrap();
        let wrapper = format!(
            "#!/bin/sh\nLD_PRELOAD={} exec {} \"$@\"\n",
            folder.path().join("shim.so").display(),
            real.display()
        );
        let postgres = folder.path().join("postgres");
        fs::write(&postgres, wrapper).unwrap();
        fs::set_permissions(&postgres, Permissions::from_mode(0o755)).unwrap();
        let shimmed = Self { folder };
        shimmed.order("0");
        Some(shimmed)
    }

    async fn start(&self) -> OwnPostgres {
        OwnPostgres::start_with(Some(self.folder.path().to_path_buf()), scratch::folder()).await
    }

    fn order(&self, order: &str) {
        fs::write(self.folder.path().join("control"), order).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_slow_disk_senders_share_their_flushes() {
    let Some(disk) = Shimmed::make().await else {
        return;
    };
    let test = LoadTest::over(disk.start().await, 200, "8s").await;
    disk.order("100");
    let began = Instant::now();
    let senders = test.load(64, 640);
    let ledger = gather(senders).await;
    let took = began.elapsed();
    disk.order("0");
    let (found, ledger) = test.end_with(ledger).await;
    assert_eq!((found.acknowledged, count_503(&ledger)), (640, 0));
    // One flush for each would take more than a minute.
    assert!(took < Duration::from_secs(15), "{took:?}");
    let slowest = ledger.iter().map(|line| line.slowest).max();
    assert!(slowest < Some(Duration::from_secs(3)), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_that_fails_ends_postgres_and_loses_nothing() {
    let Some(disk) = Shimmed::make().await else {
        return;
    };
    let mut test = LoadTest::over(disk.start().await, 200, "8s").await;
    let senders = test.load(16, 600);
    test.endpoints.wait_until_acknowledged(20).await;
    disk.order("eio");
    let began = Instant::now();
    while sqlx::raw_sql("CREATE TABLE IF NOT EXISTS noise (n int); INSERT INTO noise VALUES (1)")
        .execute(&mut test.app.conn)
        .await
        .is_ok()
    {
        assert!(began.elapsed() < Duration::from_secs(20), "it never ended");
    }
    disk.order("0");
    test.own.stop().await;
    test.own.start_again().await;
    let (found, _) = test.end(senders).await;
    assert!(found.acknowledged > 300, "{found:?}");
}
