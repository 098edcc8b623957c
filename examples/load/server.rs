//! The servers under load. Each is a child process of this program.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use clap::ValueEnum;
use leaver::api::server::{self, StopSignals};
use leaver::api::slots::Slots;
use leaver::base::clock::{Clock, SystemClock};
use leaver::base::liveness::Phase;
use leaver::config::{Environment, Settings};
use leaver::ingest::inbox::arrivals::{NewArrival, store};
use leaver::service::{Components, Service, connect_options};
use leaver_core::domain::{DeliveryId, SourceName};
use leaver_core::signature::Scheme;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::KEY;

/// Database connections of the server `single`.
const SINGLE_CONNECTIONS: u32 = 10;

/// Kind of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Verify the signature and store nothing
    Nothing,
    /// Verify the signature and run one INSERT per request, over ten connections
    Single,
    /// The service without its worker
    Group,
    /// The whole service
    Service,
    /// The whole service, with one delivery per transaction
    OneByOne,
}

/// Returns the settings that the environment overrides, as `LEAVER__SECTION__KEY`.
#[expect(
    clippy::disallowed_methods,
    reason = "this program passes the variables on to `Environment`"
)]
fn setting_overrides() -> Vec<(String, String)> {
    let variables = std::env::vars();
    variables
        .filter(|(name, _)| name.starts_with("LEAVER__"))
        .collect()
}

/// Runs a server until standard input ends. Prints the addresses of webhooks and of metrics on standard output.
pub(crate) async fn serve(kind: Kind, database: Option<&str>) -> anyhow::Result<()> {
    let url = database.context("--serve needs --database")?;
    let overrides = setting_overrides();
    let overrides = overrides.iter().map(|(name, value)| (&**name, &**value));
    let mut env: BTreeMap<&str, &str> = overrides.collect();
    // Whole companies leave here. The cost of the safeguard is that of its count, whatever the limit.
    for window in [
        "LEAVER__SAFEGUARD__HOUR__FLOOR",
        "LEAVER__SAFEGUARD__DAY__FLOOR",
    ] {
        env.entry(window).or_insert("1000000");
    }
    env.extend([
        ("BAMBOOHR_WEBHOOK_SECRET", KEY),
        ("DATABASE_URL", url),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ]);
    if kind == Kind::OneByOne {
        env.extend([
            ("LEAVER__WORKER__BATCH_SIZE", "1"),
            ("LEAVER__WORKER__CONCURRENCY", "1"),
        ]);
    }
    let settings = Settings::load(None, &Environment::of(env))?;
    leaver::service::telemetry::init(&settings.log, false)?;
    let options = connect_options(&settings.database)?;
    let stop = CancellationToken::new();
    let clock = Arc::new(SystemClock);
    match kind {
        Kind::Service | Kind::OneByOne => {
            let service = Service::start(&settings, options, clock)?;
            while !service.is_ready() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let admin_address = service.admin_address().context("no admin listener")?;
            println!("{} {admin_address}", service.address());
            input_ended().await;
            service.stop().await;
        }
        Kind::Group => {
            let components = Components::new(&settings, options, clock);
            components.liveness.enter(Phase::Ready);
            let app = leaver::api::router(Arc::clone(&components.state));
            let admin = leaver::api::admin_router(Arc::clone(&components.state));
            listen(app, admin, &settings, &stop).await?;
            components.state.intake.close().await;
        }
        Kind::Nothing | Kind::Single => {
            let pool = PgPoolOptions::new()
                .max_connections(SINGLE_CONNECTIONS)
                .connect_with(options.all()[0].clone())
                .await?;
            let source = settings
                .sources
                .first()
                .context("no source is configured")?;
            let baseline = Arc::new(Baseline {
                source: source.name.clone(),
                scheme: source.scheme.clone(),
                pool: (kind == Kind::Single).then_some(pool),
            });
            let app = Router::new()
                .route("/webhooks/bamboohr", post(receive))
                .with_state(baseline);
            listen(app, Router::new(), &settings, &stop).await?;
        }
    }
    Ok(())
}

