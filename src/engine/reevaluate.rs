//! Looks at a slice of the roster anew, when nothing was said of anybody but a time has come or access was found
//! that should not be there: at once, and after a failure in halves.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::Engine;
use super::execute::{Outcome, act};
use crate::db::error::chain;
use crate::db::error::is_outage;
use crate::db::transaction::roll_back;
use crate::db::transaction::set_lock_timeout;
use crate::engine::accounts::AccountsTable;
use crate::engine::audit::Actor;
use crate::jobs::deliveries::LoopState;
use crate::jobs::deliveries::batch::catch_panic;
use crate::roster;
use leaver_core::domain::{Employee, EmployeeKey};

/// After this, what is left of a slice in which something fails waits for the next time.
const LONGEST_SPLITTING: Duration = Duration::from_secs(10);

impl Engine {
    /// Looks at these employees again, in a transaction of its own, and does what follows; says how it ended for each,
    /// and why it did not for the others.
    ///
    /// # Errors
    /// What is wrong with the database, in words; then nothing was done.
    pub async fn reevaluate(
        &self,
        memory: &mut LoopState,
        keys: &[EmployeeKey],
        actor: &Actor,
    ) -> Result<(HashMap<EmployeeKey, Outcome>, Option<String>), String> {
        let table = self.accounts_table(memory).await?;
        let now = self.clock.now();
        let mut keys = keys.to_vec();
        keys.sort();
        let looked = async {
            let mut conn = self.pool.acquire().await?;
            let mut tx = conn.begin().await?;
            set_lock_timeout(&mut tx).await?;
            let employees = roster::store::lock(&mut tx, &keys, &self.rules.names(), now).await?;
            match self
                .execute_partially(&mut tx, &table, employees, actor, now)
                .await
            {
                Ok(looked) => tx.commit().await.map(|()| looked),
                Err(error) => {
                    roll_back(tx).await;
                    Err(error)
                }
            }
        };
        let looked: Result<_, sqlx::Error> = self.pool.heard(looked).await;
        let (outcomes, failure) = looked.map_err(|error| chain(&error))?;
        for (key, outcome) in &outcomes {
            self.count(key.source.as_str(), *outcome, 1);
        }
        Ok((outcomes, failure.map(|error| chain(&error))))
    }

    /// Tries all at once, and after a failure in halves: one account that cannot be switched off must not hold
    /// up the others. The rows stay locked meanwhile.
    pub(crate) async fn execute_partially(
        &self,
        tx: &mut PgConnection,
        table: &AccountsTable,
        employees: Vec<Employee>,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<(HashMap<EmployeeKey, Outcome>, Option<sqlx::Error>), sqlx::Error> {
        let until = Instant::now() + LONGEST_SPLITTING;
        let mut outcomes = HashMap::new();
        let mut failure = None;
        let mut left = vec![employees];
        while let Some(mut slice) = left.pop() {
            let mut point = tx.begin().await?;
            let tried = slice.clone();
            let work = act(&mut point, table, &self.rules, tried, actor, now);
            match catch_panic(work).await {
                Ok(acted) => {
                    point.commit().await?;
                    outcomes.extend(acted.outcomes);
                }
                Err(error) if is_outage(&error) => return Err(error),
                Err(error) => {
                    point.rollback().await?;
                    failure = Some(error);
                    if Instant::now() > until {
                        break;
                    }
                    if slice.len() > 1 {
                        left.push(slice.split_off(slice.len() / 2));
                        left.push(slice);
                    }
                }
            }
        }
        Ok((outcomes, failure))
    }
}
