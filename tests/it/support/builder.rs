//! Builds a [`TestApp`].

use std::sync::Arc;

use leaver::base::clock::FixedClock;
use leaver::base::liveness::Phase;
use leaver::config::{Environment, Settings};
use leaver::jobs::deliveries::LoopState;
use leaver_core::signature::{Key, Scheme};
use sqlx::postgres::PgConnectOptions;

use super::app::{Files, TestApp, parts};
use super::database::{Session, database_with, empty_database, migrated_database, postgres};
use super::{BAMBOOHR_KEY, END_SESSIONS, MERGE_KEY, USERS, at, scratch};

/// Limits that no test reaches. Tests of the safeguard set their own.
pub(crate) const HIGH_LIMITS: [(&str, &str); 2] = [
    ("LEAVER__SAFEGUARD__HOUR__FLOOR", "1000000"),
    ("LEAVER__SAFEGUARD__DAY__FLOOR", "1000000"),
];

/// What a [`TestApp`] is made of. Without further calls: the sources `bamboohr` and `merge`, the tables [`USERS`] and a
/// migrated database.
pub(crate) struct TestAppBuilder {
    config_file: Option<String>,
    variables: Vec<(String, String)>,
    webhook_keys: Vec<(String, Vec<String>)>,
    tables: String,
    is_migrated: bool,
    created_with: Option<String>,
    server: Option<(String, PgConnectOptions)>,
}

impl TestAppBuilder {
    pub(super) fn new() -> Self {
        let usual = [
            ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
            ("MERGE_WEBHOOK_SECRET", MERGE_KEY),
            END_SESSIONS,
            HIGH_LIMITS[0],
            HIGH_LIMITS[1],
        ];
        Self {
            config_file: None,
            variables: owned(&usual),
            webhook_keys: vec![],
            tables: USERS.to_owned(),
            is_migrated: true,
            created_with: None,
            server: None,
        }
    }

    /// Adds settings, as environment variables (`LEAVER__...`).
    pub(crate) fn settings(mut self, settings: &[(&str, &str)]) -> Self {
        self.variables
            .retain(|(name, _)| settings.iter().all(|(other, _)| name != other));
        self.variables.extend(owned(settings));
        self
    }

    /// Replaces all settings by a configuration file and the environment variables that it names.
    pub(crate) fn config_file(mut self, text: &str, variables: &[(&str, &str)]) -> Self {
        self.variables = owned(&HIGH_LIMITS);
        self.variables.extend(owned(variables));
        self.config_file = Some(self.with_own_keys(text));
        self
    }

    /// Adds sections to the configuration file. All other settings stay.
    pub(crate) fn with_config_file(mut self, text: &str) -> Self {
        let file = self.config_file.get_or_insert_default();
        file.push_str(text);
        self
    }

    /// Gives each source after the first that reads its webhook key from `SECRET` a key of its own, since two sources may
    /// not share one.
    fn with_own_keys(&mut self, text: &str) -> String {
        let secret = self.variables.iter().find(|(name, _)| name == "SECRET");
        let secret = secret.map(|(_, secret)| secret.clone());
        let mut parts = text.split("[\"env:SECRET\"]");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for (n, part) in (1..).zip(parts) {
            let name = if n == 1 {
                "SECRET".to_owned()
            } else {
                format!("SECRET_{n}")
            };
            text.extend(["[\"env:", &name, "\"]", part]);
            if let Some(secret) = secret.as_ref().filter(|_| n > 1) {
                self.variables.push((name, format!("{secret}-{n}")));
            }
        }
        text
    }

    /// Replaces the webhook keys of sources after the settings were checked: several vectors have one key.
    pub(crate) fn webhook_keys(mut self, keys: Vec<(String, Vec<String>)>) -> Self {
        self.webhook_keys = keys;
        self
    }

    /// Sets the SQL that creates the application's tables.
    pub(crate) fn tables(mut self, sql: &str) -> Self {
        sql.clone_into(&mut self.tables);
        self
    }

    /// Leaves the migrations to the program.
    pub(crate) fn unmigrated(mut self) -> Self {
        self.is_migrated = false;
        self
    }

    /// Creates the database with these options of `CREATE DATABASE`, and leaves the migrations to the test.
    pub(crate) fn created_with(mut self, options: &str) -> Self {
        self.created_with = Some(options.to_owned());
        self.unmigrated()
    }

    /// Uses a database of the test's own server, which must be unmigrated.
    pub(crate) fn on_server(mut self, url: String, options: PgConnectOptions) -> Self {
        self.server = Some((url, options));
        self.unmigrated()
    }

    /// Creates the database and the service.
    pub(crate) async fn build(self) -> TestApp {
        let folder = scratch::folder();
        let mut variables = self.variables;
        let env = Environment::of(variables.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let config_file = self.config_file.map(|text| {
            let path = folder.path().join("leaver.toml");
            std::fs::write(&path, text).unwrap();
            path
        });
        let mut settings = Settings::load(config_file.as_deref(), &env).unwrap();
        for source in &mut settings.sources {
            let mut others = self.webhook_keys.iter();
            if let Some((_, keys)) = others.find(|(name, _)| name == source.name.as_str()) {
                let keys = keys
                    .iter()
                    .map(|key| Key::new(&key.as_str().into()).unwrap());
                let (layout, tolerance) = source.scheme.timestamp_options().unwrap_or_default();
                let provider = source.scheme.provider();
                source.scheme = Scheme::new(provider, keys.collect(), layout, tolerance);
            }
        }
        if let Some(path) = &config_file {
            let path = path.to_str().unwrap();
            variables.extend(owned(&[("LEAVER_CONFIG", path)]));
        }

        let (url, options, database) = if let Some((url, options)) = self.server {
            (url, options, None)
        } else {
            let (options, database) = if let Some(created_with) = &self.created_with {
                database_with(created_with).await
            } else if self.is_migrated {
                migrated_database(&self.tables).await
            } else {
                empty_database().await
            };
            let url = postgres().await.url(&database.name);
            (url, options, Some(database))
        };
        let mut session = Session::open(&options).await;
        if !self.is_migrated {
            session.sql(&self.tables).await;
        }
        let clock = FixedClock::at(at("2026-11-22T12:00:00Z"));
        let parts = parts(&settings, options.clone(), &clock);
        parts.liveness.enter(Phase::Ready);
        TestApp {
            parts,
            settings,
            clock,
            options,
            url,
            variables,
            files: Arc::new(Files {
                folder,
                _database: database,
            }),
            memory: LoopState::default(),
            session,
        }
    }
}

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
