//! A proxy between the service and Postgres that drops, delays or cuts connections.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

/// What happens to what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It passes.
    Pass,
    /// It is taken and goes nowhere, in both directions. A connection that this has happened to stays so.
    BlackHole,
    /// Connections end, and new ones too.
    Cut,
    /// The answer to the next statement that stored a row is lost together with its connection; then it passes again.
    LoseAnswer,
}

/// A proxy on a port of its own.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    port: u16,
}

struct Shared {
    socket: PathBuf,
    mode: watch::Sender<Mode>,
    answers_lost: AtomicUsize,
    swallowed: AtomicUsize,
    /// Connections accepted since the start.
    accepted: AtomicUsize,
}

impl Proxy {
    /// In front of the Postgres of the tests.
    pub(crate) async fn start() -> Self {
        let postgres = super::database::postgres().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            socket: postgres.base().join("sock/.s.PGSQL.5432"),
            mode: watch::Sender::new(Mode::Pass),
            answers_lost: AtomicUsize::new(0),
            swallowed: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                accepting.accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(Arc::clone(&accepting).attend(client));
            }
        });
        Self { shared, port }
    }

    /// The same database through the proxy.
    pub(crate) fn to(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .database(database)
            .ssl_mode(sqlx::postgres::PgSslMode::Disable)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Waits until it has swallowed so many messages since it was started.
    pub(crate) async fn wait_until_swallowed(&self, messages: usize) {
        let began = Instant::now();
        while self.shared.swallowed.load(Ordering::Relaxed) < messages {
            assert!(began.elapsed() < Duration::from_secs(20), "not {messages}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Returns the number of connections accepted since the start.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Waits until this many connections have been accepted since the start.
    pub(crate) async fn wait_until_accepted(&self, connections: usize) {
        let began = Instant::now();
        while self.accepted() < connections {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{} of {connections} connections",
                self.accepted()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// How many answers it has lost.
    pub(crate) fn answers_lost(&self) -> usize {
        self.shared.answers_lost.load(Ordering::Relaxed)
    }
}

impl Shared {
    async fn attend(self: Arc<Self>, client: TcpStream) {
        let mut mode = self.mode.subscribe();
        let passing = async {
            let server = UnixStream::connect(&self.socket).await?;
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let dead = AtomicBool::new(false);
            tokio::select! {
                ended = self.pump(from_client, to_server, &dead, false) => ended,
                ended = self.pump(from_server, to_client, &dead, true) => ended,
            }
        };
        tokio::select! {
            // However it ends, it ends for both sides.
            _ = passing => {}
            _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
        }
    }

    async fn pump(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        dead: &AtomicBool,
        answers: bool,
    ) -> std::io::Result<()> {
        let mut bytes = vec![0; 65_536];
        loop {
            let read = from.read(&mut bytes).await?;
            let chunk = &bytes[..read];
            let mode = *self.mode.borrow();
            if mode == Mode::BlackHole {
                dead.store(true, Ordering::Relaxed);
                self.swallowed.fetch_add(1, Ordering::Relaxed);
            }
            if dead.load(Ordering::Relaxed) {
                if read == 0 {
                    // Nobody hears of the end either.
                    std::future::pending::<()>().await;
                }
                continue;
            }
            if read == 0 {
                return Ok(());
            }
            let stored = chunk.windows(9).any(|window| window == b"INSERT 0 ");
            if answers && mode == Mode::LoseAnswer && stored {
                self.answers_lost.fetch_add(1, Ordering::Relaxed);
                self.mode.send_replace(Mode::Pass);
                return Ok(());
            }
            to.write_all(chunk).await?;
        }
    }
}
