//! One company: its database, the service as a process, and the stand-in for its provider's API.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leaver::base::clock::{Clock, SystemClock};
use leaver::db::schema;
use leaver_core::domain::Provider as ProviderKind;
use leaver_core::signature::{Key, Layout, Scheme};
use sqlx::{AssertSqlSafe, Row};
use tempfile::TempDir;
use uuid::Uuid;

use super::case::{Case, Encoding, Post};
use super::placeholders::Context;
use super::posts;
use super::provider::Provider;
use crate::support::database::{Database, Session, migrated_database, postgres};
use crate::support::process::{CommandOutput, RunningService, run};
use crate::support::{BAMBOOHR_KEY, END_SESSIONS, MERGE_KEY, USERS, scratch};

/// Longest wait for pending work. What is pending after it stays so.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);

/// Interval of polling.
const POLL: Duration = Duration::from_millis(25);

/// What a case runs on.
pub(super) struct Company {
    pub(super) session: Session,
    pub(super) provider: Provider,
    pub(super) context: Context,
    pub(super) service: Option<RunningService>,
    env: BTreeMap<String, String>,
    accounts_query: String,
    /// Number of `leaver.sync_state` rows once each source with an API was read.
    syncs: i64,
    _folder: TempDir,
    _database: Database,
}

