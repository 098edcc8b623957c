//! Only one replica reads a source at a time.

use std::sync::Arc;
use std::time::Duration;

use leaver::db::connection;
use leaver::jobs::sync::{SyncMode, Syncer};
use leaver::service;

use super::{ACCOUNT_DETAILS, SyncTest, company};
use crate::hardening::tls::server::Server;
use crate::support::apis::{Answer, merge_account, merge_employee};

#[tokio::test]
async fn only_one_of_two_replicas_syncs() {
    let mut test = SyncTest::merge((0..5).map(merge_employee).collect()).await;
    let slow = Answer::json(&merge_account("COMPLETE")).after(Duration::from_millis(600));
    test.api.script(ACCOUNT_DETAILS, [slow]);
    let beside = company(&test.app);
    let app = &test.app;
    let clock = Arc::clone(&app.parts.engine.clock);
    let engine = service::engine(&app.settings, app.options.clone(), clock);
    let second = Syncer::new(Arc::new(engine));
    let no_progress = |_: &str, _: u64| {};
    let late = async {
        test.api.wait_until_requested(1).await;
        second
            .sync(&beside, SyncMode::IfDue, &no_progress)
            .await
            .unwrap()
    };
    let (first, late) = tokio::join!(
        test.syncer
            .sync(&test.company, SyncMode::IfDue, &no_progress),
        late
    );
    assert!(late.is_none(), "{late:?}");
    assert_eq!(first.unwrap().unwrap()[0].incomplete, None);
    // Afterwards the sync is not due for the other replica either.
    assert_eq!(test.sync(SyncMode::IfDue).await.len(), 0);
}

#[tokio::test]
async fn postgres_uses_tcp_keepalives_on_our_connections() {
    // Over a unix socket the setting has no effect.
    let server = Server::start(&["localhost".to_owned()]).await;
    let url = server.url("app", "127.0.0.1", "");
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let mut conn = connection::open(&options).await.unwrap();
    let sql = "SELECT name || ' ' || setting FROM pg_settings WHERE name LIKE 'tcp_keepalives%' ORDER BY 1";
    let set: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
    let expected = ["count 3", "idle 15", "interval 5"];
    assert_eq!(set, expected.map(|one| format!("tcp_keepalives_{one}")));
}
