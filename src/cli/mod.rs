//! The command line, one file per command. Exit codes: 0 done, 1 findings, 2 wrong usage, 3 could not be done.

mod audit;
mod backtest;
mod check;
mod completions;
mod config;
mod deliveries;
mod drift;
mod drift_rows;
mod employees;
mod end;
mod enforce;
mod events;
mod explain;
mod explain_rows;
mod globals;
mod health;
mod holds;
mod init;
mod leavers;
mod man;
mod ids;
mod migrate;
mod modes;
pub(crate) mod output;
mod person;
mod plan;
mod progress;
mod reads;
mod record_filter;
mod records;
mod replay;
mod restores;
mod safeguard;
mod send;
mod sending;
mod serve;
mod sources;
mod sync;
mod undo;
mod trips;
mod webhooks;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, Parser, Subcommand};
use sqlx::PgConnection;

use self::globals::Globals;
use self::output::OutputError;
use self::sources::WrongUse;
use crate::base::process;
use crate::config::{Environment, SecretScope, Settings};
use crate::db::connection::Servers;
use crate::db::error::{Cause, database_error};
use crate::db::schema;
use crate::service;
use embedded_postgres::{self, Embedded};

pub(crate) use globals::start_log;

/// Exit status of a command that failed.
const COULD_NOT_BE_DONE: u8 = 3;

const AFTER_HELP: &str = "\
Start with `leaver demo`, which needs no setup.

Settings: config/default.toml

Output: a table on a terminal, else a header and one tab-separated line per row.
Notes go to stderr.

Exit status:
  0    done, or nothing found
  1    findings: drift, missing deliveries, an incomplete read, an open trip,
       an error that `check` names, an unhealthy service, nobody of that name
  2    used wrongly: a flag, an unknown source, a digest of another list
  3    could not be done: an invalid configuration, no database, an API or a
       service that does not answer, a result that cannot be written
  141  the reader of stdout has left";

/// Ends a leaver's access in your own Postgres as soon as the HR system reports it.
#[derive(Debug, Parser)]
#[command(
    name = "leaver",
    version = crate::base::build::DESCRIPTION.as_str(),
    after_help = AFTER_HELP
)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(crate::demo::Demo),
    Check(check::Check),
    Migrate(migrate::Migrate),
    Send(send::Send),
    Deliveries(deliveries::Deliveries),
    Replay(replay::Replay),
    Events(events::Events),
    Holds(holds::Holds),
    Safeguard(safeguard::Safeguard),
    End(end::End),
    Undo(undo::UndoCommand),
    Plan(plan::ShowPlan),
    Enforce(enforce::Enforce),
    Shadow(enforce::Shadow),
    Explain(explain::Explain),
    Audit(audit::Audit),
    Leavers(leavers::Leavers),
    Employees(employees::Employees),
    Health(health::HealthCheck),
    Sync(sync::Sync),
    Drift(drift::Drift),
    Webhooks(webhooks::Webhooks),
    Restores(restores::Restores),
    Backtest(backtest::Backtest),
    Init(init::Init),
    Config(config::ConfigCommand),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Source of the settings.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Configuration file; default: `LEAVER_CONFIG`, else only the environment
    #[arg(short, long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// Format of the result.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Format {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

impl Config {
    fn load(&self, env: &Environment) -> anyhow::Result<Settings> {
        Ok(Settings::load(self.config.as_deref(), env)?)
    }

    fn read(&self, env: &Environment, scope: &SecretScope<'_>) -> anyhow::Result<Settings> {
        Ok(Settings::read(self.config.as_deref(), env, scope)?)
    }
}

/// Reads the settings without any secret but the URL of the database, and connects, for commands that need the schema `leaver`.
async fn open(config: &Config, env: &Environment) -> anyhow::Result<(Settings, PgConnection)> {
    open_with(config, env, &SecretScope::database()).await
}

/// Does the same with the secrets of a scope, which must have the URL of the database.
async fn open_with(
    config: &Config,
    env: &Environment,
    scope: &SecretScope<'_>,
) -> anyhow::Result<(Settings, PgConnection)> {
    let (settings, mut conn) = connect(config, env, scope).await?;
    ensure_migrated(&mut conn).await?;
    Ok((settings, conn))
}

async fn ensure_migrated(conn: &mut PgConnection) -> anyhow::Result<()> {
    let pending = schema::pending(conn).await?;
    ensure!(
        pending == 0,
        "{} pending in this database; run `leaver migrate` or start `leaver serve`",
        output::count(pending, "migration")
    );
    Ok(())
}

