//! Databases that one list after the other uses: making one takes longer than most lists.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::journal::JOURNAL;
use super::world::World;
use crate::support::TestApp;

/// When each list begins.
const BEGINNING: &str = "2026-11-22T12:00:00Z";

/// Ends whatever a list has left behind, and forgets all it did. As a replica does, so that no trigger hinders it.
const CLEAR: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET session_replication_role = replica;
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                    WHERE schemaname IN ('leaver', 'public') AND tablename <> '_sqlx_migrations'
        LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
        FOR name IN SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences
        LOOP EXECUTE 'ALTER SEQUENCE ' || name || ' RESTART'; END LOOP;
    END $$;
    RESET session_replication_role;";

/// Those that no list uses at the moment.
#[derive(Default)]
pub(super) struct Grounds(Mutex<Vec<TestApp>>);

impl Grounds {
    /// One with the accounts and nothing else, as the service that is to run on it would leave it.
    pub(super) async fn take(&self) -> TestApp {
        let used = self.free().pop();
        let mut app = if let Some(mut app) = used {
            app.sql(CLEAR).await;
            app.set_clock(BEGINNING);
            app
        } else {
            let mut app = TestApp::new().await;
            app.sql(JOURNAL).await;
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
