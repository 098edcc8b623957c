//! The servers that are loaded, each as a child process of this program.

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
use leaver::api::connections;
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

/// As the old way had it.
const SINGLE_CONNECTIONS: u32 = 10;

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Checks the signature and stores nothing
    Nothing,
    /// Checks the signature and stores with one INSERT per request, over a pool of ten connections
    Single,
    /// The service's receiving half
    Group,
    /// The whole service
    Service,
    /// The whole service, with one delivery per transaction
    OneByOne,
}

/// Settings of the service that whoever measures wants to be others.
#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own, with a variable for each setting"
)]
fn set_outside() -> Vec<(String, String)> {
    let variables = std::env::vars();
    variables
        .filter(|(name, _)| name.starts_with("LEAVER__"))
        .collect()
}

/// Runs a server until standard input ends; says on standard output where it listens.
pub(crate) async fn serve(kind: Kind, database: Option<&str>) -> anyhow::Result<()> {
    let url = database.context("--serve needs --database")?;
    let set = set_outside();
    let set = set.iter().map(|(name, value)| (&**name, &**value));
    let mut env: BTreeMap<&str, &str> = set.collect();
    env.extend([
        ("BAMBOOHR_WEBHOOK_SECRET", KEY),
        ("DATABASE_URL", url),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
    ]);
    if kind == Kind::OneByOne {
        env.extend([
            ("LEAVER__WORKER__BATCH", "1"),
            ("LEAVER__WORKER__BATCHES", "1"),
        ]);
    }
    let settings = Settings::load(None, &Environment::of(env))?;
    leaver::service::telemetry::init(&settings.log)?;
    let options = connect_options(&settings.database)?;
    let stop = CancellationToken::new();
    let clock = Arc::new(SystemClock);
    match kind {
        Kind::Service | Kind::OneByOne => {
            let service = Service::start(&settings, options, clock)?;
            while !service.is_ready() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            println!("{}", service.address());
            input_ended().await;
            service.stop().await;
        }
        Kind::Group => {
            let parts = Components::new(&settings, options, clock);
            parts.liveness.enter(Phase::Ready);
            let app = leaver::api::router(Arc::clone(&parts.receiver));
            listen(app, &settings, &stop).await?;
            parts.receiver.intake.close().await;
        }
        Kind::Nothing | Kind::Single => {
            let pool = PgPoolOptions::new()
                .max_connections(SINGLE_CONNECTIONS)
                .connect_with(options)
                .await?;
            let source = settings.sources.first().context("no source")?;
            let yardstick = Arc::new(Yardstick {
                source: source.name.clone(),
                scheme: source.scheme.clone(),
                pool: (kind == Kind::Single).then_some(pool),
            });
            let app = Router::new()
                .route("/webhooks/bamboohr", post(receive))
                .with_state(yardstick);
            listen(app, &settings, &stop).await?;
        }
    }
    Ok(())
}

async fn listen(app: Router, settings: &Settings, stop: &CancellationToken) -> anyhow::Result<()> {
    let listener = connections::listen(settings.server.listen)?;
    println!("{}", listener.local_addr()?);
    let limits = settings.server.connections.clone();
    let serving = tokio::spawn(connections::serve(listener, app, limits, stop.clone()));
    input_ended().await;
    stop.cancel();
    serving.await?;
    Ok(())
}

async fn input_ended() {
    let wait = || std::io::stdin().lock().read_line(&mut String::new());
    // However it ends, it has.
    let _ = tokio::task::spawn_blocking(wait).await;
}

struct Yardstick {
    source: SourceName,
    scheme: Scheme,
    pool: Option<PgPool>,
}

async fn receive(
    State(yardstick): State<Arc<Yardstick>>,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, StatusCode> {
    let now = SystemClock.now();
    let verified = yardstick
        .scheme
        .verify(&yardstick.source, &headers, body, now);
    let arrival = NewArrival {
        id: DeliveryId(Uuid::now_v7()),
        delivery: verified.map_err(|_| StatusCode::UNAUTHORIZED)?,
        received_at: now,
    };
    if let Some(pool) = &yardstick.pool {
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

/// A server in a process of its own, which ends with this.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    /// It runs until this is closed.
    input: Option<ChildStdin>,
    address: String,
}

impl Child {
    /// Starts it, and returns when it listens.
    pub(crate) fn start(kind: Kind, database: &str, log: &Path) -> anyhow::Result<Self> {
        let name = kind.to_possible_value().context("a server has a name")?;
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--serve", name.get_name(), "--database", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        let input = process.stdin.take();
        let output = process.stdout.take().context("it has an output")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        anyhow::ensure!(
            !address.is_empty(),
            "a server did not start; see {}",
            log.display()
        );
        Ok(Self {
            process,
            input,
            address: address.trim().to_owned(),
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How many deliveries it stored at a time; nothing for a server that does not count.
    pub(crate) async fn rows_per_flush(&self) -> Option<f64> {
        let rows: f64 = self.metric("leaver_flush_rows_sum").await?;
        Some(rows / self.metric::<f64>("leaver_flush_rows_count").await?)
    }

    /// One number of its metrics, if it has that.
    pub(crate) async fn metric<T: FromStr>(&self, name: &str) -> Option<T> {
        let client = leaver::connect::client::new(Duration::from_secs(30)).ok()?;
        let answer = client.get(format!("http://{}/metrics", self.address));
        let text = answer.send().await.ok()?.text().await.ok()?;
        let named = text.lines().filter_map(|line| line.split_once(' '));
        let mut values = named.filter(|(other, _)| *other == name);
        values.next()?.1.parse().ok()
    }

    /// Its resident size, now (`VmRSS`) or at most (`VmHWM`).
    pub(crate) fn memory_kib(&self, which: &str) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(which));
        let size = line.and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        size.unwrap_or_default()
    }

    /// Seconds of processor time that it has used.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = self.read("stat");
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = after_name.split(' ').skip(11).take(2);
        ticks
            .filter_map(|tick| tick.parse::<f64>().ok())
            .sum::<f64>()
            / 100.0
    }

    fn read(&self, what: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{what}", self.process.id())).unwrap_or_default()
    }

    /// How many descriptors it has open.
    pub(crate) fn open_files(&self) -> usize {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.process.id()));
        folder.map_or(0, Iterator::count)
    }

    /// Lets it end as it likes to.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.input = None;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
