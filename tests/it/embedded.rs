//! The embedded Postgres, started for real. Tests that need a process to kill start this binary again to hold a cluster.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use embedded_postgres::{DataDir, Embedded, Error, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::support::scratch;

/// Names the folder that a holder shall keep a cluster in; empty for a throw-away cluster.
const HOLD: &str = "LEAVER_TEST_HOLD";

fn options(data_dir: DataDir) -> Options {
    Options {
        bin_dir: env::var_os("PG_BINDIR").map(PathBuf::from),
        search_path: env::var_os("PATH"),
        data_dir,
    }
}

fn start_in(base: &Path) -> Result<Embedded, Error> {
    Embedded::start(&options(DataDir::Persistent(base.to_path_buf())))
}

/// A folder below which a cluster can live, which the server's own user can pass through.
fn room() -> TempDir {
    scratch::folder()
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// The first column of the only row, as a text.
fn ask(options: &PgConnectOptions, sql: &str) -> String {
    block_on(async {
        let mut connection = PgConnection::connect_with(options).await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap()
    })
}

fn execute(options: &PgConnectOptions, sql: &'static str) {
    block_on(async {
        let mut connection = PgConnection::connect_with(options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    });
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Polls, since what we wait for happens in another process.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns whether a process is gone. A zombie is: where nobody reaps it, its id stays.
fn is_gone(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    state.is_some_and(|stat| stat.contains(") Z"))
        || kill(Pid::from_raw(pid.cast_signed()), None).is_err()
}

fn kill_9(pid: u32) {
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
}

/// Runs one test of this binary in a process of its own.
fn this_binary(binary: &Path, test: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["--exact", test, "--nocapture"]);
    command
}

fn holder(base: &OsStr) -> Command {
    let mut command = this_binary(&env::current_exe().unwrap(), "embedded::hold");
    command.env(HOLD, base).stdout(Stdio::piped());
    command
}

/// A process that runs a cluster until it is killed.
struct Holder {
    process: Child,
    postgres: u32,
    base: PathBuf,
}

impl Holder {
    fn start(base: &OsStr) -> Self {
        let mut process = holder(base).spawn().unwrap();
        let line = BufReader::new(process.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("holding ")?.1.to_owned()))
            .unwrap();
        let (postgres, base) = line.split_once(' ').unwrap();
        Self {
            process,
            postgres: postgres.parse().unwrap(),
            base: PathBuf::from(base),
        }
    }

    /// Kills it as `kill -9` does. Its server is not asked.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Does nothing unless it is started as a holder.
#[test]
fn hold() {
    let Some(base) = env::var_os(HOLD) else {
        return;
    };
    let home = if base.is_empty() {
        DataDir::Ephemeral
    } else {
        DataDir::Persistent(PathBuf::from(base))
    };
    let embedded = Embedded::start(&options(home)).unwrap();
    let (pid, base) = (embedded.pid(), embedded.base().display());
    writeln!(io::stdout(), "holding {pid} {base}").unwrap();
    loop {
        thread::park();
    }
}

#[test]
fn it_answers_on_its_socket_and_nowhere_else() {
    let room = room();
    let embedded = start_in(&room.path().join("new/base")).unwrap();
    let there = embedded.connect_options("postgres");

    assert!(ask(&there, "SELECT version()").contains(embedded.version()));
    for (setting, value) in [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
    ] {
        let sql = format!("SELECT current_setting('{setting}')");
        assert_eq!(ask(&there, &sql), value, "{setting}");
    }
    let sql = "SELECT datcollate::text FROM pg_database WHERE datname = 'postgres'";
    assert_eq!(ask(&there, sql), "C");
    let by_url = embedded.url("postgres").parse().unwrap();
    assert_eq!(ask(&by_url, "SELECT 'here'"), "here");
    assert!(!embedded.recovered());
    embedded.stop().unwrap();
}

#[test]
fn other_users_cannot_enter_its_folders() {
    let room = room();
    let embedded = start_in(&room.path().join("base")).unwrap();
    let base = embedded.base();
    let major = embedded.version().split_once('.').unwrap().0;
    let data = base.join(format!("pg{major}"));
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&base.join("sock")), 0o700);
    assert_eq!(mode(&base.join("lock")), 0o600);
    assert_eq!(mode(&base.join("postgres.log")), 0o600);
    assert_ne!(fs::metadata(&data).unwrap().uid(), 0);
    assert!(!base.join(format!("pg{major}.init")).exists());
}