impl Company {
    /// Creates the database, the accounts and the configuration, and starts the service.
    pub(super) async fn start(case: &Case) -> Self {
        let (options, database) = match &case.tables {
            Some(tables) => migrated_database(tables).await,
            None => migrated_database(USERS).await,
        };
        let mut session = Session::open(&options).await;
        let mut url = postgres().await.url(&database.name);
        for email in &case.accounts {
            sqlx::query(
                "WITH u AS (INSERT INTO users (email) VALUES ($1) RETURNING id)
                 INSERT INTO sessions (user_id) SELECT id FROM u",
            )
            .bind(email)
            .execute(&mut session.conn)
            .await
            .unwrap();
        }
        session.sql(&case.sql).await;
        if case.minimal_role {
            let role = format!("case_{}", Uuid::new_v4().simple());
            session.sql(&format!("CREATE ROLE {role} LOGIN")).await;
            schema::grant_to(&mut session.conn, &role).await.unwrap();
            session
                .sql(&format!(
                    "GRANT SELECT, UPDATE ON users TO {role}; GRANT SELECT, DELETE ON sessions TO {role}"
                ))
                .await;
            let (_, host) = url.split_once('@').unwrap();
            url = format!("postgres://{role}@{host}");
        }

        let provider = Provider::start().await;
        let context = Context {
            api: provider.stand_in.url.clone(),
            ..Context::default()
        };
        provider.set(&context.resolve(&case.api));
        let folder = scratch::folder();
        let file = folder.path().join("leaver.toml");
        let config = context.text(&case.config);
        std::fs::write(&file, &config).unwrap();
        let mut env: BTreeMap<String, String> = [
            ("DATABASE_URL", url.as_str()),
            ("LEAVER_CONFIG", file.to_str().unwrap()),
            ("LEAVER_LISTEN", "127.0.0.1:0"),
            ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
            ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
            ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
            ("API_KEY", "api-key-of-the-case"),
            ("TOKEN", "account-token-of-the-case"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if !config.contains("end_sessions") {
            env.insert(END_SESSIONS.0.to_owned(), END_SESSIONS.1.to_owned());
        }
        for (name, value) in &case.env {
            env.insert(name.clone(), context.text(value));
        }
        let mut company = Self {
            session,
            provider,
            context,
            service: None,
            env,
            accounts_query: case.accounts_query.clone(),
            syncs: syncs(&config),
            _folder: folder,
            _database: database,
        };
        if !case.no_service {
            company.serve();
        }
        company
    }

    fn env<'a>(&'a self, more: &'a BTreeMap<String, String>) -> Vec<(&'a str, &'a str)> {
        let env = self
            .env
            .iter()
            .filter(|(name, _)| !more.contains_key(*name));
        let env = env.chain(more);
        env.map(|(n, v)| (n.as_str(), v.as_str())).collect()
    }

    fn serve(&mut self) {
        let mut service = RunningService::start(&self.env(&BTreeMap::new()));
        service.wait_until_ready();
        self.context.url.clone_from(&service.url);
        self.context.admin_url.clone_from(&service.admin_url);
        self.service = Some(service);
    }

    /// Stops the service and starts it again, with another configuration file if one is given.
    pub(super) fn restart(&mut self, config: Option<&str>) {
        self.service.take().expect("a running service").stop();
        if let Some(config) = config {
            std::fs::write(&self.env["LEAVER_CONFIG"], config).unwrap();
        }
        self.serve();
    }

    /// Runs a command of the program to its end.
    pub(super) fn run(&self, args: &[&str], more: &BTreeMap<String, String>) -> CommandOutput {
        run(args, &self.env(more))
    }

    /// Returns the accounts as (e-mail, active).
    pub(super) async fn accounts(&mut self) -> Vec<(String, bool)> {
        let query = sqlx::query(AssertSqlSafe(self.accounts_query.clone()));
        let rows = query.fetch_all(&mut self.session.conn).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Returns the one value of a query, which must be text.
    pub(super) async fn value(&mut self, query: &str) -> String {
        self.session.text(query).await.unwrap_or_default()
    }

    /// Returns the first column of each row, which must be text.
    pub(super) async fn lines(&mut self, query: &str) -> Vec<String> {
        self.session.lines(query).await
    }

    /// Returns the response of the admin listener.
    pub(super) async fn get(&self, path: &str) -> String {
        let service = self.service.as_ref().expect("a running service");
        service.get(path).await.2
    }

    /// Signs a delivery as its provider does, sends it, and checks the status of the response.
    pub(super) async fn post(&mut self, post: &Post, usual: Encoding) {
        let now = self.context.text("{{iso:0}}");
        let (content_type, body) = posts::body(post, usual, &now);
        let (kind, key) = match post.provider.as_str() {
            "bamboohr" => (ProviderKind::BambooHr, BAMBOOHR_KEY),
            "merge" => (ProviderKind::Merge, MERGE_KEY),
            other => panic!("unknown provider {other}"),
        };
        let key = if post.wrong_key {
            "0123456789abcdef0123456789abcdef"
        } else {
            key
        };
        let keys = vec![Key::new(&key.into()).unwrap()];
        let tolerance = chrono::TimeDelta::hours(3);
        let scheme = Scheme::new(kind, keys, Layout::BodyThenTimestamp, tolerance);
        let source = post.source.as_ref().unwrap_or(&post.provider);
        let path = post.path.clone();
        let path = path.unwrap_or_else(|| format!("/webhooks/{source}"));
        let mut request = leaver::connect::client::new(Duration::from_secs(10))
            .unwrap()
            .post(format!("{}{path}", self.context.url))
            .header("content-type", content_type);
        let signed_at = SystemClock.now() + chrono::TimeDelta::seconds(post.signed_seconds_ahead);
        for (name, value) in scheme.sign(&body, signed_at) {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(status, post.status.unwrap_or(200), "{text}");
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(delivery) = answer["delivery"].as_str() {
            delivery.clone_into(&mut self.context.delivery);
        }
    }

    /// Waits until no delivery is pending, each source was synced, and each pending read was tried. Gives up after
    /// [`SETTLE_LIMIT`]: what failed is retried later than that.
    pub(super) async fn settle(&mut self) {
        let pending = format!(
            "SELECT (SELECT count(*) FROM leaver.deliveries WHERE state = 'pending')
                  + (SELECT count(*) FROM leaver.pending_reads WHERE attempts = 0)
                  + greatest({} - (SELECT count(*) FROM leaver.sync_state), 0)",
            self.syncs
        );
        let began = Instant::now();
        while self.session.count(&pending).await > 0 && began.elapsed() < SETTLE_LIMIT {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the API was requested for an employee and no read is pending.
    pub(super) async fn settle_reads(&mut self, requested_before: usize) {
        let began = Instant::now();
        while self.provider.single_reads() <= requested_before {
            assert!(began.elapsed() < SETTLE_LIMIT, "no employee is read");
            tokio::time::sleep(POLL).await;
        }
        self.settle().await;
    }
}

/// Returns the number of companies that are read over an API.
fn syncs(config: &str) -> i64 {
    let config: toml::Table = config.parse().unwrap_or_default();
    let none = vec![];
    let sources = config.get("sources").and_then(toml::Value::as_array);
    let with_api = |source: &&toml::Value| source.get("api").is_some();
    let companies = |source: &toml::Value| match source.get("linked_accounts") {
        Some(accounts) => accounts.as_array().map_or(1, Vec::len),
        None => 1,
    };
    let count: usize = sources
        .unwrap_or(&none)
        .iter()
        .filter(with_api)
        .map(companies)
        .sum();
    i64::try_from(count).unwrap()
}
