//! A service under load on a Postgres of its own, for tests that cause a fault.

use std::time::Duration;

use tokio::task::JoinSet;

use super::checker::{Found, check};
use super::ledger::{Delivery, Endpoints, Line, Reply, Senders};
use super::own_postgres::OwnPostgres;
use crate::support::TestApp;
use crate::support::process::RunningService;

/// A service under load, its Postgres and the addresses that senders use.
pub(crate) struct LoadTest {
    pub(crate) own: OwnPostgres,
    pub(crate) app: TestApp,
    pub(crate) service: RunningService,
    pub(crate) endpoints: Endpoints,
    people: usize,
}

impl LoadTest {
    /// Starts a Postgres with this many users, and a service with this `server.store_timeout`.
    pub(crate) async fn new(people: usize, store_timeout: &str) -> Self {
        Self::over(OwnPostgres::start().await, people, store_timeout).await
    }

    /// Starts the service on a Postgres of the test.
    pub(crate) async fn over(own: OwnPostgres, people: usize, store_timeout: &str) -> Self {
        let app = own.app(people).await;
        let service = app.serve(&[("LEAVER__SERVER__STORE_TIMEOUT", store_timeout)]);
        let endpoints = Endpoints::default();
        endpoints.set(0, Some(service.address()));
        Self {
            own,
            app,
            service,
            endpoints,
            people,
        }
    }

    /// Starts senders on this many connections, for this many deliveries in total.
    pub(crate) fn load(&self, connections: usize, deliveries: usize) -> JoinSet<Vec<Line>> {
        let about = |n| Delivery::about(n % self.people, n);
        let senders = Senders {
            connections,
            minute: Duration::from_millis(40),
            seed: 3,
        };
        senders.send(&self.endpoints, (0..deliveries).map(about).collect())
    }

    /// Waits for all senders and checks the invariants. Expects that no sender waited longer than a provider does.
    pub(crate) async fn end(self, senders: JoinSet<Vec<Line>>) -> (Found, Vec<Line>) {
        let ledger = gather(senders).await;
        self.end_with(ledger).await
    }

    /// Checks the invariants against a complete ledger.
    pub(crate) async fn end_with(mut self, ledger: Vec<Line>) -> (Found, Vec<Line>) {
        let slowest = ledger.iter().map(|line| line.slowest).max();
        assert!(slowest < Some(Duration::from_secs(10)), "{slowest:?}");
        self.own.reconnect(&mut self.app).await;
        let found = check(&mut self.app, &ledger).await;
        self.service.stop();
        self.own.stop().await;
        (found, ledger)
    }
}

/// Waits for all senders and returns their ledgers as one.
pub(crate) async fn gather(senders: JoinSet<Vec<Line>>) -> Vec<Line> {
    senders.join_all().await.into_iter().flatten().collect()
}

/// Returns how many responses were 503.
pub(crate) fn count_503(ledger: &[Line]) -> usize {
    let reply = ledger.iter().flat_map(|line| &line.replies);
    reply.filter(|reply| **reply == Reply::Refused(503)).count()
}
