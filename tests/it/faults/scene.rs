//! A service under load on a Postgres of its own, for tests that cause a fault.

use std::time::Duration;

use tokio::task::JoinSet;

use super::checker::{Found, check};
use super::ledger::{Delivery, Endpoints, Line, Reply, Senders};
use super::own::OwnPostgres;
use crate::support::TestApp;
use crate::support::process::RunningService;

/// All of it.
pub(crate) struct LoadTest {
    pub(crate) own: OwnPostgres,
    pub(crate) app: TestApp,
    pub(crate) service: RunningService,
    pub(crate) endpoints: Endpoints,
    people: usize,
}

impl LoadTest {
    /// With so many people, and a service that waits for its database no longer than this.
    pub(crate) async fn new(people: usize, patience: &str) -> Self {
        Self::over(OwnPostgres::start().await, people, patience).await
    }

    /// The same on a server that the test has made.
    pub(crate) async fn over(own: OwnPostgres, people: usize, patience: &str) -> Self {
        let app = own.app(people).await;
        let service = app.serve(&[("LEAVER__SERVER__STORE_TIMEOUT", patience)]);
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

    /// Some senders begin to send so many deliveries.
    pub(crate) fn load(&self, connections: usize, deliveries: usize) -> JoinSet<Vec<Line>> {
        let about = |n| Delivery::about(n % self.people, n);
        let senders = Senders {
            connections,
            minute: Duration::from_millis(40),
            seed: 3,
        };
        senders.send(&self.endpoints, (0..deliveries).map(about).collect())
    }

    /// All senders are through; nobody waited longer than a provider does, and the books agree.
    pub(crate) async fn end(self, senders: JoinSet<Vec<Line>>) -> (Found, Vec<Line>) {
        let ledger = gathered(senders).await;
        self.agrees_with(ledger).await
    }

    /// The same once the ledger is there.
    pub(crate) async fn agrees_with(mut self, ledger: Vec<Line>) -> (Found, Vec<Line>) {
        let slowest = ledger.iter().map(|line| line.slowest).max();
        assert!(slowest < Some(Duration::from_secs(10)), "{slowest:?}");
        self.own.reconnect(&mut self.app).await;
        let found = check(&mut self.app, &ledger).await;
        self.service.stop();
        self.own.stop().await;
        (found, ledger)
    }
}

/// What all senders have written down.
pub(crate) async fn gathered(senders: JoinSet<Vec<Line>>) -> Vec<Line> {
    senders.join_all().await.into_iter().flatten().collect()
}

/// How often senders were told to come again.
pub(crate) fn put_off(ledger: &[Line]) -> usize {
    let reply = ledger.iter().flat_map(|line| &line.replies);
    reply.filter(|reply| **reply == Reply::Refused(503)).count()
}
