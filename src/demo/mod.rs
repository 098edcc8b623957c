//! `leaver demo`: the main job with nothing set up, seen from outside. It runs the real service on a private
//! Postgres and sends it real deliveries over HTTP; nothing in it is acted out.
#![expect(
    clippy::print_stdout,
    reason = "showing on stdout is what the demo is for"
)]

pub mod example;
mod story;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use comfy_table::{Attribute, Cell, Color};
use sqlx::{ConnectOptions, PgConnection};
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use self::example::User;
use self::story::{Fate, Sender, Step};
use crate::base::clock::{Clock, SystemClock};
use crate::cli::output;
use crate::config::{Environment, Settings};
use crate::connect::client;
use crate::service::Service;
use crate::service::telemetry;
use embedded_postgres::{self, Embedded};
use leaver_core::signature::Scheme;

/// Show the whole job with nothing set up, on a private Postgres
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver demo --once\n  leaver demo --listen 127.0.0.1:9090")]
pub struct Demo {
    /// End after the showing; exits 0 only when everything came out as it should
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
        let settings = self.settings(env, &keys)?;
        telemetry::init(&settings.log).context("LEAVER_LOG")?;
        let mut asked_to_stop = signal(SignalKind::terminate())?;
        let mut interrupted = signal(SignalKind::interrupt())?;

