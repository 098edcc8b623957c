//! A failover under load, through a proxy, to a standby that commits wait for.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::cluster::{self, Node, free_port};
use crate::faults::ledger::{Client, Delivery, Reply};
use crate::support::TestApp;
use crate::support::database::Session;
use crate::support::process::{RunningProcess, wait_until};

/// A proxy before two servers. The second one gets connections while the first is down.
pub(crate) struct Haproxy {
    pub(crate) port: u16,
    _process: RunningProcess,
}

impl Haproxy {
    /// Starts it with its configuration in this folder.
    pub(crate) fn start(folder: &Path, first: &Node, second: &Node) -> Self {
        let port = free_port();
        let config = format!(
            "defaults\n  mode tcp\n  option redispatch 1\n  timeout connect 300ms\n  timeout client 1h\n  timeout server 1h\n\
             listen postgres\n  bind 127.0.0.1:{port}\n\
             \x20 default-server check inter 100ms fall 1 rise 1 on-marked-down shutdown-sessions\n\
             \x20 server a 127.0.0.1:{}\n  server b 127.0.0.1:{} backup\n",
            first.port, second.port
        );
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file);
        command.env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/bin");
        let process = RunningProcess::start(command);
        wait_until("HAProxy listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self {
            port,
            _process: process,
        }
    }
}

/// Stops the process that sends WAL to the standby, so that nothing committed from now on reaches it.
pub(crate) async fn hold_back(primary: &mut Session) -> Pid {
    let sender = primary
        .count("SELECT pid::bigint FROM pg_stat_replication")
        .await;
    let sender = Pid::from_raw(i32::try_from(sender).unwrap());
    kill(sender, Signal::SIGSTOP).unwrap();
    sender
}

/// Ends a primary at once, and promotes its standby.
pub(crate) async fn fail_over(primary: &mut Node, held_back: Option<Pid>, standby: &Node) {
    if let Some(sender) = held_back {
        kill(sender, Signal::SIGKILL).unwrap();
    }
    primary.end(Signal::SIGQUIT);
    standby.promote().await;
}

/// Waits until a process has raised its mark on the new primary.
pub(crate) async fn wait_for_mark(session: &mut Session, before: i64) {
    let marks = format!("SELECT (sum(mark) > {before})::int::bigint FROM leaver.lineage_marks");
    session.wait_for_count(1, &marks).await;
}

#[derive(Debug)]
struct Outcome {
    acknowledged: HashSet<Uuid>,
    refused: usize,
    longest: Duration,
}

/// Sends this many deliveries, 300 a second, whether answers come or not.
fn load(address: &str, count: usize) -> tokio::task::JoinHandle<Outcome> {
    let address = address.to_owned();
    tokio::spawn(async move {
        let mut senders = JoinSet::new();
        let mut due = tokio::time::interval(Duration::from_micros(3_333));
        for n in 0..count {
            due.tick().await;
            let address = address.clone();
            senders.spawn(async move {
                let request = Delivery::about(n, n).request();
                let began = Instant::now();
                let reply = Client::default().ask(Some(address), &request).await;
                (reply, began.elapsed())
            });
        }
        let replies = senders.join_all().await;
        Outcome {
            acknowledged: replies
                .iter()
                .filter_map(|(reply, _)| match reply {
                    Reply::Accepted(id) => Some(*id),
                    Reply::Refused(_) | Reply::Lost => None,
                })
                .collect(),
            refused: replies
                .iter()
                .filter(|(reply, _)| !matches!(reply, Reply::Accepted(_)))
                .count(),
            longest: replies
                .iter()
                .map(|(_, took)| *took)
                .max()
                .unwrap_or_default(),
        }
    })
}

async fn stored(session: &mut Session) -> HashSet<Uuid> {
    let ids = session
        .lines("SELECT id::text FROM leaver.deliveries")
        .await;
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

/// Returns the codes of the reasons in `/health`.
pub(crate) async fn reasons(app: &TestApp) -> Vec<String> {
    let health = app.get("/health").await;
    let reasons = health.body["reasons"].as_array().unwrap();
    reasons
        .iter()
        .map(|reason| reason["code"].as_str().unwrap().to_owned())
        .collect()
}

/// Fails over in the middle of the load.
#[expect(
    clippy::print_stderr,
    reason = "the figures of docs/HIGH-AVAILABILITY.md"
)]
async fn fails_over_under_load(seconds: usize) {
    let count = 300 * seconds;
    let (mut primary, standby) = cluster::pair(count, &["synchronous_standby_names=b"], &[]).await;
    let folder = primary.folder("proxy");
    let proxy = Haproxy::start(&folder, &primary, &standby);
    let app = cluster::app(proxy.port, &[]).await;
    let service = app.serve(&[]);
    assert_eq!(reasons(&app).await, Vec::<String>::new());
    let loading = load(service.address(), count);
    let half = i64::try_from(count / 2).unwrap();
    let arrived = format!("SELECT (count(*) > {half})::int::bigint FROM leaver.deliveries");
    primary.session().await.wait_for_count(1, &arrived).await;
    fail_over(&mut primary, None, &standby).await;
    let outcome = loading.await.unwrap();

    let mut after = standby.session().await;
    let stored = stored(&mut after).await;
    let missing = outcome.acknowledged.difference(&stored).count();
    eprintln!(
        "failover: {} acknowledged, {missing} missing, {} refused, longest answer {:?}",
        outcome.acknowledged.len(),
        outcome.refused,
        outcome.longest
    );
    assert_eq!(missing, 0);
    assert!(
        outcome.acknowledged.len() > count * 9 / 10,
        "{}",
        outcome.refused
    );
    assert!(
        outcome.longest < Duration::from_secs(3),
        "{:?}",
        outcome.longest
    );
    after.wait_until_processed().await;
    // The process compared what it remembers with the new primary.
    wait_for_mark(&mut after, 1).await;
    assert_eq!(after.count("SELECT count(*) FROM leaver.restores").await, 0);
    service.stop();
}

/// `FAILOVERS=5 FAILOVER_SECONDS=30`: the long form, by `make failover`.
#[tokio::test]
async fn nothing_acknowledged_is_lost_with_a_synchronous_standby() {
    let number = |name: &str, default: usize| {
        let text = std::env::var_os(name);
        text.map_or(default, |text| text.to_str().unwrap().parse().unwrap())
    };
    for _ in 0..number("FAILOVERS", 1) {
        fails_over_under_load(number("FAILOVER_SECONDS", 6)).await;
    }
}