#[test]
fn a_folder_has_one_instance_at_a_time() {
    let room = room();
    let first = start_in(room.path()).unwrap();
    let error = start_in(room.path()).unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { .. }), "{error}");
    assert_eq!(
        ask(&first.connect_options("postgres"), "SELECT 'still'"),
        "still"
    );

    first.stop().unwrap();
    start_in(room.path()).unwrap().stop().unwrap();
}

#[test]
fn what_was_written_is_there_after_a_stop_and_a_start() {
    let room = room();
    let embedded = start_in(room.path()).unwrap();
    let there = embedded.connect_options("postgres");
    execute(&there, "CREATE TABLE notes AS SELECT 'kept' AS note");
    let pid = embedded.pid();
    embedded.stop().unwrap();
    assert!(is_gone(pid));

    let embedded = start_in(room.path()).unwrap();
    assert!(!embedded.recovered());
    assert_eq!(ask(&there, "SELECT note FROM notes"), "kept");
}

#[test]
fn a_first_start_that_was_killed_starts_over() {
    let room = room();
    let entries = || fs::read_dir(room.path()).unwrap().flatten();
    let mut first = holder(room.path().as_os_str()).spawn().unwrap();
    wait_until("initdb is at work", || {
        entries().any(|entry| entry.path().join("PG_VERSION").exists())
    });
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(entries().any(|entry| entry.path().extension() == Some(OsStr::new("init"))));

    let embedded = start_in(room.path()).unwrap();
    assert_eq!(
        ask(&embedded.connect_options("postgres"), "SELECT 'new'"),
        "new"
    );
    assert!(entries().all(|entry| entry.path().extension() != Some(OsStr::new("init"))));
}

#[test]
fn the_server_dies_with_its_owner_and_keeps_what_was_committed() {
    let room = room();
    let mut holder = Holder::start(room.path().as_os_str());
    let there = there_of(&holder.base);
    execute(&there, "CREATE TABLE notes AS SELECT 'kept' AS note");

    holder.kill();
    // At once, while the old server is still going.
    let embedded = start_in(room.path()).unwrap();
    assert!(is_gone(holder.postgres));
    assert_eq!(ask(&there, "SELECT note FROM notes"), "kept");
    embedded.stop().unwrap();
}

#[test]
fn a_crash_of_both_is_recovered_from() {
    let room = room();
    let mut holder = Holder::start(room.path().as_os_str());
    let there = there_of(&holder.base);
    execute(&there, "CREATE TABLE notes AS SELECT 'kept' AS note");

    kill_9(holder.postgres);
    holder.kill();
    wait_until("the server is gone", || is_gone(holder.postgres));
    let embedded = start_in(room.path()).unwrap();
    assert!(embedded.recovered());
    assert_eq!(ask(&there, "SELECT note FROM notes"), "kept");
    embedded.stop().unwrap();
}

