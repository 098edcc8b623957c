//! Connections of ours stay within `database.max_connections` and the limits of the server, and receiving has its share.

mod cluster;
mod limits;
mod places;
mod standby;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::faults::ledger::Delivery;

/// Backends of ours, as a superuser counts them.
const OURS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leaver' AND datname = ";

/// Sends a delivery, and returns the status of the answer; 0 if there was none within 12 s.
async fn post(address: &str, delivery: &Delivery) -> u16 {
    let answered = timeout(Duration::from_secs(12), async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(&delivery.request()).await.ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        std::str::from_utf8(&head[9..]).ok()?.parse().ok()
    });
    answered.await.ok().flatten().unwrap_or_default()
}

/// Counts the backends of ours every few milliseconds, from a connection of a superuser.
struct Watch {
    highest: Arc<AtomicI64>,
    ends: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Watch {
    async fn start(options: &PgConnectOptions, database: &str) -> Self {
        let mut conn: PgConnection = options.connect().await.unwrap();
        let (highest, ends) = (Arc::<AtomicI64>::default(), Arc::<AtomicBool>::default());
        let sql = format!("{OURS}'{database}'");
        let task = tokio::spawn({
            let (highest, ends) = (Arc::clone(&highest), Arc::clone(&ends));
            async move {
                while !ends.load(Ordering::Relaxed) {
                    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
                        .fetch_one(&mut conn)
                        .await
                        .unwrap();
                    highest.fetch_max(count, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
        Self {
            highest,
            ends,
            task,
        }
    }

    /// Ends the count, and returns the highest one.
    async fn end(self) -> i64 {
        self.ends.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.highest.load(Ordering::Relaxed)
    }
}
