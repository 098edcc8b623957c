//! One Postgres for all tests of this binary, and databases on it that are copied from a migrated template.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use embedded_postgres::{DataDir, Embedded, Options};
use leaver::db::schema;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::process::WAIT_LIMIT;
use super::{USERS, scratch};

/// Settings of the shared server. Nothing in it has to survive a crash, and each table is small.
const FAST: [&str; 4] = [
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET autovacuum = off",
    "ALTER SYSTEM SET jit = off",
    "SELECT pg_reload_conf()",
];

/// Our tables, and nothing else.
const MIGRATED: &str = "template_migrated";
/// The index that `leaver check` proposes for [`USERS`].
const USERS_INDEX: &str = "CREATE INDEX ON users (leaver.email_key(email))";
/// Our tables beside [`USERS`].
const WITH_USERS: &str = "template_with_users";

/// Databases that no test uses any more; they are dropped before the next one is made.
static UNUSED: Mutex<Vec<String>> = Mutex::new(vec![]);

/// A database of one test. Dropping it drops the database, a little later.
pub(crate) struct Database {
    pub(crate) name: String,
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner);
        unused.push(std::mem::take(&mut self.name));
    }
}

/// A test's own connection to its database, as the superuser.
pub(crate) struct Session {
    pub(crate) conn: PgConnection,
}

impl Session {
    /// Connects.
    pub(crate) async fn open(options: &PgConnectOptions) -> Self {
        Self {
            conn: options.connect().await.unwrap(),
        }
    }

    /// Runs any SQL.
    pub(crate) async fn sql(&mut self, sql: &str) {
        execute(&mut self.conn, sql).await;
    }

    /// Returns one number.
    pub(crate) async fn count(&mut self, sql: &str) -> i64 {
        let row = sqlx::query(AssertSqlSafe(sql.to_owned()));
        row.fetch_one(&mut self.conn).await.unwrap().get(0)
    }

    /// Returns one text.
    pub(crate) async fn text(&mut self, sql: &str) -> Option<String> {
        let row = sqlx::query(AssertSqlSafe(sql.to_owned()));
        row.fetch_one(&mut self.conn).await.unwrap().get(0)
    }

    /// Returns the first column of each row.
    pub(crate) async fn lines(&mut self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned()));
        let rows = rows.fetch_all(&mut self.conn).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Waits until a count has this value, at most [`WAIT_LIMIT`].
    pub(crate) async fn wait_for_count(&mut self, wanted: i64, sql: &str) {
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            let count = self.count(sql).await;
            if count == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{sql} is still {count}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until no delivery is pending.
    pub(crate) async fn wait_until_processed(&mut self) {
        self.wait_for_count(
            0,
            "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'",
        )
        .await;
    }

    /// Returns the active users.
    pub(crate) async fn active(&mut self) -> Vec<String> {
        self.lines("SELECT email FROM users WHERE is_active ORDER BY id")
            .await
    }
}

/// Starts a Postgres in this folder, with the binaries that `PG_BINDIR` or `PATH` name.
pub(crate) async fn start_postgres(options: Options) -> Embedded {
    tokio::task::spawn_blocking(move || Embedded::start(&options).unwrap())
        .await
        .unwrap()
}

/// Returns the options of a Postgres that is kept in this folder.
pub(crate) fn kept_in(folder: &std::path::Path) -> Options {
    Options {
        bin_dir: std::env::var_os("PG_BINDIR").map(Into::into),
        search_path: std::env::var_os("PATH"),
        data_dir: DataDir::Persistent(folder.to_path_buf()),
    }
}

/// Returns the Postgres of this binary, which is started at the first call and ends with the process.
pub(crate) async fn postgres() -> &'static Embedded {
    static POSTGRES: OnceCell<Embedded> = OnceCell::const_new();
    POSTGRES
        .get_or_init(|| async {
            let postgres =
                start_postgres(kept_in(&scratch::until_process_ends(scratch::folder()))).await;
            let mut admin = connect(&postgres, "postgres").await;
            for statement in FAST {
                execute(&mut admin, statement).await;
            }
            for (template, tables) in [(MIGRATED, ""), (WITH_USERS, USERS)] {
                execute(&mut admin, &format!("CREATE DATABASE {template}")).await;
                let mut conn = connect(&postgres, template).await;
                execute(&mut conn, tables).await;
                schema::migrate(&mut conn).await.unwrap();
                if !tables.is_empty() {
                    execute(&mut conn, USERS_INDEX).await;
                }
                sqlx::Connection::close(conn).await.unwrap();
            }
            postgres
        })
        .await
}

/// Makes an empty database.
pub(crate) async fn empty_database() -> (PgConnectOptions, Database) {
    copy_of("template0").await
}

/// Makes an empty database with options of `CREATE DATABASE`, such as its encoding and locale.
pub(crate) async fn database_with(options: &str) -> (PgConnectOptions, Database) {
    let postgres = postgres().await;
    let name = format!("test_{}", Uuid::new_v4().simple());
    let mut admin = connect(postgres, "postgres").await;
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 {options}");
    execute(&mut admin, &create).await;
    (postgres.connect_options(&name), Database { name })
}

/// Makes a database with our tables and those that this SQL makes.
pub(crate) async fn migrated_database(tables: &str) -> (PgConnectOptions, Database) {
    if tables == USERS {
        return copy_of(WITH_USERS).await;
    }
    let (options, database) = copy_of(MIGRATED).await;
    execute(&mut options.connect().await.unwrap(), tables).await;
    (options, database)
}

/// Makes a copy of a test's database, whose connections are ended first. Returns its URL.
pub(crate) async fn copied(options: &PgConnectOptions) -> (String, Database) {
    let original = options.get_database().unwrap();
    let mut admin = connect(postgres().await, "postgres").await;
    let end = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{original}'"
    );
    execute(&mut admin, &end).await;
    let (_, database) = copy_of(original).await;
    (postgres().await.url(&database.name), database)
}

async fn copy_of(template: &str) -> (PgConnectOptions, Database) {
    let postgres = postgres().await;
    let name = format!("test_{}", Uuid::new_v4().simple());
    let mut admin = connect(postgres, "postgres").await;
    let unused = std::mem::take(&mut *UNUSED.lock().unwrap_or_else(PoisonError::into_inner));
    for name in unused {
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        execute(&mut admin, &drop).await;
    }
    // Copying files takes half as long as logging each page. Before Postgres 15 it is the only way.
    let major = postgres.version().split('.').next().unwrap();
    let strategy = if major.parse::<u32>().unwrap() < 15 {
        ""
    } else {
        "STRATEGY FILE_COPY"
    };
    let create = format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}");
    execute(&mut admin, &create).await;
    (postgres.connect_options(&name), Database { name })
}

async fn connect(postgres: &Embedded, database: &str) -> PgConnection {
    postgres.connect_options(database).connect().await.unwrap()
}

async fn execute(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .unwrap();
}