        let began = Instant::now();
        let postgres = self.start_postgres(env).await?;
        println!(
            "A private PostgreSQL {} is up after {:.1} s, on a unix socket in {}.",
            postgres.version(),
            began.elapsed().as_secs_f64(),
            postgres.base().display()
        );
        let options = example::fresh_database(&postgres).await?;
        let mut conn = options.connect().await?;
        let service = Service::start(&settings, options.clone(), Arc::new(SystemClock))?;
        let shown = tokio::select! {
            shown = show(&settings, &service, &mut conn) => shown,
            error = service.failed() => Err(error),
            _ = asked_to_stop.recv() => Err(anyhow::anyhow!("interrupted")),
            _ = interrupted.recv() => Err(anyhow::anyhow!("interrupted")),
        };
        if shown.is_ok() && !self.once {
            keys.explain(&service, &postgres);
            tokio::select! {
                _ = asked_to_stop.recv() => {}
                _ = interrupted.recv() => {}
                error = service.failed() => println!("{error:#}"),
            }
            println!();
        }
        drop(conn);
        service.stop().await;
        tokio::task::spawn_blocking(move || postgres.stop()).await??;
        Ok(if shown? {
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
        let made_up = Environment::of([
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
        Ok(Settings::load(None, &made_up)?)
    }

    async fn start_postgres(&self, env: &Environment) -> anyhow::Result<Embedded> {
        let home = if self.once {
            embedded_postgres::DataDir::Ephemeral
        } else {
            let home = embedded_postgres::default_data_dir(
                nix::unistd::geteuid().is_root(),
                env.raw("XDG_STATE_HOME").map(AsRef::as_ref),
                env.raw("HOME").map(AsRef::as_ref),
            );
            embedded_postgres::DataDir::Persistent(home.join("demo"))
        };
        let options = embedded_postgres::Options {
            bin_dir: env.raw("PG_BINDIR").map(PathBuf::from),
            search_path: env.raw("PATH").cloned(),
            data_dir: home,
        };
        tokio::task::spawn_blocking(move || Embedded::start(&options))
            .await?
            .context("cannot start a private Postgres")
    }
}

/// The keys of this one showing.
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

    fn explain(&self, service: &Service, postgres: &Embedded) {
        println!(
            "\nThe service goes on at http://{} until Ctrl-C. In another terminal:\n\n  \
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

/// The admin listener's address, or nothing where there is none.
fn admin_address(service: &Service) -> String {
    let address = service.admin_address();
    address.map_or_else(String::new, |address| address.to_string())
}

/// Users before, each delivery and its answer, users after. True when everything came out as it should.
async fn show(
    settings: &Settings,
    service: &Service,
    conn: &mut PgConnection,
) -> anyhow::Result<bool> {
    wait_until(|| async { Ok(service.is_ready()) })
        .await
        .context("the service did not get ready")?;
    println!(
        "Leaver {} listens on http://{}.\n",
        env!("CARGO_PKG_VERSION"),
        service.address()
    );

    let before = example::users(conn).await?;
    println!(
        "The application's users before:\n{}\n",
        users_table(&before, None)
    );

    let now = SystemClock.now();
    let steps = story::steps(now);
    let mut as_expected = true;
    let mut deliveries = output::table(&["", "from", "what HR says", "answer", "settled after"]);
    for (position, step) in steps.iter().enumerate() {
        let answer = deliver(settings, service, step).await?;
        as_expected &= answer.status == step.expected_status && answer.duplicate == step.repeats;
        wait_until_settled(conn).await?;
        let settled = if answer.status == 200 && !answer.duplicate {
            milliseconds(answer.sent_at.elapsed())
        } else {
            "-".to_owned()
        };
        deliveries.add_row([
            (position + 1).to_string(),
            format!("{}\n{}", step.sender.name(), step.form),
            step.says.to_owned(),
            answer.shown(),
            settled,
        ]);
    }
    println!("Deliveries, signed as the providers sign and sent over HTTP:\n{deliveries}\n");

    let mut after = example::users(conn).await?;
    example::explain_kept(conn, settings, &mut after).await?;
    println!(
        "The application's users after:\n{}\n",
        users_table(&after, Some(&before))
    );

    for user in &after {
        let expected = story::fate_of(&user.email);
        let came_out = example::fate(conn, user).await?;
        if came_out != expected {
            as_expected = false;
            println!(
                "NOT AS EXPECTED: {}: {came_out:?} instead of {expected:?}",
                user.email
            );
        }
    }
    let count = |fate: Fate| {
        after
            .iter()
            .filter(|user| story::fate_of(&user.email) == fate)
            .count()
    };
    if as_expected {
        println!(
            "{} leavers lost access and their sessions, {} will at a known moment, {} waits for a person, {} kept access.",
            count(Fate::Deactivated),
            count(Fate::Scheduled),
            count(Fate::Held),
            count(Fate::Untouched),
        );
        println!(
            "All of it is recorded in leaver.audit, with the reason and the delivery that caused it."
        );
    } else {
        println!("Something did not come out as it should; see above.");
    }
    Ok(as_expected)
}

struct Answer {
    status: u16,
    body: String,
    duplicate: bool,
    sent_at: Instant,
    elapsed: Duration,
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}

impl Answer {
    fn shown(&self) -> String {
        let took = milliseconds(self.elapsed);
        let what = match (self.status, self.duplicate) {
            (200, false) => "200 stored".to_owned(),
            (200, true) => "200 duplicate, nothing done".to_owned(),
            (status, _) => {
                let error = serde_json::from_str::<serde_json::Value>(&self.body)
                    .ok()
                    .and_then(|body| {
                        body.get("error")
                            .and_then(|error| error.as_str().map(str::to_owned))
                    });
                format!("{status} {}", error.unwrap_or_default())
            }
        };
        format!("{what}\n{took}")
    }
}

async fn deliver(settings: &Settings, service: &Service, step: &Step) -> anyhow::Result<Answer> {
    let name = step.sender.source();
    let source = settings
        .sources
        .iter()
        .find(|source| source.name.as_str() == name)
        .with_context(|| format!("the demo has no source {name}"))?;
    let scheme: &Scheme = &source.scheme;
    let mut request = client::new(Duration::from_secs(15))?
        .post(format!("http://{}/webhooks/{name}", service.address()))
        .header(reqwest::header::CONTENT_TYPE, step.content_type);
    // A forger signs something else than what is sent.
    let signed_body = if step.sender == Sender::Forger {
        b"{}".as_slice()
    } else {
        step.body.as_bytes()
    };
    for (header, value) in scheme.sign(signed_body, SystemClock.now()) {
        request = request.header(header, value);
    }
    let began = Instant::now();
    let answer = request.body(step.body.clone()).send().await?;
    let status = answer.status().as_u16();
    let body = answer.text().await?;
    Ok(Answer {
        status,
        duplicate: body.contains("\"duplicate\":true"),
        body,
        sent_at: began,
        elapsed: began.elapsed(),
    })
}

fn users_table(users: &[User], before: Option<&[User]>) -> comfy_table::Table {
    let heads: &[&str] = match before {
        None => &["id", "email", "is_active", "sessions"],
        Some(_) => &["id", "email", "is_active", "sessions", "why"],
    };
    let mut table = output::table(heads);
    for user in users {
        let was = before.and_then(|before| before.iter().find(|other| other.id == user.id));
        let changed = was.is_some_and(|was| was.is_active != user.is_active);
        let cell = |text: String| {
            let cell = Cell::new(text);
            if changed {
                cell.fg(Color::Red).add_attribute(Attribute::Bold)
            } else {
                cell
            }
        };
        let mut row = vec![
            cell(user.id.to_string()),
            cell(user.email.clone()),
            cell(user.is_active.to_string()),
            cell(user.sessions.to_string()),
        ];
        if before.is_some() {
            row.push(cell(user.why.clone().unwrap_or_default()));
        }
        table.add_row(row);
    }
    table
}

async fn wait_until_settled(conn: &mut PgConnection) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(15);
    while example::waiting(conn).await? > 0 {
        ensure!(
            Instant::now() < deadline,
            "a delivery was not settled within 15 s"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn wait_until<F: Future<Output = anyhow::Result<bool>>>(
    mut so: impl FnMut() -> F,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(15);
    while !so().await? {
        if Instant::now() > deadline {
            bail!("waited 15 s");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
