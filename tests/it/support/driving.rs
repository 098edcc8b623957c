//! Employees, second replicas, failing accounts and resolved holds, for tests of time, holds and failures.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use leaver::base::clock::Clock;
use leaver::base::liveness::Phase;
use leaver::config::{Environment, Settings};
use leaver::engine::accounts::AccountsTable;
use leaver::engine::holds;
use leaver::engine::holds::resolve::{Approved, Named, ResolveError, approve, reject};
use leaver::jobs::deliveries::{LoopState, Round};
use leaver::service::Components;
use leaver_core::domain::{AccountId, DeliveryId};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, Row};
use uuid::Uuid;

use super::builder::HIGH_LIMITS;
use super::database::Session;
use super::{
    BAMBOOHR_KEY, END_SESSIONS, JSON, MERGE_KEY, TestApp, ada, employee, employees, merge_changed,
};

/// Policy `rehire = "reactivate"`.
pub(crate) const REACTIVATE: (&str, &str) = ("LEAVER__POLICY__REHIRE", "reactivate");

/// One terminated BambooHR employee.
pub(crate) fn terminated(id: &str, email: &str, as_of: &str) -> Value {
    let fields =
        json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": email});
    employee(id, as_of, &["status"], &fields)
}

/// One BambooHR employee who works there, and has no termination date.
pub(crate) fn working(id: &str, email: &str, as_of: &str) -> Value {
    let fields = json!({"status": "Active", "employmentHistoryStatus": "Full-Time",
                        "terminationDate": "0000-00-00", "workEmail": email});
    employee(id, as_of, &["status"], &fields)
}

/// One BambooHR employee who works there until a day.
pub(crate) fn leaving(id: &str, email: &str, as_of: &str, date: &str) -> Value {
    let fields = json!({"status": "Active", "terminationDate": date, "workEmail": email});
    employee(id, as_of, &["terminationDate"], &fields)
}

/// An event-based BambooHR body: a change without values.
pub(crate) fn event(kind: &str, id: &str, as_of: &str) -> Value {
    json!({"type": kind, "timestamp": as_of,
           "data": {"companyId": "1", "employeeId": id, "changedFields": ["status"]}})
}

/// A Merge delivery of one employee.
pub(crate) fn merge_record(
    id: &str,
    email: &str,
    modified_at: &str,
    status: &str,
    date: Option<&str>,
) -> Value {
    merge_changed(&json!({
        "id": id, "modified_at": modified_at, "work_email": email, "personal_email": null,
        "employment_status": status, "termination_date": date, "start_date": "2020-01-06T00:00:00Z",
        "remote_was_deleted": false,
    }))
}

impl TestApp {
    /// Returns a replica on the same database and clock, with these sources and settings.
    pub(crate) async fn beside(&self, sources: &[&str], settings: &[(&str, &str)]) -> Self {
        let clock = Arc::new(self.clock.clone());
        self.replica(sources, settings, clock, self.options.clone())
            .await
    }

