//! Sweeps a whole company with the real program and says what it took: `cargo bench --bench sweep`.
//!
//! A private Postgres holds the application's users, a stand-in for the provider's API makes employees as they
//! are asked for, and `leaver sync --full` runs as a process of its own, twice: when everything is new, and when
//! nothing has changed. It fails when other people lost access than those who left.
#![expect(
    clippy::print_stdout,
    reason = "what was measured is for whoever started it"
)]

mod providers;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use embedded_postgres::{DataDir, Embedded, Options};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};

use self::providers::{Company, Provider};

/// Sweep a whole company with the real program, and say what it took
#[derive(Debug, Parser)]
struct Arguments {
    /// How many employees there are; one in a hundred has left
    #[arg(long, default_value_t = 10_000)]
    employees: usize,
    /// Whose API it is; else both, one after the other
    #[arg(long)]
    provider: Option<Provider>,
    /// How long the API takes for each answer, in milliseconds
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Another build of the program, to compare with
    #[arg(long, default_value = env!("CARGO_BIN_EXE_leaver"))]
    program: PathBuf,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one sweep took.
struct Measured {
    elapsed: Duration,
    peak_kib: Option<u64>,
    wal_bytes: i64,
    said: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let both = [Provider::Merge, Provider::Bamboohr];
    println!(
        "provider  sweep      employees  seconds  per second  peak MiB  WAL MiB  switched off"
    );
    for provider in both {
        if arguments.provider.is_none_or(|wanted| wanted == provider) {
            let company = Company {
                provider,
                employees: arguments.employees,
                latency: Duration::from_millis(arguments.latency_ms),
            };
            measure(&company, &arguments.program).await?;
        }
    }
    Ok(())
}

async fn measure(company: &Company, program: &Path) -> anyhow::Result<()> {
    let options = Options {
        bin_dir: std::env::var_os("PG_BINDIR").map(Into::into),
        search_path: std::env::var_os("PATH"),
        data_dir: DataDir::Ephemeral,
    };
    let postgres = tokio::task::spawn_blocking(move || Embedded::start(&options)).await??;
    let mut conn = postgres.connect_options("postgres").connect().await?;
    make_users(&mut conn, company.employees).await?;
    let address = company.start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sweep.toml");
    std::fs::write(&file, company.settings(address))?;
    let url = postgres.url("postgres");
    let leaver = |args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).arg("--config").arg(&file);
        command
            .env("DATABASE_URL", &url)
            .env("SWEEP_SECRET", "a-secret-for-the-bench-only-000000")
            .stdout(Stdio::piped());
        command
    };
    let ready = leaver(&["migrate"]).status()?;
    ensure!(ready.success(), "leaver migrate failed");

    for (name, newly_off) in [("first", company.leavers()), ("unchanged", 0)] {
        let off = off(&mut conn).await?;
        let command = leaver(&["sync", "--full", "--json"]);
        let measured = sweep(command, &mut conn).await?;
        let now_off = self::off(&mut conn).await? - off;
        show(company, name, &measured, now_off);
        let told = format!(r#""records":{}"#, company.employees);
        let said: String = measured.said.split_whitespace().collect();
        ensure!(said.contains(&told), "not everybody was read: {said}");
        ensure!(
            usize::try_from(now_off)? == newly_off,
            "{now_off} users were switched off, and {newly_off} had left"
        );
    }
    let wrong = "SELECT count(*) FROM users WHERE is_active = (id % 100 = 7)";
    ensure!(
        count(&mut conn, wrong).await? == 0,
        "somebody else lost access, or somebody kept it"
    );
    drop(conn);
    tokio::task::spawn_blocking(move || postgres.stop()).await??;
    Ok(())
}

/// The application's users, numbered as the employees are, each with a session.
async fn make_users(conn: &mut PgConnection, count: usize) -> anyhow::Result<()> {
    let sql = format!(
        "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, is_active boolean NOT NULL DEFAULT true);
         CREATE INDEX ON users (lower(email));
         CREATE TABLE sessions (user_id bigint NOT NULL);
         INSERT INTO users (id, email) SELECT n, 'dana.' || n || '@widgets.example' FROM generate_series(1, {count}) n;
         INSERT INTO sessions SELECT id FROM users;
         CREATE INDEX ON sessions ((user_id::text));
         ANALYZE users, sessions"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

async fn count(conn: &mut PgConnection, sql: &'static str) -> anyhow::Result<i64> {
    Ok(sqlx::query(sql).fetch_one(conn).await?.try_get(0)?)
}

async fn off(conn: &mut PgConnection) -> anyhow::Result<i64> {
    count(conn, "SELECT count(*) FROM users WHERE NOT is_active").await
}

/// How much was written to the log of Postgres ever.
async fn wal_bytes(conn: &mut PgConnection) -> anyhow::Result<i64> {
    let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
    count(conn, sql).await
}

async fn sweep(mut command: Command, conn: &mut PgConnection) -> anyhow::Result<Measured> {
    let wal_before = wal_bytes(conn).await?;
    let began = Instant::now();
    let child = command.spawn().context("leaver does not start")?;
    let watched = tokio::task::spawn_blocking(move || watch(child));
    let (peak_kib, said) = watched.await??;
    Ok(Measured {
        elapsed: began.elapsed(),
        peak_kib,
        wal_bytes: wal_bytes(conn).await? - wal_before,
        said,
    })
}

/// The highest resident size of a process until its end, where the system tells, and what it printed.
fn watch(mut child: Child) -> anyhow::Result<(Option<u64>, String)> {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = None;
    while child.try_wait()?.is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let told = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        peak = told.max(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "leaver sync failed: {said}");
    Ok((peak, said))
}

#[expect(clippy::cast_precision_loss, reason = "figures for a person")]
fn show(company: &Company, name: &str, measured: &Measured, off: i64) {
    let seconds = measured.elapsed.as_secs_f64();
    let peak = measured.peak_kib.map_or("unknown".to_owned(), |kib| {
        format!("{:.1}", kib as f64 / 1024.0)
    });
    println!(
        "{:<9} {name:<9} {:>10} {seconds:>8.1} {:>11.0} {peak:>9} {:>8.0} {off:>13}",
        company.provider.name(),
        company.employees,
        company.employees as f64 / seconds,
        measured.wal_bytes as f64 / 1_048_576.0,
    );
}
