//! Apps that lists of operations use in turn: creating a database takes longer than most lists.

use std::sync::{Mutex, MutexGuard, PoisonError};

use leaver::db::schema;

use super::journal::JOURNAL;
use super::obstacles::{OBSTACLES, ROLE};
use super::world::World;
use crate::support::TestApp;

/// The time at which each list begins.
const BEGINNING: &str = "2026-11-22T12:00:00Z";

/// Ends the connections of the last list and deletes all rows. The role `replica` disables the triggers, except that
/// of the audit log.
const CLEAR: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET session_replication_role = replica;
    ALTER TABLE leaver.audit DISABLE TRIGGER audit_is_append_only;
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                    WHERE schemaname IN ('leaver', 'public') AND tablename <> '_sqlx_migrations'
        LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
        FOR name IN SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences
        LOOP EXECUTE 'ALTER SEQUENCE ' || name || ' RESTART'; END LOOP;
    END $$;
    ALTER TABLE leaver.audit ENABLE ALWAYS TRIGGER audit_is_append_only;
    RESET session_replication_role;";

/// The apps that no list uses at the moment.
#[derive(Default)]
pub(super) struct IdleApps(Mutex<Vec<TestApp>>);

impl IdleApps {
    /// Returns an app with the users and nothing else.
    pub(super) async fn take(&self) -> TestApp {
        let used = self.free().pop();
        let mut app = if let Some(mut app) = used {
            app.sql(CLEAR).await;
            app.set_clock(BEGINNING);
            app
        } else {
            let wanted = "account.*, hold.*, safeguard.*";
            let mut app = TestApp::builder().wanting(wanted).build().await;
            app.sql(JOURNAL).await;
            app.sql(OBSTACLES).await;
            schema::grant_to(&mut app.conn, ROLE).await.unwrap();
            app
        };
        let emails = World::people().map(|person| format!("{person}@example.com"));
        app.add_users(&emails.each_ref().map(String::as_str)).await;
        app
    }

    pub(super) fn give_back(&self, app: TestApp) {
        self.free().push(app);
    }

    fn free(&self) -> MutexGuard<'_, Vec<TestApp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
