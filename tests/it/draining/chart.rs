//! The parts of `charts/leaver` that repeat other files. `.ci/chart` renders the chart and checks the objects.

use std::fs;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::support::process::{RunningService, command, run};
use crate::support::{BAMBOOHR_KEY, TestApp};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the value of the first line with this key.
fn value(text: &str, key: &str) -> String {
    let lines = text.lines().map(str::trim);
    let value = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    let value = value.map(|value| value.trim_matches('"').to_owned()).next();
    value.unwrap_or_else(|| panic!("no {key}"))
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart = read("charts/leaver/Chart.yaml");
    assert_eq!(value(&chart, "appVersion"), env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&chart, "version"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_chart_has_the_alerts_of_ops() {
    let original = "ops/prometheus/rules.yml";
    if file(original).exists() {
        let is_equal = read(original) == read("charts/leaver/files/rules.yml");
        assert!(is_equal, "run: cp {original} charts/leaver/files/rules.yml");
    }
}

#[test]
fn the_image_and_the_chart_wait_equally_long() {
    let values = read("charts/leaver/values.yaml");
    let delay = value(&values, "delaySeconds");
    let image = format!("LEAVER__SERVER__DRAIN_DELAY={delay}s");
    assert!(read("Dockerfile").contains(&image), "{image}");
    let timeout = format!("drain_timeout = \"{}s\"", value(&values, "timeoutSeconds"));
    assert!(read("config/default.toml").contains(&timeout), "{timeout}");
}

/// What the chart mounts: files of secrets, and the configuration.
struct Mounted {
    owner: String,
    database: String,
    key: String,
    config: String,
}

impl Mounted {
    fn new(app: &TestApp, role: &str) -> Self {
        let path = |name: &str, text: &str| app.file(name, text).display().to_string();
        let service = app
            .url
            .replacen("postgres://postgres@", &format!("postgres://{role}@"), 1);
        assert_ne!(service, app.url);
        // The configuration names keys that the migration Job does not have.
        let config = r#"
            [[sources]]
            name = "bamboohr"
            provider = "bamboohr"
            webhook_secrets = ["env:BAMBOOHR_WEBHOOK_SECRET"]
        "#;
        Self {
            owner: path("owner", &app.url),
            database: path("service", &service),
            key: path("key", BAMBOOHR_KEY),
            config: path("leaver.toml", config),
        }
    }

    /// Runs the Job.
    #[track_caller]
    fn migrate(&self, role: &str) {
        let env = [
            ("LEAVER_CONFIG", self.config.as_str()),
            ("DATABASE_URL_FILE", self.owner.as_str()),
        ];
        run(&["migrate", "--grant-to", role], &env).succeeded();
    }

    /// Starts a pod of the service, at other addresses.
    fn serve(&self) -> RunningService {
        let env = [
            ("LEAVER_CONFIG", self.config.as_str()),
            ("LEAVER_LISTEN", "127.0.0.1:0"),
            ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
            ("LEAVER_LOG_FORMAT", "json"),
            ("LEAVER__SERVER__DRAIN_DELAY", "1s"),
            ("LEAVER__SERVER__DRAIN_TIMEOUT", "20s"),
            ("BAMBOOHR_WEBHOOK_SECRET_FILE", self.key.as_str()),
            ("DATABASE_URL_FILE", self.database.as_str()),
        ];
        let mut service = RunningService::start_command(command(&["serve", "--no-migrate"], &env));
        service.wait_until_ready();
        service
    }
}

/// Returns an app without migrations, with a role that may change the users table and no more.
async fn with_role() -> (TestApp, String) {
    let mut app = TestApp::builder().unmigrated().build().await;
    let role = format!("leaver_{}", Uuid::new_v4().simple());
    app.sql(&format!(
        "CREATE ROLE {role} LOGIN;
         GRANT SELECT, UPDATE (is_active) ON users TO {role};
         GRANT SELECT, DELETE ON sessions TO {role};"
    ))
    .await;
    (app, role)
}

#[tokio::test]
async fn the_commands_of_the_chart_run_with_its_files() {
    let (app, role) = with_role().await;
    let mounted = Mounted::new(&app, &role);
    mounted.migrate(&role);
    let service = mounted.serve();
    assert_eq!(service.get("/health/ready").await.0, 200);
    let health = run(&["health", "--url", &service.admin_url], &[]);
    health.succeeded();
    service.stop();
}

#[tokio::test]
async fn an_older_program_starts_on_a_newer_schema() {
    let (mut app, role) = with_role().await;
    let mounted = Mounted::new(&app, &role);
    mounted.migrate(&role);
    // As if the program of the next version had migrated.
    app.sql(
        "INSERT INTO leaver._sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'newer', true, '', 0)",
    )
    .await;
    let service = mounted.serve();
    assert_eq!(service.get("/health/ready").await.0, 200);
    service.stop();
}
