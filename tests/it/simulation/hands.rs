//! The people: administrators who change accounts by hand, and operators who resolve holds and replay deliveries.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use leaver::engine::holds;
use leaver::engine::holds::resolve::{Named, ResolveError, approve, reject};
use leaver::ingest::inbox;
use leaver_core::domain::{AccountId, DeliveryId};
use sqlx::Row;

use super::ops::Record;
use super::world::World;
use crate::support::ada;

/// What people have done to accounts, by the person whose account it is.
#[derive(Default)]
pub(super) struct Hands {
    /// How often they have switched one.
    pub(super) flips: usize,
    /// Switched on, against what HR says perhaps, and not compared since.
    pub(super) given_back: HashSet<&'static str>,
    /// Switched on or off, and not compared since.
    pub(super) touched: HashSet<&'static str>,
    /// Ever switched on so.
    pub(super) ever_given_back: HashSet<&'static str>,
    /// Accounts that ever appeared: created, or hidden and shown again.
    pub(super) ever_appeared: HashSet<&'static str>,
    /// Switched off, and not on since.
    pub(super) taken: HashSet<&'static str>,
    /// Accounts that the database protects, or protected until then.
    pub(super) obstructed: HashMap<&'static str, Option<DateTime<Utc>>>,
    /// Accounts that the service cannot see.
    pub(super) hidden: HashSet<&'static str>,
}

impl Hands {
    /// An account is there that the service has not seen yet, perhaps of somebody who has left.
    pub(super) fn appeared(&mut self, person: &'static str) {
        self.touched.insert(person);
        self.given_back.insert(person);
        self.ever_appeared.insert(person);
    }
}

impl World {
    pub(super) async fn switch(&mut self, of: Record, on: bool) {
        let person = of.person();
        let flip = format!(
            "UPDATE users SET is_active = {on} WHERE email = '{person}@example.com' AND is_active <> {on} RETURNING id::text"
        );
        let Some(id) = self.app.lines(&flip).await.pop() else {
            return;
        };
        self.hands.flips += 1;
        self.hands.touched.insert(person);
        if on {
            self.app
                .sql(&format!("INSERT INTO sessions (user_id) VALUES ({id})"))
                .await;
            self.hands.given_back.insert(person);
            self.hands.ever_given_back.insert(person);
            self.hands.taken.remove(person);
        } else {
            self.hands.taken.insert(person);
        }
    }

    /// A person's word on the nth of the open holds. Where a hold knows no account, the person names the one with the
    /// address, if there is one.
    pub(super) async fn answer(&mut self, nth: usize, yes: bool) -> Result<(), String> {
        let open = holds::store::list_open(&mut self.app.conn).await.unwrap();
        let Some(hold) = open.get(nth % open.len().max(1)) else {
            return Ok(());
        };
        let now = self.now();
        if !yes {
            let policies = self.app.parts.engine.policies.clone();
            let rejected = reject(&mut self.operator, &policies, hold.id, &ada(), now).await;
            return rejected.map(drop).map_err(|error| error.to_string());
        }
        let of = Record::ALL
            .into_iter()
            .find(|of| of.id() == hold.employee_id);
        let person = of.unwrap().person();
        let accounts = self.accounts().await;
        let of_person = accounts.get(person).map(|account| account.id.clone());
        let named = match (&hold.account_id, &of_person) {
            (Some(_), _) => Named::OfHold,
            (None, Some(id)) => Named::Accounts(vec![AccountId::new(id)]),
            (None, None) => return Ok(()),
        };
        let is_gone = hold.account_id.is_some() && hold.account_id != of_person;
        let policies = self.app.parts.engine.policies.clone();
        let (operator, table) = (&mut self.operator, &self.table);
        let approved = approve(operator, table, &policies, hold.id, &named, &ada(), now).await;
        // A transaction that failed is rolled back with the next statement; a command's ends with its process.
        sqlx::raw_sql("SELECT 1").execute(operator).await.unwrap();
        match approved {
            Ok(_) if hold.requested_action == "reactivate" => {
                self.hands.given_back.insert(person);
                self.hands.ever_given_back.insert(person);
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(ResolveError::Blocked { .. }) if !self.hands.obstructed.is_empty() => Ok(()),
            Err(ResolveError::NoSuchAccount(_))
                if is_gone || self.hands.hidden.contains(person) =>
            {
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whatever was set aside by deaths of the process is asked for again, as `leaver replay` does.
    pub(super) async fn replay_failed(&mut self) -> usize {
        let failed = "SELECT id FROM leaver.deliveries WHERE state = 'failed' AND reason LIKE '%the service ended%'";
        let rows = sqlx::query(failed)
            .fetch_all(&mut self.app.conn)
            .await
            .unwrap();
        let ids: Vec<DeliveryId> = rows.iter().map(|row| DeliveryId(row.get(0))).collect();
        let now = self.now();
        inbox::store::replay(&mut self.app.conn, &ids, now)
            .await
            .unwrap();
        ids.len()
    }
}