    /// Returns a replica with its own clock and database options.
    pub(crate) async fn replica(
        &self,
        sources: &[&str],
        settings: &[(&str, &str)],
        clock: Arc<dyn Clock>,
        options: PgConnectOptions,
    ) -> Self {
        let keys = [
            ("bamboohr", "BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
            ("merge", "MERGE_WEBHOOK_SECRET", MERGE_KEY),
        ];
        let mut env: BTreeMap<&str, &str> = keys
            .into_iter()
            .filter(|(source, ..)| sources.contains(source))
            .map(|(_, name, key)| (name, key))
            .collect();
        env.extend([END_SESSIONS]);
        env.extend(HIGH_LIMITS);
        env.extend(settings.iter().copied());
        let mut settings = Settings::load(None, &Environment::of(env)).unwrap();
        // They come from a file, which a replica does not have.
        settings
            .destinations
            .clone_from(&self.settings.destinations);
        let parts =
            Components::with_health_cache(&settings, options, clock, std::time::Duration::ZERO);
        parts.liveness.enter(Phase::Ready);
        Self {
            parts,
            settings,
            clock: self.clock.clone(),
            options: self.options.clone(),
            url: self.url.clone(),
            variables: self.variables.clone(),
            files: Arc::clone(&self.files),
            memory: LoopState::default(),
            session: Session::open(&self.options).await,
        }
    }

    /// Opens another connection as the superuser.
    pub(crate) async fn connect(&self) -> PgConnection {
        self.options.connect().await.unwrap()
    }

    /// Sends a signed JSON webhook without processing it. Returns its ID.
    pub(crate) async fn store(&self, source: &str, body: &Value) -> DeliveryId {
        let answer = self.send(source, JSON, body.to_string()).await;
        let id = answer.body["delivery"].as_str().unwrap();
        DeliveryId(Uuid::parse_str(id).unwrap())
    }

    /// Delivers these entries of BambooHR in one body, and processes them.
    pub(crate) async fn bamboohr(&mut self, entries: &[Value]) {
        self.deliver("bamboohr", &employees(entries)).await;
    }

    /// Ends all other sessions in the database, since a session publishes its statistics at its end.
    pub(crate) async fn publish_statistics(&mut self) {
        let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.wait_for_count(0, others).await;
    }

    /// Runs one round of the worker.
    pub(crate) async fn round(&mut self) -> Round {
        self.parts.deliveries.round(&mut self.memory).await
    }

    /// Executes the scheduled ends that are due. Returns the error as text.
    pub(crate) async fn try_run_due(&mut self) -> Result<(), String> {
        self.parts
            .scheduled_ends
            .run_due()
            .await
            .map_err(|failure| failure.to_string())
    }

    /// Sets the clock.
    pub(crate) fn set_clock(&self, now: &str) {
        self.clock.set(super::at(now));
    }

    /// Returns whether a user can log in.
    pub(crate) async fn is_active(&mut self, email: &str) -> bool {
        self.user(email).await.0
    }

    /// Returns when an employee's access is scheduled to end.
    pub(crate) async fn access_ends_at(&mut self, id: &str) -> Option<DateTime<Utc>> {
        sqlx::query("SELECT access_ends_at FROM leaver.employees WHERE employee_id = $1")
            .bind(id)
            .fetch_one(&mut self.conn)
            .await
            .unwrap()
            .get(0)
    }

    /// Returns the audit log without reads of the roster, as `action employee account actor`, in order.
    pub(crate) async fn audit_in_full(&mut self) -> Vec<String> {
        self.lines(
            "SELECT concat_ws(' ', action, employee_id, COALESCE(account_id, '-'), actor)
             FROM leaver.audit WHERE action <> 'roster_read' ORDER BY id",
        )
        .await
    }

    /// Returns all holds as `state requested_action employee account`, in order.
    pub(crate) async fn holds(&mut self) -> Vec<String> {
        self.lines(
            "SELECT concat_ws(' ', state, requested_action, employee_id, COALESCE(account_id, '-'))
             FROM leaver.holds ORDER BY id",
        )
        .await
    }

    /// Returns the ID of the one open hold.
    pub(crate) async fn open_hold(&mut self) -> i64 {
        let open = holds::store::list_open(&mut self.conn).await.unwrap();
        assert_eq!(open.len(), 1, "{open:?}");
        open[0].id
    }

    /// Approves a hold.
    pub(crate) async fn approve(
        &mut self,
        id: i64,
        account: Option<&str>,
    ) -> Result<Approved, ResolveError> {
        let account = account.map(|id| Named::Accounts(vec![AccountId::new(id)]));
        self.approve_for(id, &account.unwrap_or(Named::OfHold))
            .await
    }

    /// Approves a hold for these accounts.
    pub(crate) async fn approve_for(
        &mut self,
        id: i64,
        named: &Named,
    ) -> Result<Approved, ResolveError> {
        let now = self.clock.now();
        let table = AccountsTable::inspect(&mut self.session.conn, &self.settings.accounts)
            .await
            .unwrap();
        let policies = leaver::service::policies(&self.settings);
        let conn = &mut self.session.conn;
        approve(conn, &table, &policies, id, named, &ada(), now).await
    }

    /// Rejects a hold.
    pub(crate) async fn reject(&mut self, id: i64) -> Result<holds::Hold, ResolveError> {
        let now = self.clock.now();
        let policies = leaver::service::policies(&self.settings);
        reject(&mut self.conn, &policies, id, &ada(), now).await
    }

    /// Creates a trigger that rejects every update of these users with this SQLSTATE.
    pub(crate) async fn refuse_to_change(&mut self, ids: &[i64], code: &str) {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        self.sql(&format!(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 RAISE EXCEPTION 'user \"%\" is under legal hold', OLD.email USING ERRCODE = '{code}';
             END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON users FOR EACH ROW
                 WHEN (OLD.id IN ({})) EXECUTE FUNCTION refuse();",
            ids.join(", ")
        ))
        .await;
    }

    /// Creates a trigger that rejects every update of the roster entries with these employee ids.
    pub(crate) async fn refuse_to_save(&mut self, ids: &[i64]) {
        let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
        self.sql(&format!(
            "CREATE FUNCTION leaver.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'employee \"%\" is refused', OLD.work_email; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON leaver.employees FOR EACH ROW
                 WHEN (OLD.employee_id IN ({})) EXECUTE FUNCTION leaver.refuse();",
            ids.join(", ")
        ))
        .await;
    }

    /// Drops the trigger on the roster.
    pub(crate) async fn allow_saves(&mut self) {
        self.sql("DROP TRIGGER refuse ON leaver.employees").await;
    }

    /// Drops the trigger on the users.
    pub(crate) async fn allow_changes(&mut self) {
        self.sql("DROP TRIGGER refuse ON users").await;
    }

    /// Waits until one session of the service waits for a lock.
    pub(crate) async fn wait_until_the_service_waits_for_a_lock(&mut self) {
        self.wait_until_services_wait_for_a_lock(1).await;
    }

    /// Waits until this many sessions of the service wait for a lock.
    pub(crate) async fn wait_until_services_wait_for_a_lock(&mut self, sessions: i64) {
        self.wait_until("wait_event_type = 'Lock'", |waiting| waiting >= sessions)
            .await;
    }

    /// Waits until no session of the service is in a transaction.
    pub(crate) async fn wait_until_the_service_is_quiet(&mut self) {
        self.wait_until("xact_start IS NOT NULL", |busy| busy == 0)
            .await;
    }

    async fn wait_until(&mut self, which: &str, enough: impl Fn(i64) -> bool) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'leaver' AND {which}"
        );
        for _ in 0..2_000 {
            if enough(self.count(&sql).await) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("the sessions of the service never were: {which}");
    }
}