/// Reads the settings and connects. The database may be empty.
async fn connect(
    config: &Config,
    env: &Environment,
    scope: &SecretScope<'_>,
) -> anyhow::Result<(Settings, PgConnection)> {
    let settings = config.read(env, scope)?;
    let conn = service::connect(&service::connect_options(&settings.database)?).await?;
    tracing::info!("cli.connect: connected to the database");
    Ok((settings, conn))
}

/// Starts a private Postgres whose data is kept between runs.
async fn start_embedded(env: &Environment) -> anyhow::Result<(Embedded, Servers)> {
    let home = embedded_postgres::default_data_dir(
        nix::unistd::geteuid().is_root(),
        env.raw("XDG_STATE_HOME").map(AsRef::as_ref),
        env.raw("HOME").map(AsRef::as_ref),
    );
    let options = embedded_postgres::Options {
        bin_dir: env.raw("PG_BINDIR").map(PathBuf::from),
        search_path: env.raw("PATH").cloned(),
        data_dir: embedded_postgres::DataDir::Persistent(home),
    };
    let postgres = tokio::task::spawn_blocking(move || Embedded::start(&options)).await??;
    let connect = postgres.connect_options("postgres");
    Ok((postgres, connect.into()))
}

/// Runs the command of the process's arguments and returns its exit code.
#[must_use]
pub fn main(env: &Environment) -> ExitCode {
    // Before anything is read: nearly every command holds a key or a password.
    if let Err(error) = process::protect_memory() {
        output::note(&format!("leaver: cannot turn core dumps off: {error}"));
    }
    match globals::parse(env) {
        Ok(cli) => run(cli, env),
        Err(code) => code,
    }
}

/// Runs a command and returns its exit code.
#[must_use]
pub fn run(cli: Cli, env: &Environment) -> ExitCode {
    let starts_log = matches!(cli.command, Command::Serve(_) | Command::Demo(_));
    if let Err(error) = cli.globals.apply(env, starts_log) {
        return failed(&error);
    }
    let is_service = matches!(cli.command, Command::Serve(_) | Command::Demo(_));
    let started_at = std::time::Instant::now();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return failed(&anyhow::Error::new(error).context("cannot start the runtime"));
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(command) => command.run(env).await,
            Command::Demo(command) => command.run(env).await,
            Command::Check(command) => command.run(env).await,
            Command::Migrate(command) => command.run(env).await,
            Command::Send(command) => command.run(env).await,
            Command::Deliveries(command) => command.run(env).await,
            Command::Replay(command) => command.run(env).await,
            Command::Events(command) => command.run(env).await,
            Command::Holds(command) => command.run(env).await,
            Command::Safeguard(command) => command.run(env).await,
            Command::End(command) => command.run(env).await,
            Command::Undo(command) => command.run(env).await,
            Command::Plan(command) => command.run(env).await,
            Command::Enforce(command) => command.run(env).await,
            Command::Shadow(command) => command.run(env).await,
            Command::Explain(command) => command.run(env).await,
            Command::Audit(command) => command.run(env).await,
            Command::Leavers(command) => command.run(env).await,
            Command::Employees(command) => command.run(env).await,
            Command::Health(command) => command.run(env).await,
            Command::Sync(command) => command.run(env).await,
            Command::Drift(command) => command.run(env).await,
            Command::Webhooks(command) => command.run(env).await,
            Command::Restores(command) => command.run(env).await,
            Command::Backtest(command) => command.run(env).await,
            Command::Init(command) => command.run(env).await,
            Command::Config(command) => command.run(env),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    if !is_service {
        tracing::info!(
            elapsed_ms = started_at.elapsed().as_millis(),
            "cli.end: done"
        );
    }
    done.unwrap_or_else(|error| failed(&error))
}

/// Returns 0, or 1 if the command found or refused something.
fn exit_code(is_clean: bool) -> ExitCode {
    if is_clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Returns exit code 2.
fn wrong_usage() -> ExitCode {
    ExitCode::from(2)
}

/// Returns exit code 3.
fn could_not_be_done() -> ExitCode {
    ExitCode::from(COULD_NOT_BE_DONE)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    if let Some(error) = error.downcast_ref::<OutputError>() {
        return ExitCode::from(error.report());
    }
    let cause = database_error(error.as_ref()).map(Cause::of);
    let advice = cause
        .filter(Cause::is_of_server)
        .map(|cause| format!("; {}", cause.advice()))
        .unwrap_or_default();
    output::problem(&format!("leaver: {}{advice}", output::chain(error)));
    if error.is::<WrongUse>() {
        wrong_usage()
    } else {
        could_not_be_done()
    }
}
