//! The documented configuration of `HAProxy`, with checks every second and no retries, in front of two replicas.

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use tokio::time::sleep;

use super::load::Load;
use crate::faults::ledger::people;
use crate::support::TestApp;
use crate::support::process::{RunningProcess, RunningService, command, wait_until};
use crate::support::proxy::{Mode, Proxy};

const CONFIG: &str = include_str!("../../../ops/haproxy/haproxy.cfg");
const PEOPLE: usize = 200;

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Returns the documented file with other addresses.
fn configuration(port: u16, replicas: [u16; 2]) -> String {
    let [a, b] = replicas;
    let addresses = [
        ("bind :80\n", format!("bind 127.0.0.1:{port}\n")),
        ("10.0.0.1:8080", format!("127.0.0.1:{a}")),
        ("10.0.0.2:8080", format!("127.0.0.1:{b}")),
    ];
    addresses
        .iter()
        .fold(CONFIG.to_owned(), |text, (from, to)| {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text.replace(from, to)
        })
}

/// Starts `HAProxy` and waits until it listens.
fn start_haproxy(app: &TestApp, port: u16, replicas: [u16; 2]) -> RunningProcess {
    let file = app.file("haproxy.cfg", &configuration(port, replicas));
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(file);
    command.env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/bin");
    let process = RunningProcess::start(command);
    wait_until("HAProxy listens; .ci/ensure-servers installs it", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    process
}

/// Starts a replica with the delay of the image at this port. It need not be ready yet.
fn start_replica(app: &TestApp, port: u16, database: &str) -> RunningService {
    let listen = format!("127.0.0.1:{port}");
    let env = app.env(&[
        ("LEAVER_LISTEN", &listen),
        ("DATABASE_URL", database),
        ("LEAVER__SERVER__DRAIN_DELAY", "5s"),
        ("LEAVER__SERVER__TRUSTED_PROXIES", r#"["127.0.0.1"]"#),
    ]);
    RunningService::start_command(command(&["serve"], &env))
}

/// Counts the requests that a replica stored.
async fn stored(replica: &RunningService) -> u64 {
    let (_, _, text) = replica.get("/metrics").await;
    let lines = text.lines().filter(|line| {
        line.starts_with("leaver_webhook_requests_total") && line.contains("\"stored\"")
    });
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_refuses_no_request() {
    let mut app = TestApp::builder().build().await;
    app.sql(&people(PEOPLE)).await;
    let database = app.url.clone();
    let (port, ports) = (free_port(), [free_port(), free_port()]);
    let mut replicas = ports.map(|port| Some(start_replica(&app, port, &database)));
    for replica in replicas.iter_mut().flatten() {
        replica.wait_until_ready();
    }
    let _haproxy = start_haproxy(&app, port, ports);
    let load = Load::start(&format!("127.0.0.1:{port}"), 4, PEOPLE);
    load.wait_for_more(200).await;
    for (replica, port) in replicas.iter_mut().zip(ports) {
        replica.take().unwrap().stop();
        load.wait_for_more(50).await;
        // As an orchestrator does, the next one stops as soon as this one is ready, before HAProxy has found out.
        let started = replica.insert(start_replica(&app, port, &database));
        started.wait_until_ready();
    }
    for replica in replicas.iter().flatten() {
        while stored(replica).await == 0 {
            sleep(Duration::from_millis(50)).await;
        }
    }
    let outcomes = load.stop().await;
    let answered: usize = outcomes.values().sum();
    assert!(answered > 500, "{outcomes:?}");
    assert_eq!(outcomes.get("200"), Some(&answered), "{outcomes:?}");
    crate::faults::say(&format!("{answered} requests, each answered 200"));
    let stored = app.lines("SELECT count(*)::text FROM leaver.deliveries");
    assert_eq!(stored.await, [answered.to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_not_ready_gets_no_request() {
    let mut app = TestApp::builder().build().await;
    app.sql(&people(PEOPLE)).await;
    let database = app.url.clone();
    let proxy = Proxy::start().await;
    proxy.set(Mode::Cut);
    let unreachable = format!(
        "postgres://postgres@127.0.0.1:{}/{}?sslmode=disable",
        proxy.to("").get_port(),
        app.database_name()
    );
    let (port, ports) = (free_port(), [free_port(), free_port()]);
    let mut first = start_replica(&app, ports[0], &database);
    first.wait_until_ready();
    // HAProxy sends requests to a server until its first check, so the second replica starts afterwards, as in a restart.
    let mut haproxy = start_haproxy(&app, port, ports);
    haproxy.wait_for("Server leaver/b is DOWN");
    let mut second = start_replica(&app, ports[1], &unreachable);
    second.process.wait_for("cannot reach the database");
    let load = Load::start(&format!("127.0.0.1:{port}"), 2, PEOPLE);
    load.wait_for_more(300).await;
    assert_eq!(second.get("/health/ready").await.0, 503);
    proxy.set(Mode::Pass);
    second.wait_until_ready();
    haproxy.wait_for("Server leaver/b is UP");
    while stored(&second).await == 0 {
        sleep(Duration::from_millis(50)).await;
    }
    let outcomes = load.stop().await;
    let answered: usize = outcomes.values().sum();
    assert_eq!(outcomes.get("200"), Some(&answered), "{outcomes:?}");
}
