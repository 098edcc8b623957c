//! A password that changes while the service runs, with the file that `database.url` refers to.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::*;
use crate::support::process::{RunningService, wait_until};

/// A service that reads its URL from a file.
struct Reading {
    server: Server,
    app: TestApp,
    file: PathBuf,
    service: RunningService,
    sent: usize,
}

impl Reading {
    async fn start() -> Self {
        let server = Server::start().await;
        let app = server.app(&[]).await;
        let file = app.file("url", &server.url(server::PASSWORD));
        let path = file.display().to_string();
        let mut env = app.env(&[("DATABASE_URL_FILE", &path)]);
        env.retain(|(name, _)| *name != "DATABASE_URL");
        let mut service = RunningService::start(&env);
        service.wait_until_ready();
        Self {
            server,
            app,
            file,
            service,
            sent: 0,
        }
    }

    /// Sends a delivery that was not sent before, and returns the status.
    async fn post(&mut self) -> u16 {
        self.sent += 1;
        let body = format!("{{\"n\":{}}}", self.sent);
        let signed = self.app.signed("merge", JSON, body.clone());
        let mut request = leaver::connect::client::new(WAIT_LIMIT)
            .unwrap()
            .post(format!("{}/webhooks/merge", self.service.url))
            .body(body);
        // The service has the real time.
        let scheme = &self.app.settings.sources[1].scheme;
        assert_eq!(signed.uri().path(), "/webhooks/merge");
        let now = leaver::base::clock::Clock::now(&leaver::base::clock::SystemClock);
        let body = format!("{{\"n\":{}}}", self.sent);
        for (name, value) in scheme.sign(body.as_bytes(), now) {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    async fn change_password(&self, password: &str) {
        let alter = format!("ALTER ROLE service PASSWORD '{password}'");
        self.server.sql(&[&alter]).await;
    }

    fn write(&self, url: &str) {
        std::fs::write(&self.file, url).unwrap();
    }

    /// Asserts that deliveries are stored and processed on new connections, and that the log holds no password.
    async fn assert_works(&mut self) {
        self.server.end_sessions().await;
        for _ in 0..4 {
            assert_eq!(self.post().await, 200);
        }
        self.app.wait_until_processed().await;
        assert_eq!(self.service.get("/health/ready").await.0, 200);
        let log = self.service.process.err();
        for password in [server::PASSWORD, "second-password"] {
            assert!(!log.contains(password), "{log}");
        }
    }
}

#[tokio::test]
async fn a_new_password_in_the_file_needs_no_restart() {
    let mut reading = Reading::start().await;
    reading.assert_works().await;
    reading.change_password("second-password").await;
    reading.write(&reading.server.url("second-password"));
    reading.assert_works().await;
    assert!(
        reading
            .service
            .process
            .err()
            .contains("`database.url` was read again")
    );
    reading.service.stop();
}

#[tokio::test]
async fn a_signal_reads_the_database_url_again() {
    let mut reading = Reading::start().await;
    reading.write(&reading.server.url("second-password"));
    reading.service.process.signal(Signal::SIGHUP);
    reading.service.process.wait_for("replaced `database.url`");
    reading.change_password("second-password").await;
    reading.assert_works().await;
    let log = reading.service.stop().err;
    assert!(!log.contains("authentication failed"), "{log}");
}

#[tokio::test]
async fn a_broken_file_is_logged_and_the_old_url_stays() {
    let mut reading = Reading::start().await;
    let url = reading.server.url(server::PASSWORD);
    let elsewhere = url.replace("/postgres?", "/another?");
    let unknown = format!("{url}&sslpassword=second-password");
    for broken in ["", "second-password", &unknown, &elsewhere] {
        reading.write(broken);
        let lines = |log: &str| log.matches("keeping the current one").count();
        let before = lines(&reading.service.process.err());
        reading.service.process.signal(Signal::SIGHUP);
        wait_until("the broken file is logged", || {
            lines(&reading.service.process.err()) > before
        });
        reading.assert_works().await;
    }
    // The password changes while the file is broken.
    reading.change_password("second-password").await;
    reading.write("second-password");
    reading.server.end_sessions().await;
    reading
        .service
        .process
        .wait_for("authentication failed, and `database.url` cannot be read again");
    reading.write(&reading.server.url("second-password"));
    wait_until_ready_again(&reading).await;
    reading.assert_works().await;
    reading.service.stop();
}

async fn wait_until_ready_again(reading: &Reading) {
    let began = std::time::Instant::now();
    while reading.service.get("/health/ready").await.0 != 200 {
        assert!(began.elapsed() < WAIT_LIMIT);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
