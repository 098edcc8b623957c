//! The command line: what a person or a script can ask for, one file per command.
#![expect(
    clippy::print_stdout,
    reason = "answering on stdout is what a command is for"
)]

mod check;
mod deliveries;
mod drift;
mod employees;
mod explain;
mod health;
mod holds;
mod migrate;
pub(crate) mod output;
mod send;
mod serve;
mod sync;
mod webhooks;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, Parser, Subcommand};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use crate::config::{Environment, Settings};
use crate::db::schema;
use crate::service;
use embedded_postgres::{self, Embedded};

/// Ends a leaver's access in your own Postgres the moment HR says so.
#[derive(Debug, Parser)]
#[command(
    name = "leaver",
    version,
    after_help = "Start with `leaver demo`: it shows the whole job with nothing set up.\nAll settings: config/default.toml. Exit codes: 0 done, 1 it failed, 2 used wrongly."
)]
pub struct Cli {
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
    Replay(deliveries::Replay),
    Holds(holds::Holds),
    Explain(explain::Explain),
    Employees(employees::Employees),
    Health(health::HealthCheck),
    Sync(sync::Sync),
    Drift(drift::Drift),
    Webhooks(webhooks::Webhooks),
}

/// Where the settings come from.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Configuration file; else `LEAVER_CONFIG`, else the environment alone
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How to answer.
#[derive(Debug, Clone, Copy, Args)]
pub struct Format {
    /// Answer in JSON, for machines
    #[arg(long)]
    json: bool,
}

impl Config {
    fn load(&self, env: &Environment) -> anyhow::Result<Settings> {
        Ok(Settings::load(self.config.as_deref(), env)?)
    }

    fn read(&self, env: &Environment) -> anyhow::Result<Settings> {
        Ok(Settings::read(self.config.as_deref(), env)?)
    }
}

/// Settings and a connection, for the commands that look into our own tables.
async fn open(config: &Config, env: &Environment) -> anyhow::Result<(Settings, PgConnection)> {
    let (settings, mut conn) = connect(config, env).await?;
    let pending = schema::pending(&mut conn).await?;
    ensure!(
        pending == 0,
        "{pending} of the migrations of the schema leaver are not applied to this database: run `leaver migrate`, or start `leaver serve`"
    );
    Ok((settings, conn))
}

/// Settings and a connection to whatever database there is.
async fn connect(config: &Config, env: &Environment) -> anyhow::Result<(Settings, PgConnection)> {
    let settings = config.read(env)?;
    let conn = service::connect(&service::connect_options(&settings.database)?).await?;
    Ok((settings, conn))
}

/// A private Postgres that is kept from one run to the next.
async fn start_embedded(env: &Environment) -> anyhow::Result<(Embedded, PgConnectOptions)> {
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
    Ok((postgres, connect))
}

/// Runs a command to its exit code.
#[must_use]
pub fn run(cli: Cli, env: &Environment) -> ExitCode {
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
            Command::Holds(command) => command.run(env).await,
            Command::Explain(command) => command.run(env).await,
            Command::Employees(command) => command.run(env).await,
            Command::Health(command) => command.run(env).await,
            Command::Sync(command) => command.run(env).await,
            Command::Drift(command) => command.run(env).await,
            Command::Webhooks(command) => command.run(env).await,
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done.unwrap_or_else(|error| failed(&error))
}

#[expect(
    clippy::print_stderr,
    reason = "the last word of a command that failed"
)]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("leaver: {}", output::chain(error));
    ExitCode::FAILURE
}
