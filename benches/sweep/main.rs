//! Reads all employees of a company with the real program and measures it: `cargo bench --bench sweep`.
//!
//! A private Postgres holds the application's users. A stand-in for the provider's API generates employees on request.
//! `leaver sync --full` runs twice as a process of its own: first when every employee is new, then when nothing has
//! changed. The bench fails unless exactly the leavers were deactivated.
#![expect(clippy::print_stdout, reason = "the program prints its result")]

mod providers;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use embedded_postgres::{DataDir, Embedded, Options};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};

use self::providers::{Company, Provider, Way};

/// Read all employees of a company with the real program, and measure it
#[derive(Debug, Parser)]
struct Arguments {
    /// Number of employees; one in a hundred has left
    #[arg(long, default_value_t = 10_000)]
    employees: usize,
    /// Provider to measure; both if absent
    #[arg(long)]
    provider: Option<Provider>,
    /// Way to read employees that BambooHR allows at best
    #[arg(long, default_value = "report")]
    way: Way,
    /// Delay of each API response, in milliseconds
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Path of the program, for a comparison with another build
    #[arg(long, default_value = env!("CARGO_BIN_EXE_leaver"))]
    program: PathBuf,
    /// Passed by Cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Figures of one read.
struct Measurement {
    elapsed: Duration,
    peak_kib: Option<u64>,
    wal_bytes: i64,
    stdout: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let providers = [Provider::Merge, Provider::Bamboohr];
    println!(
        "provider  read       employees  seconds  per second  peak MiB  WAL MiB   deactivated"
    );
    for provider in providers {
        if arguments.provider.is_none_or(|chosen| chosen == provider) {
            let company = Company {
                provider,
                employees: arguments.employees,
                latency: Duration::from_millis(arguments.latency_ms),
                way: arguments.way,
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
    create_users(&mut conn, company.employees).await?;
    let address = company.start().await?;
    let folder = tempfile::tempdir()?;
    let config_file = folder.path().join("leaver.toml");
    std::fs::write(&config_file, company.config(address))?;
    let url = postgres.url("postgres");
    let leaver = |args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).arg("--config").arg(&config_file);
        command
            .env("DATABASE_URL", &url)
            .env("SWEEP_SECRET", "a-secret-for-the-bench-only-000000")
            // The safeguard would hold the leavers, of whom there are more than usual.
            .env("LEAVER__SAFEGUARD__HOUR__FLOOR", "1000000")
            .env("LEAVER__SAFEGUARD__DAY__FLOOR", "1000000")
            .stdout(Stdio::piped());
        command
    };
    let migrated = leaver(&["migrate"]).status()?;
    ensure!(migrated.success(), "`leaver migrate` failed");
    // It uses a function of the schema `leaver`.
    sqlx::raw_sql("CREATE INDEX ON users (leaver.email_key(email)); ANALYZE users")
        .execute(&mut conn)
        .await?;

    for (name, expected) in [("first", company.leavers()), ("unchanged", 0)] {
        let before = count_deactivated(&mut conn).await?;
        let command = leaver(&["sync", "--full", "--json"]);
        let measurement = measure_read(command, &mut conn).await?;
        let deactivated = count_deactivated(&mut conn).await? - before;
        print_row(company, name, &measurement, deactivated);
        let records = format!(r#""records":{}"#, company.employees);
        let output: String = measurement.stdout.split_whitespace().collect();
        ensure!(
            output.contains(&records),
            "not all employees were read: {output}"
        );
        ensure!(
            usize::try_from(deactivated)? == expected,
            "{deactivated} users were deactivated instead of {expected}"
        );
    }
    let wrong = "SELECT count(*) FROM users WHERE is_active = (id % 100 = 7)";
    ensure!(
        count(&mut conn, wrong).await? == 0,
        "an employed user was deactivated, or a leaver was not"
    );
    drop(conn);
    tokio::task::spawn_blocking(move || postgres.stop()).await??;
    Ok(())
}

/// Creates the application's users, each with a session. Their ids are the numbers of the employees.
async fn create_users(conn: &mut PgConnection, count: usize) -> anyhow::Result<()> {
    let sql = format!(
        "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, is_active boolean NOT NULL DEFAULT true);
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

async fn count_deactivated(conn: &mut PgConnection) -> anyhow::Result<i64> {
    count(conn, "SELECT count(*) FROM users WHERE NOT is_active").await
}

/// Returns the number of bytes in the write-ahead log so far.
async fn wal_bytes(conn: &mut PgConnection) -> anyhow::Result<i64> {
    let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
    count(conn, sql).await
}

/// Runs the command and measures time, memory and WAL.
async fn measure_read(
    mut command: Command,
    conn: &mut PgConnection,
) -> anyhow::Result<Measurement> {
    let wal_before = wal_bytes(conn).await?;
    let began = Instant::now();
    let child = command.spawn().context("cannot start the program")?;
    let finished = tokio::task::spawn_blocking(move || wait_with_peak(child));
    let (peak_kib, stdout) = finished.await??;
    Ok(Measurement {
        elapsed: began.elapsed(),
        peak_kib,
        wal_bytes: wal_bytes(conn).await? - wal_before,
        stdout,
    })
}

/// Waits for the process. Returns its peak resident memory in KiB, `None` without `/proc`, and its standard output.
fn wait_with_peak(mut child: Child) -> anyhow::Result<(Option<u64>, String)> {
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
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "`leaver sync` failed: {stdout}");
    Ok((peak, stdout))
}

#[expect(clippy::cast_precision_loss, reason = "rounded for display")]
fn print_row(company: &Company, name: &str, measurement: &Measurement, deactivated: i64) {
    let seconds = measurement.elapsed.as_secs_f64();
    let peak = measurement.peak_kib.map_or("unknown".to_owned(), |kib| {
        format!("{:.1}", kib as f64 / 1024.0)
    });
    println!(
        "{:<9} {name:<9} {:>10} {seconds:>8.1} {:>11.0} {peak:>9} {:>8.0} {deactivated:>13}",
        company.provider.name(),
        company.employees,
        company.employees as f64 / seconds,
        measurement.wal_bytes as f64 / 1_048_576.0,
    );
}
