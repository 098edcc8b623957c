//! Each cause by which no row can be stored is named, and its end is found without a restart.

use super::*;

#[tokio::test]
async fn a_read_only_database_is_red_until_it_is_writable() {
    let server = Server::start().await;
    let app = server.app(&[("LEAVER__SERVER__STORE_TIMEOUT", "6s")]).await;
    wait_until_stored(&app).await;
    for (who, has_deliveries) in [("DATABASE postgres", true), ("ROLE service", false)] {
        let set = format!("ALTER {who} SET default_transaction_read_only = on");
        server.sql(&[&set]).await;
        server.end_sessions().await;
        if has_deliveries {
            assert_refused(&app, "{\"read\":\"only\"}").await;
        }
        wait_until_not_stored(&app, "not_stored", "read only").await;
        let reset = format!("ALTER {who} RESET default_transaction_read_only");
        server.sql(&[&reset]).await;
        wait_until_stored(&app).await;
    }
}

#[tokio::test]
async fn a_refused_password_is_red_until_it_is_right_again() {
    let server = Server::start().await;
    let app = server.app(&[("LEAVER__SERVER__STORE_TIMEOUT", "6s")]).await;
    wait_until_stored(&app).await;
    server.sql(&["ALTER ROLE service PASSWORD 'another'"]).await;
    server.end_sessions().await;
    assert_refused(&app, "{}").await;
    wait_until_not_stored(&app, "not_stored", "authentication failed").await;
    let back = format!("ALTER ROLE service PASSWORD '{}'", server::PASSWORD);
    server.sql(&[&back]).await;
    wait_until_stored(&app).await;

    server.sql(&["ALTER ROLE service NOLOGIN"]).await;
    server.end_sessions().await;
    wait_until_not_stored(&app, "not_stored", "authentication failed").await;
    server.sql(&["ALTER ROLE service LOGIN"]).await;
    wait_until_stored(&app).await;
}

#[tokio::test]
async fn a_full_server_is_red_until_a_connection_is_free() {
    let server = Server::start().await;
    let app = server.app(&[("LEAVER__SERVER__STORE_TIMEOUT", "6s")]).await;
    server.sql(&["ALTER ROLE service CONNECTION LIMIT 0"]).await;
    server.end_sessions().await;
    wait_until_not_stored(&app, "not_stored", "too many connections").await;
    server
        .sql(&["ALTER ROLE service CONNECTION LIMIT -1"])
        .await;
    wait_until_stored(&app).await;
}

#[tokio::test]
async fn a_stopped_server_is_unreachable_until_it_runs() {
    let mut server = Server::start().await;
    let app = server.app(&[("LEAVER__SERVER__STORE_TIMEOUT", "6s")]).await;
    wait_until_stored(&app).await;
    server.stop();
    wait_until_not_stored(&app, "database_unreachable", "not reachable").await;
    server.run(&[]);
    wait_until_stored(&app).await;
}
