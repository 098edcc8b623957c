//! The Postgres of the load: set-up, and queries about the result.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use embedded_postgres::{DataDir, Embedded, Options};
use leaver::db::schema;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use uuid::Uuid;

/// Users table of the application, with the employees of the load.
const USERS: &str = "
    CREATE TABLE IF NOT EXISTS users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL,
                                      is_active boolean NOT NULL DEFAULT true);
    CREATE INDEX IF NOT EXISTS users_email_idx ON users (leaver.email_key(email));
    TRUNCATE users;
    INSERT INTO users (email) SELECT 'employee' || n || '@example.com' FROM generate_series(0, 4999) n;
    ANALYZE users;";

/// Time limit for processing a backlog.
const DRAIN_TIMEOUT: Duration = Duration::from_mins(5);

/// A Postgres and a connection to it.
pub(crate) struct Database {
    embedded: Option<Embedded>,
    url: String,
    conn: PgConnection,
}

impl Database {
    /// Connects to the Postgres at `url`, or starts a temporary one.
    pub(crate) async fn start(url: Option<&str>) -> anyhow::Result<Self> {
        let (embedded, url) = if let Some(url) = url {
            (None, url.to_owned())
        } else {
            let options = Options {
                bin_dir: std::env::var_os("PG_BINDIR").map(Into::into),
                search_path: std::env::var_os("PATH"),
                data_dir: DataDir::Ephemeral,
            };
            let started = tokio::task::spawn_blocking(move || Embedded::start(&options));
            let embedded = started.await??;
            let url = embedded.url("postgres");
            (Some(embedded), url)
        };
        let options = PgConnectOptions::from_str(&url)?.application_name("load");
        let mut conn = options.connect().await?;
        schema::migrate(&mut conn).await?;
        Ok(Self {
            embedded,
            url,
            conn,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        drop(self.conn);
        if let Some(embedded) = self.embedded {
            tokio::task::spawn_blocking(move || embedded.stop()).await??;
        }
        Ok(())
    }

    /// Returns the settings on which the result depends. Fails if a setting that durability needs is off.
    pub(crate) async fn settings(&mut self) -> anyhow::Result<Vec<(String, String)>> {
        let settings: Vec<(String, String)> = sqlx::query_as(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name IN (
                 'server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method',
                 'data_checksums', 'shared_buffers', 'max_wal_size') ORDER BY name",
        )
        .fetch_all(&mut self.conn)
        .await?;
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            let on = settings
                .iter()
                .any(|(other, value)| other == name && value == "on");
            anyhow::ensure!(
                on,
                "{name} is not on, so storage would not be durable; set {name} = on"
            );
        }
        Ok(settings)
    }

    /// Returns the number of 8 kB writes per second, each flushed before the next. Writes to the folder of the
    /// temporary Postgres, or to the folder for temporary files if the database is given.
    pub(crate) fn flushes_per_second(&self) -> anyhow::Result<f64> {
        let folder = self.embedded.as_ref().map(Embedded::base);
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
        flushes_per_second(&folder.join("flushed"))
    }

    /// Deletes all deliveries and their effects, and creates the users again.
    pub(crate) async fn reset(&mut self) -> anyhow::Result<()> {
        let truncate =
            "TRUNCATE leaver.deliveries, leaver.employees, leaver.holds, leaver.pending_reads";
        for sql in [USERS, truncate, "CHECKPOINT"] {
            sqlx::raw_sql(sql).execute(&mut self.conn).await?;
        }
        Ok(())
    }

    /// Inserts users, and a trigger that notifies the channel `access_ended` when a user is deactivated.
    pub(crate) async fn add_people(&mut self, people: u64) -> anyhow::Result<()> {
        let trigger = "
            CREATE OR REPLACE FUNCTION notify_access_ended() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_notify('access_ended', substring(NEW.email FROM '[0-9]+'));
                RETURN NULL;
            END $$;
            CREATE OR REPLACE TRIGGER notify_access_ended AFTER UPDATE ON users FOR EACH ROW
                WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION notify_access_ended();";
        sqlx::raw_sql(trigger).execute(&mut self.conn).await?;
        let sql = "INSERT INTO users (email) SELECT 'person' || n || '@example.com' FROM generate_series(0, $1 - 1) n";
        let people = sqlx::query(sql).bind(i64::try_from(people)?);
        people.execute(&mut self.conn).await?;
        sqlx::raw_sql("ANALYZE users")
            .execute(&mut self.conn)
            .await?;
        Ok(())
    }

    /// Returns how many of them still have access.
    pub(crate) async fn active_people(&mut self) -> anyhow::Result<i64> {
        let sql = "SELECT count(*) FROM users WHERE is_active AND email LIKE 'person%'";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.conn).await?)
    }

    /// Returns the number of transactions in this database so far.
    pub(crate) async fn transactions(&mut self) -> anyhow::Result<i64> {
        // Backends report their statistics with a delay of up to a second.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.conn).await?)
    }

    /// Inserts deliveries that were processed in the last 60 days, as housekeeping leaves them.
    pub(crate) async fn insert_processed(&mut self, count: i64) -> anyhow::Result<()> {
        let sql = "
            INSERT INTO leaver.deliveries (id, fingerprint, source, digest, content_type, signed_at, received_at, body_bytes, state,
                                           next_attempt_at, processed_at, outcome, employee_ids)
            SELECT encode(substring(int8send((extract(epoch FROM at) * 1000)::int8) FROM 3) || '\\x7000'
                          || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid,
                   CASE WHEN at > now() - interval '7 days' THEN gen_random_uuid() END, 'bamboohr', sha256(int8send(n)), 'application/json', at, at, 1000, 'processed',
                   at, at, '{\"kept\": 1}', ARRAY[(n % 5000)::text]
            FROM generate_series(1, $1) n, LATERAL (SELECT now() - interval '60 days' * (1 - n::float8 / $1) AS at) t";
        sqlx::query(sql).bind(count).execute(&mut self.conn).await?;
        for statement in ["VACUUM ANALYZE leaver.deliveries", "CHECKPOINT"] {
            sqlx::raw_sql(statement).execute(&mut self.conn).await?;
        }
        Ok(())
    }

    /// Returns the number of bytes in the write-ahead log so far.
    pub(crate) async fn wal_bytes(&mut self) -> anyhow::Result<i64> {
        let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.conn).await?)
    }

    /// Returns the number of pending deliveries.
    pub(crate) async fn pending(&mut self) -> anyhow::Result<i64> {
        let sql = "SELECT count(*) FROM leaver.deliveries WHERE state = 'pending'";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.conn).await?)
    }

    /// Waits until no delivery is pending, and returns the time this took. Fails after five minutes.
    pub(crate) async fn wait_until_processed(&mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        // Counting every 100 ms would itself be a load.
        let any = "SELECT EXISTS (SELECT FROM leaver.deliveries WHERE state = 'pending')";
        while sqlx::query_scalar(any).fetch_one(&mut self.conn).await? {
            if began.elapsed() > DRAIN_TIMEOUT {
                bail!(
                    "deliveries are still pending after {} s",
                    DRAIN_TIMEOUT.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(began.elapsed())
    }

    /// Returns how many of these deliveries are not stored or not processed.
    pub(crate) async fn missing(&mut self, ids: &[Uuid]) -> anyhow::Result<i64> {
        let sql = "SELECT count(*) FROM unnest($1::uuid[]) AS a (id)
                   WHERE NOT EXISTS (SELECT FROM leaver.deliveries d WHERE d.id = a.id AND d.state = 'processed')";
        // With old statistics the planner assumes an empty table and chooses a nested loop.
        sqlx::raw_sql("ANALYZE leaver.deliveries")
            .execute(&mut self.conn)
            .await?;
        let missing = sqlx::query_scalar(sql).bind(ids);
        Ok(missing.fetch_one(&mut self.conn).await?)
    }
}

fn flushes_per_second(path: &PathBuf) -> anyhow::Result<f64> {
    let page = [7; 8192];
    let mut file = File::create(path).with_context(|| path.display().to_string())?;
    file.write_all(&page)?;
    file.sync_all()?;
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < Duration::from_secs(1) {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&page)?;
        file.sync_data()?;
        count += 1;
    }
    std::fs::remove_file(path)?;
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}