/// Serves both routers until standard input ends. Prints their addresses.
async fn listen(
    app: Router,
    admin: Router,
    settings: &Settings,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let listener = server::listen(settings.server.listen)?;
    let admin_listener = server::listen(settings.server.listen)?;
    println!(
        "{} {}",
        listener.local_addr()?,
        admin_listener.local_addr()?
    );
    let limits = settings.server.limits.clone();
    let slots = || {
        let proxies = settings.server.trusted_proxies.clone();
        Slots::public(limits.max_connections, proxies, Arc::default())
    };
    let serve = |listener, routes| {
        tokio::spawn(server::serve(
            listener,
            routes,
            limits.clone(),
            slots(),
            StopSignals {
                leaving: CancellationToken::new(),
                stop: stop.clone(),
            },
        ))
    };
    let serving = serve(listener, app);
    serve(admin_listener, admin);
    input_ended().await;
    stop.cancel();
    serving.await?;
    Ok(())
}

async fn input_ended() {
    let wait = || std::io::stdin().lock().read_line(&mut String::new());
    // A read error ends the wait as well.
    let _ = tokio::task::spawn_blocking(wait).await;
}

struct Baseline {
    source: SourceName,
    scheme: Scheme,
    pool: Option<PgPool>,
}

async fn receive(
    State(baseline): State<Arc<Baseline>>,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, StatusCode> {
    let now = SystemClock.now();
    let verified = baseline
        .scheme
        .verify(&baseline.source, &headers, body, now);
    let arrival = NewArrival {
        id: DeliveryId(Uuid::now_v7()),
        delivery: verified.map_err(|_| StatusCode::UNAUTHORIZED)?,
        received_at: now,
    };
    if let Some(pool) = &baseline.pool {
        let stored = async {
            let mut conn = pool.acquire().await?;
            store::insert(&mut conn, &[&arrival]).await
        };
        stored.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    }
    Ok(Json(
        json!({"received": true, "delivery": arrival.id, "duplicate": false}),
    ))
}

/// A server in a child process. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    /// The process stops when this is closed.
    input: Option<ChildStdin>,
    address: String,
    admin_address: String,
}

impl Child {
    /// Starts a server and returns once it listens. Writes its log to the file `log`.
    pub(crate) fn start(kind: Kind, database: &str, log: &Path) -> anyhow::Result<Self> {
        let name = kind
            .to_possible_value()
            .context("this kind of server has no name")?;
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--serve", name.get_name(), "--database", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        let input = process.stdin.take();
        let output = process
            .stdout
            .take()
            .context("the child process has no standard output")?;
        let mut addresses = String::new();
        BufReader::new(output).read_line(&mut addresses)?;
        let (address, admin_address) = addresses
            .trim()
            .split_once(' ')
            .with_context(|| format!("a server did not start; see {}", log.display()))?;
        Ok(Self {
            process,
            input,
            address: address.to_owned(),
            admin_address: admin_address.to_owned(),
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the mean number of deliveries per INSERT, or `None` for a server without metrics.
    pub(crate) async fn rows_per_flush(&self) -> Option<f64> {
        let rows: f64 = self.metric("leaver_insert_batch_rows_sum").await?;
        Some(rows / self.metric::<f64>("leaver_insert_batch_rows_count").await?)
    }

    /// Returns the value of a metric, or `None` if the server does not have it.
    pub(crate) async fn metric<T: FromStr>(&self, name: &str) -> Option<T> {
        let client = leaver::connect::client::new(Duration::from_secs(30)).ok()?;
        let request = client.get(format!("http://{}/metrics", self.admin_address));
        let text = request.send().await.ok()?.text().await.ok()?;
        let named = text.lines().filter_map(|line| line.split_once(' '));
        let mut values = named.filter(|(other, _)| *other == name);
        values.next()?.1.parse().ok()
    }

    /// Returns the resident memory in KiB, either current (`VmRSS`) or peak (`VmHWM`); 0 if it cannot be read.
    pub(crate) fn memory_kib(&self, field: &str) -> u64 {
        let status = self.read_proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let size = line.and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        size.unwrap_or_default()
    }

    /// Returns the CPU time so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = self.read_proc("stat");
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = after_name.split(' ').skip(11).take(2);
        ticks
            .filter_map(|tick| tick.parse::<f64>().ok())
            .sum::<f64>()
            / 100.0
    }

    fn read_proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).unwrap_or_default()
    }

    /// Returns the number of open file descriptors; 0 if it cannot be read.
    pub(crate) fn open_files(&self) -> usize {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.process.id()));
        folder.map_or(0, Iterator::count)
    }

    /// Stops the server gracefully and waits for its end.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.input = None;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
