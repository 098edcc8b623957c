//! Which servers get the password of the database, and what protects the connection.

mod certificates;
mod refused;
mod rogue;
pub(crate) mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use leaver::config::{Environment, Settings};
use leaver::service;

use self::certificates::{outer_address, self_signed};
use self::rogue::{Demand, Rogue};
use self::server::{PASSWORD, Server, parameter};
use crate::support::process::{CommandOutput, RunningService, run, wait_until};
use crate::support::{BAMBOOHR_KEY, MERGE_KEY};

const DEMANDS: [Demand; 4] = [
    Demand::Cleartext,
    Demand::Md5,
    Demand::ScramThenCleartext,
    Demand::NothingThenCleartext,
];
const MODES: [&str; 7] = [
    "",
    "sslmode=disable",
    "sslmode=allow",
    "sslmode=prefer",
    "sslmode=require",
    "sslmode=verify-ca",
    "sslmode=verify-full",
];
const SOURCE: (&str, &str) = ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY);

/// Connects as every command does. Returns the error.
async fn connect(url: &str, tls: &str) -> Result<sqlx::PgConnection, String> {
    let variables = [
        ("DATABASE_URL", url),
        ("LEAVER__DATABASE__TLS", tls),
        SOURCE,
    ];
    let settings = Settings::load(None, &Environment::of(variables)).unwrap();
    let options =
        service::connect_options(&settings.database).map_err(|error| error.to_string())?;
    let connected = tokio::time::timeout(Duration::from_secs(20), service::connect(&options));
    connected.await.unwrap().map_err(|error| error.to_string())
}

