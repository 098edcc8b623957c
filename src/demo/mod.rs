//! `leaver demo`: an end-to-end demo without setup. It runs the real service on a private Postgres and sends it signed
//! deliveries over HTTP; nothing is simulated.

mod bad_feed;
mod deliver;
pub(crate) mod example;
mod receiver;
mod story;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use sqlx::PgConnection;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use self::deliver::{deliver, milliseconds};
use self::example::User;
use self::receiver::Receiver;
use self::story::DemoOutcome;
use crate::base::clock::{Clock, SystemClock};
use crate::cli::output::{Color, Table};
use crate::cli::{output, start_log};
use crate::config::{Environment, Settings};
use crate::db::connection;
use crate::service::Service;
use embedded_postgres::{self, Embedded};

/// Run an end-to-end demo on a private Postgres, without setup
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver demo --once\n  leaver demo --listen 127.0.0.1:9090\n\nIt runs in a temporary folder (TMPDIR), which it removes when it stops."
)]
pub(crate) struct Demo {
    /// Exit when finished; 0 only if every result is as expected
    #[arg(long)]
    once: bool,
    /// Address for webhooks; default 127.0.0.1:8080, or any free port with --once
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Address for API, metrics and health; default 127.0.0.1:8081, or any free port with --once
    #[arg(long)]
    admin_listen: Option<SocketAddr>,
}

impl Demo {
    pub(crate) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let keys = Keys::new();
        let mut settings = self.settings(env, &keys)?;
        output::defer_end();
        start_log(&settings.log, "off", 1)?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;

