//! The people: administrators who change accounts by hand, and operators who resolve holds and replay deliveries.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use leaver::engine::holds;
use leaver::engine::holds::resolve::ResolveError;
use leaver::ingest::inbox;
use leaver_core::domain::DeliveryId;
use sqlx::Row;

use super::ops::Record;
use super::world::World;

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
    /// Switched off, and not on since.
    pub(super) taken: HashSet<&'static str>,
    /// Accounts that the database protects, or protected until then.
    pub(super) obstructed: HashMap<&'static str, Option<DateTime<Utc>>>,
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

    /// A person's word on the nth of the open holds that know their account.
    pub(super) async fn answer(&mut self, nth: usize, yes: bool) -> Result<(), String> {
        let open = holds::store::list_open(&mut self.app.conn).await.unwrap();
        let open: Vec<_> = open
            .into_iter()
            .filter(|hold| hold.account_id.is_some())
            .collect();
        let Some(hold) = open.get(nth % open.len().max(1)) else {
            return Ok(());
        };
        if !yes {
            return self
                .app
                .reject(hold.id)
                .await
                .map(drop)
                .map_err(|e| e.to_string());
        }
        if hold.requested_action == "reactivate" {
            let id: usize = hold.account_id.as_ref().unwrap().parse().unwrap();
            let person = Self::people()[id - 1];
            self.hands.given_back.insert(person);
            self.hands.ever_given_back.insert(person);
        }
        let is_obstructed = !self.hands.obstructed.is_empty();
        match self.app.approve(hold.id, None).await {
            Err(ResolveError::Blocked { .. }) if is_obstructed => Ok(()),
            approved => approved.map(drop).map_err(|error| error.to_string()),
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