/// Returns host forms: loopback, names and addresses of this machine, and parameters that replace the host.
fn hosts() -> Vec<(String, String)> {
    let plain = |host: &str| (host.to_owned(), String::new());
    let mut hosts = vec![
        plain("127.0.0.1"),
        plain("localhost"),
        plain("127.1"),
        plain("[::1]"),
        plain("ip6-localhost"),
        ("db.example".to_owned(), "hostaddr=127.0.0.1&".to_owned()),
        ("127.0.0.1".to_owned(), "host=127.1&".to_owned()),
    ];
    if let Some(outer) = outer_address() {
        hosts.push(plain(&outer.to_string()));
        hosts.push(("localhost".to_owned(), format!("hostaddr={outer}&")));
    }
    hosts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rogue_server_gets_no_password() {
    let names: Vec<String> = ["localhost", "127.0.0.1", "ip6-localhost", "127.1"]
        .map(str::to_owned)
        .into_iter()
        .chain(outer_address().map(|address| address.to_string()))
        .collect();
    let certificate = self_signed(&names);
    for demand in DEMANDS {
        for certificate in [None, Some(&certificate)] {
            for (host, replaced) in hosts() {
                for mode in MODES {
                    let rogue = Rogue::start(demand, certificate);
                    let port = rogue.port;
                    let url =
                        format!("postgres://app:{PASSWORD}@{host}:{port}/app?{replaced}{mode}");
                    for _ in 0..2 {
                        let error = connect(&url, "verify-full").await.err();
                        let what = format!("{demand:?} {url}");
                        rogue.assert_knows_nothing(PASSWORD, &what);
                        if let Some(error) = error {
                            assert!(!error.contains(PASSWORD), "{what}: {error}");
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn an_unverified_connection_is_a_choice() {
    for certificate in [None, Some(self_signed(&["localhost".to_owned()]))] {
        let rogue = Rogue::start(Demand::Cleartext, certificate.as_ref());
        let url = format!("postgres://app:{PASSWORD}@127.0.0.1:{}/app", rogue.port);
        connect(&url, "unverified").await.unwrap_err();
        assert!(rogue.knows(PASSWORD));
    }
}

/// Runs a command against a server, with these variables in addition.
fn command(args: &[&str], more: &[(&str, &str)]) -> CommandOutput {
    let mut env = vec![SOURCE, ("MERGE_WEBHOOK_SECRET", MERGE_KEY)];
    env.extend(more);
    run(args, &env)
}

#[test]
fn commands_and_variables_hand_no_password_over() {
    let certificate = self_signed(&["localhost".to_owned()]);
    for demand in [Demand::Cleartext, Demand::Md5] {
        let rogue = Rogue::start(demand, Some(&certificate));
        let port = rogue.port.to_string();
        let url = format!("postgres://app:{PASSWORD}@127.0.0.1:{port}/app");
        for args in [
            &["check"][..],
            &["migrate"],
            &["holds", "list"],
            &["safeguard"],
            &["explain", "1"],
            &["drift"],
            &["deliveries"],
        ] {
            let output = command(args, &[("DATABASE_URL", &url)]);
            assert!(matches!(output.code, Some(1 | 3)), "{output:?}");
            let shown = format!("{}{}", output.out, output.err);
            assert!(shown.contains("database.tls"), "{output:?}");
        }
        let bare = "postgres:///app";
        for variables in [
            [("PGHOST", "127.0.0.1"), ("PGSSLMODE", "disable")],
            [("PGHOST", "127.1"), ("PGSSLMODE", "disable")],
            [("PGHOSTADDR", "127.0.0.1"), ("PGSSLMODE", "allow")],
            [("PGHOST", "127.1"), ("PGSSLMODE", "require")],
            [("PGHOST", "127.1"), ("PGOPTIONS", "-c search_path=public")],
        ] {
            let mut env = vec![
                ("DATABASE_URL", bare),
                ("PGPORT", port.as_str()),
                ("PGUSER", "app"),
                ("PGPASSWORD", PASSWORD),
            ];
            env.extend(variables);
            let output = command(&["check"], &env);
            assert_eq!(output.code, Some(3), "{variables:?}: {output:?}");
        }
        rogue.assert_knows_nothing(PASSWORD, &format!("{demand:?}"));
    }
}

#[test]
fn a_mode_that_verifies_nothing_is_refused_before_connecting() {
    let rogue = Rogue::start(Demand::Cleartext, None);
    let port = rogue.port;
    for mode in ["disable", "allow", "prefer", "require", "verify-ca"] {
        let url = format!("postgres://app:{PASSWORD}@127.1:{port}/app?sslmode={mode}");
        for args in [&["serve"][..], &["migrate"], &["holds", "list"]] {
            let words = [mode, "database.tls", "sslrootcert"];
            let output = command(args, &[("DATABASE_URL", &url)]).failed(&words);
            assert!(!output.err.contains(PASSWORD), "{output:?}");
        }
    }
    assert_eq!(rogue.clients(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_on_the_port_of_a_stopped_server_gets_no_password() {
    let mut server = Server::start(&["localhost".to_owned()]).await;
    let url = server.url("app", "127.0.0.1", "");
    let env = [
        SOURCE,
        ("DATABASE_URL", url.as_str()),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let mut service = RunningService::start(&env);
    service.wait_until_ready();
    server.stop();
    let rogue = Rogue::start_on(server.port, Demand::Cleartext, None);
    let (status, ..) = service.get("/health").await;
    assert_eq!(status, 503);
    // The worker, the timer and the health check have all tried.
    wait_until("five connections", || rogue.clients() >= 5);
    rogue.assert_knows_nothing(PASSWORD, "after the restart");
    let output = service.stop();
    assert!(!output.err.contains(PASSWORD));
}

#[tokio::test]
async fn verified_tls_and_scram_work() {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    names.extend(outer_address().map(|address| address.to_string()));
    let server = Server::start(&names).await;
    let ca = parameter("sslrootcert", &server.authority_file());
    let is_tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    for host in &names {
        for role in ["app", "in_clear_text", "hashed"] {
            let url = server.url(role, host, &ca);
            let mut conn = connect(&url, "verify-full").await.unwrap();
            let tls: bool = sqlx::query_scalar(is_tls)
                .fetch_one(&mut conn)
                .await
                .unwrap();
            assert!(tls, "{url}");
        }
    }
    // On this machine SCRAM needs no TLS. The other methods do.
    let local = server.url("app", "127.0.0.1", "");
    connect(&local, "verify-full").await.unwrap();
    connect(&server.url("trusted", "localhost", ""), "verify-full")
        .await
        .unwrap();
    for (role, method) in [("in_clear_text", "in clear text"), ("hashed", "md5 hash")] {
        let url = server.url(role, "127.0.0.1", "");
        let error = connect(&url, "verify-full").await.unwrap_err();
        assert!(
            error.contains(method) && error.contains("database.tls"),
            "{error}"
        );
        connect(&url, "unverified").await.unwrap();
    }
    let wrong = local.replace(PASSWORD, "another");
    let error = connect(&wrong, "verify-full").await.unwrap_err();
    assert!(error.contains("password authentication failed"), "{error}");
    let socket = format!("{}&", parameter("host", &server.sockets()));
    connect(&server.url("app", "localhost", &socket), "verify-full")
        .await
        .unwrap();

    // A certificate of nobody, for another name, or of an authority that is not configured.
    let error = connect(
        &server.url("app", "localhost", "sslmode=verify-full"),
        "verify-full",
    )
    .await
    .unwrap_err();
    assert!(error.contains("UnknownIssuer"), "{error}");
    let other = format!("{ca}&sslmode=verify-full");
    let error = connect(&server.url("app", "127.0.0.2", &other), "verify-full")
        .await
        .unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
}

#[tokio::test]
async fn a_client_certificate_takes_the_place_of_a_password() {
    let server = Server::start(&["localhost".to_owned()]).await;
    let own = server.authority.sign(&["with_certificate".to_owned()]);
    let certificate = server.file("client.pem", &own.certificate);
    let key = server.file("client.key", &own.key);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let parameters = [
        parameter("sslrootcert", &server.authority_file()),
        parameter("sslcert", &certificate),
        parameter("sslkey", &key),
    ]
    .join("&");
    let url = server.url("with_certificate", "localhost", &parameters);
    connect(&url.replace(PASSWORD, ""), "verify-full")
        .await
        .unwrap();
    let without = server.url(
        "with_certificate",
        "localhost",
        &parameters[..parameters.find('&').unwrap()],
    );
    connect(&without, "verify-full").await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_the_protection() {
    let server = Server::start(&["localhost".to_owned()]).await;
    let ca = parameter("sslrootcert", &server.authority_file());
    for (url, tls, expected) in [
        (
            server.url("app", "localhost", &ca),
            "verify-full",
            "verified certificate",
        ),
        (
            server.url("app", "localhost", ""),
            "verify-full",
            "for SCRAM only",
        ),
        (
            server.url("app", "localhost", "sslmode=require"),
            "unverified",
            "nothing verifies the server",
        ),
    ] {
        let output = command(
            &["check"],
            &[("DATABASE_URL", &url), ("LEAVER__DATABASE__TLS", tls)],
        );
        let line = output
            .out
            .lines()
            .find(|line| line.contains("database.tls"));
        assert!(line.unwrap().contains(expected), "{output:?}");
    }
}