        let receiver = Receiver::start().await?;
        settings.destinations.push(receiver.destination());
        let started_at = Instant::now();
        let postgres = start_postgres(env).await?;
        output::line!(
            "Private PostgreSQL {} started in {:.1} s (unix socket in {}).",
            postgres.version(),
            started_at.elapsed().as_secs_f64(),
            postgres.base().display()
        );
        let options = example::fresh_database(&postgres).await?;
        let mut conn = connection::open(&options).await?;
        let service = Service::start(&settings, options.clone(), Arc::new(SystemClock))?;
        let result = tokio::select! {
            result = run_story(&settings, &service, &receiver, &mut conn) => result,
            error = service.failed() => Err(error),
            _ = terminate.recv() => Err(anyhow::anyhow!("interrupted")),
            _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        };
        if result.is_ok() && !self.once && output::failed_write().is_none() {
            keys.print_next_steps(&service, &postgres);
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                error = service.failed() => output::line!("{error:#}"),
            }
            output::line!();
        }
        drop(conn);
        service.stop().await;
        tokio::task::spawn_blocking(move || postgres.stop()).await??;
        if result.is_ok() && !self.once {
            output::line!("Stopped. The private Postgres and its folder are removed.");
        }
        let result = result?;
        if let Some(code) = output::failed_write() {
            return Ok(code);
        }
        Ok(if result {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn settings(&self, env: &Environment, keys: &Keys) -> anyhow::Result<Settings> {
        let address = |given: Option<SocketAddr>, default: &str| match (given, self.once) {
            (Some(given), _) => given.to_string(),
            (None, true) => "127.0.0.1:0".to_owned(),
            (None, false) => default.to_owned(),
        };
        let listen = address(self.listen, "127.0.0.1:8080");
        let admin_listen = address(self.admin_listen, "127.0.0.1:8081");
        let demo_env = Environment::of([
            ("BAMBOOHR_WEBHOOK_SECRET", keys.bamboohr.as_str()),
            ("MERGE_WEBHOOK_SECRET", keys.merge.as_str()),
            ("LEAVER__ACCOUNTS__END_SESSIONS", example::END_SESSIONS),
            ("LEAVER_LISTEN", listen.as_str()),
            ("LEAVER_ADMIN_LISTEN", admin_listen.as_str()),
            ("LEAVER_LOG", env.text("LEAVER_LOG").unwrap_or("error")),
            (
                "LEAVER_LOG_FORMAT",
                env.text("LEAVER_LOG_FORMAT").unwrap_or("text"),
            ),
        ]);
        Ok(Settings::load(None, &demo_env)?)
    }
}

/// Starts a Postgres in a temporary folder, which is removed at the end: a demo leaves nothing behind, as root too.
async fn start_postgres(env: &Environment) -> anyhow::Result<Embedded> {
    let options = embedded_postgres::Options {
        bin_dir: env.raw("PG_BINDIR").map(PathBuf::from),
        search_path: env.raw("PATH").cloned(),
        data_dir: embedded_postgres::DataDir::Ephemeral,
    };
    tokio::task::spawn_blocking(move || Embedded::start(&options))
        .await?
        .context("cannot start a private Postgres")
}

/// Webhook keys of this run.
struct Keys {
    bamboohr: String,
    merge: String,
}

impl Keys {
    fn new() -> Self {
        let key = || Uuid::new_v4().simple().to_string();
        Self {
            bamboohr: key(),
            merge: key(),
        }
    }

    fn print_next_steps(&self, service: &Service, postgres: &Embedded) {
        output::line!(
            "\nThe service keeps running at http://{} until Ctrl-C. In another terminal:\n\n  \
             export DATABASE_URL='{}'\n  \
             export BAMBOOHR_WEBHOOK_SECRET={} MERGE_WEBHOOK_SECRET={}\n  \
             export LEAVER__ACCOUNTS__END_SESSIONS='{}' LEAVER_LISTEN={} LEAVER_ADMIN_LISTEN={}\n  \
             leaver holds list\n  \
             leaver explain yuki.tan@example.com\n  \
             leaver health",
            service.address(),
            postgres.url(example::DATABASE),
            self.bamboohr,
            self.merge,
            example::END_SESSIONS,
            service.address(),
            admin_address(service),
        );
    }
}

/// Returns the admin listener's address, or an empty text if there is none.
fn admin_address(service: &Service) -> String {
    let address = service.admin_address();
    address.map_or_else(String::new, |address| address.to_string())
}

/// Prints the users before, each delivery with its response, and the users after. Returns whether every result is as
/// expected.
async fn run_story(
    settings: &Settings,
    service: &Service,
    receiver: &Receiver,
    conn: &mut PgConnection,
) -> anyhow::Result<bool> {
    wait_until(|| async { Ok(service.is_ready()) })
        .await
        .context("the service did not become ready")?;
    output::line!(
        "Leaver {} listens on http://{}.\n",
        env!("CARGO_PKG_VERSION"),
        service.address()
    );

    let before = example::users(conn).await?;
    output::line!(
        "The application's users before:\n{}\n",
        users_table(&before, None)
    );

    let now = SystemClock.now();
    let steps = story::steps(now);
    let mut as_expected = true;
    let mut deliveries = Table::with([
        ("#", 0),
        ("from", 1),
        ("HR reports", 0),
        ("response", 0),
        ("processed in", 2),
    ]);
    for (position, step) in steps.iter().enumerate() {
        let response = deliver(settings, service, step).await?;
        as_expected &=
            response.status == step.expected_status && response.is_duplicate == step.is_repeat;
        wait_until_processed(conn).await?;
        let processed_in = if response.status == 200 && !response.is_duplicate {
            milliseconds(response.sent_at.elapsed())
        } else {
            "-".to_owned()
        };
        deliveries.add_row([
            (position + 1).to_string(),
            format!("{} {}", step.sender.name(), step.form),
            step.event.to_owned(),
            response.display(),
            processed_in,
        ]);
    }
    output::line!("Deliveries, signed like the providers' own and sent over HTTP:\n{deliveries}\n");

    let mut after = example::users(conn).await?;
    example::explain_unchanged(conn, settings, &mut after).await?;
    output::line!(
        "The application's users after:\n{}\n",
        users_table(&after, Some(&before))
    );

    let leavers = after
        .iter()
        .filter(|user| story::expected_outcome(&user.email) == DemoOutcome::Deactivated);
    as_expected &= receiver.show(&after, leavers.count()).await;

    for user in &after {
        let expected = story::expected_outcome(&user.email);
        let outcome = example::outcome(conn, user).await?;
        if outcome != expected {
            as_expected = false;
            output::line!(
                "UNEXPECTED: {}: {outcome:?} instead of {expected:?}",
                user.email
            );
        }
    }
    let count = |outcome: DemoOutcome| {
        after
            .iter()
            .filter(|user| story::expected_outcome(&user.email) == outcome)
            .count()
    };
    if as_expected {
        output::line!(
            "{} leavers lost access and sessions, {} is scheduled, {} is on hold, {} kept access.",
            count(DemoOutcome::Deactivated),
            count(DemoOutcome::Scheduled),
            count(DemoOutcome::Held),
            count(DemoOutcome::Untouched),
        );
        output::line!(
            "The audit log (leaver.audit) holds each change with its reason and delivery."
        );
    } else {
        output::line!("Some results are not as expected; see above.");
    }
    as_expected &= bad_feed::run(settings, service, conn).await?;
    Ok(as_expected)
}

fn users_table(users: &[User], before: Option<&[User]>) -> Table {
    let columns = [
        ("id", 0),
        ("email", 0),
        ("is_active", 0),
        ("sessions", 1),
        ("why", 2),
    ];
    let shown = if before.is_some() {
        columns.len()
    } else {
        columns.len() - 1
    };
    let mut table = Table::with(columns.into_iter().take(shown));
    for user in users {
        let previous = before.and_then(|before| before.iter().find(|other| other.id == user.id));
        let has_changed = previous.is_some_and(|previous| previous.is_active != user.is_active);
        let cells = [
            user.id.to_string(),
            user.email.clone(),
            user.is_active.to_string(),
            user.sessions.to_string(),
            user.why.clone().unwrap_or_default(),
        ];
        let cells = cells.into_iter().take(shown);
        if has_changed {
            table.add_colored_row(Color::Red, cells);
        } else {
            table.add_row(cells);
        }
    }
    table
}

async fn wait_until_processed(conn: &mut PgConnection) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(15);
    while example::count_pending(conn).await? > 0 {
        ensure!(
            Instant::now() < deadline,
            "a delivery was not processed within 15 s"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn wait_until<F: Future<Output = anyhow::Result<bool>>>(
    mut condition: impl FnMut() -> F,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(15);
    while !condition().await? {
        if Instant::now() > deadline {
            bail!("still waiting after 15 s");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
