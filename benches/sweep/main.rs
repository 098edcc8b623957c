//! Measures a full sync of a company with the real program: `cargo bench --bench sweep`.
//!
//! A private Postgres has the application's users, and a stub of the provider's API generates employees on request.
//! `leaver sync --full` runs twice as a separate process: first with all employees new, then with nothing changed. The
//! benchmark fails if anybody but the leavers lost access.
#![expect(clippy::print_stdout, reason = "the results are printed")]

mod providers;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use embedded_postgres::{DataDir, Embedded, Options};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};

use self::providers::{Company, Provider};

/// Measure a full sync of a company with the real program
#[derive(Debug, Parser)]
struct Arguments {
    /// Number of employees; 1 % of them have left
    #[arg(long, default_value_t = 10_000)]
    employees: usize,
    /// Provider whose API is read [default: both, one after the other]
    #[arg(long)]
    provider: Option<Provider>,
    /// Latency of each API response, in milliseconds
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Path of the program, for comparing builds
    #[arg(long, default_value = env!("CARGO_BIN_EXE_leaver"))]
    program: PathBuf,
    /// Set by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// The measurements of one sync.
struct Measured {
    elapsed: Duration,
    peak_kib: Option<u64>,
    wal_bytes: i64,
    output: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let both = [Provider::Merge, Provider::Bamboohr];
    println!(
        "provider  sweep      employees  seconds  per second  peak MiB  WAL MiB   deactivated"
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
        home: DataDir::Ephemeral,
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
        let expected = format!(r#""records":{}"#, company.employees);
        let output: String = measured.output.split_whitespace().collect();
        ensure!(
            output.contains(&expected),
            "not all employees were read: {output}"
        );
        ensure!(
            usize::try_from(now_off)? == newly_off,
            "{now_off} users were deactivated, but {newly_off} had left"
        );
    }
    let wrong = "SELECT count(*) FROM users WHERE is_active = (id % 100 = 7)";
    ensure!(
        count(&mut conn, wrong).await? == 0,
        "an employed person lost access, or a leaver kept it"
    );
    drop(conn);
    tokio::task::spawn_blocking(move || postgres.stop()).await??;
    Ok(())
}

/// Creates the application's users, with the numbers of the employees and one session each.
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

/// Returns the number of WAL bytes written since the cluster was created.
async fn wal_bytes(conn: &mut PgConnection) -> anyhow::Result<i64> {
    let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
    count(conn, sql).await
}

async fn sweep(mut command: Command, conn: &mut PgConnection) -> anyhow::Result<Measured> {
    let wal_before = wal_bytes(conn).await?;
    let began = Instant::now();
    let child = command.spawn().context("leaver did not start")?;
    let watched = tokio::task::spawn_blocking(move || watch(child));
    let (peak_kib, output) = watched.await??;
    Ok(Measured {
        elapsed: began.elapsed(),
        peak_kib,
        wal_bytes: wal_bytes(conn).await? - wal_before,
        output,
    })
}

/// Waits for a process. Returns its peak resident size, if the system reports it, and its output.
fn watch(mut child: Child) -> anyhow::Result<(Option<u64>, String)> {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = None;
    while child.try_wait()?.is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let current = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        peak = current.max(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "leaver sync failed: {text}");
    Ok((peak, text))
}

#[expect(clippy::cast_precision_loss, reason = "rounded for display")]
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