#[test]
fn a_lock_file_with_a_reused_process_id_is_ignored() {
    let room = room();
    let mut holder = Holder::start(room.path().as_os_str());
    kill_9(holder.postgres);
    holder.kill();
    wait_until("the server is gone", || is_gone(holder.postgres));

    // The id went to a process of the same user, which Postgres would take for its predecessor.
    let mut other = Command::new("sleep");
    other.arg("1000");
    let pid_file = fs::read_dir(room.path())
        .unwrap()
        .map(|entry| entry.unwrap().path().join("postmaster.pid"))
        .find(|path| path.exists())
        .unwrap();
    let owner = fs::metadata(&pid_file).unwrap();
    if geteuid().is_root() {
        other.uid(owner.uid()).gid(owner.gid());
    }
    let mut other = other.current_dir("/").spawn().unwrap();
    let text = fs::read_to_string(&pid_file).unwrap();
    let rest = text.split_once('\n').unwrap().1;
    fs::write(&pid_file, format!("{}\n{rest}", other.id())).unwrap();

    let started = start_in(room.path());
    other.kill().unwrap();
    other.wait().unwrap();
    started.unwrap().stop().unwrap();
}

#[test]
fn throw_away_clusters_live_side_by_side_and_leave_nothing() {
    let start = || Embedded::start(&options(DataDir::Ephemeral)).unwrap();
    let (one, other) = (start(), start());
    execute(&one.connect_options("postgres"), "CREATE TABLE notes ()");
    let sql = "SELECT count(*)::text FROM pg_tables WHERE tablename = 'notes'";
    assert_eq!(ask(&one.connect_options("postgres"), sql), "1");
    assert_eq!(ask(&other.connect_options("postgres"), sql), "0");

    let bases = [one.base().to_path_buf(), other.base().to_path_buf()];
    let pid = other.pid();
    one.stop().unwrap();
    drop(other);
    assert!(is_gone(pid));
    assert!(bases.iter().all(|base| !base.exists()));
}

#[test]
fn a_throw_away_cluster_of_a_dead_owner_is_swept() {
    let mut holder = Holder::start(OsStr::new(""));
    holder.kill();
    wait_until("the server is gone", || is_gone(holder.postgres));

    let embedded = Embedded::start(&options(DataDir::Ephemeral)).unwrap();
    // Another test may be the one that sweeps it.
    wait_until("it is swept", || !holder.base.exists());
    embedded.stop().unwrap();
}

#[test]
fn a_socket_path_that_the_system_would_not_take_is_refused() {
    let room = room();
    let error = start_in(&room.path().join("long".repeat(25))).unwrap_err();
    assert!(matches!(error, Error::SocketPathTooLong(_)), "{error}");
}

#[test]
fn a_wrong_bin_dir_is_named() {
    let mut options = options(DataDir::Ephemeral);
    options.bin_dir = Some(PathBuf::from("/nowhere"));
    let error = Embedded::start(&options).unwrap_err();
    assert!(matches!(error, Error::NotABinDir(_)), "{error}");
}

/// Root runs the tests above through the user `postgres`; this runs them as an ordinary user.
#[test]
fn an_ordinary_user_needs_nothing_set_up() {
    if !geteuid().is_root() {
        return it_answers_on_its_socket_and_nowhere_else();
    }
    let user = User::from_name("nobody").unwrap().unwrap();
    // The checkout may be closed to that user.
    let folder = scratch::folder_for_programs();
    let binary = folder.path().join("it");
    // By another process: a child that a parallel test forks would inherit the open file, which then is busy.
    let copied = Command::new("cp")
        .arg(env::current_exe().unwrap())
        .arg(&binary)
        .status();
    assert!(copied.unwrap().success());
    for test in [
        "embedded::it_answers_on_its_socket_and_nowhere_else",
        "embedded::the_server_dies_with_its_owner_and_keeps_what_was_committed",
    ] {
        let output = this_binary(&binary, test)
            .uid(user.uid.as_raw())
            .gid(user.gid.as_raw())
            .current_dir("/")
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{stdout}");
        assert!(stdout.contains("1 passed"), "{stdout}");
    }
}

/// How to reach a cluster that another process holds.
fn there_of(base: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(base.join("sock"))
        .port(5432)
        .username("postgres")
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
}
