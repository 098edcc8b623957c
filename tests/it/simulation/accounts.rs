//! The accounts of the application: what becomes of them, and which of them the rules find for a record.

use std::collections::HashMap;

use sqlx::Row;

use super::journal::{Line, What};
use super::ops::Record;
use super::world::World;

/// An account as it is.
pub(super) struct Account {
    pub(super) id: String,
    pub(super) on: bool,
    pub(super) sessions: i64,
}

/// The account of a record, as the rules find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The linked account, or without a link the one with the work e-mail.
    Account { on: bool },
    /// The linked account is gone. Another one may have the work e-mail, and access.
    LinkGone { other_is_on: bool },
    /// None.
    Nothing,
}

impl Seen {
    /// Returns whether an account has access that belongs, or may belong, to the person.
    pub(super) fn has_access(self) -> bool {
        matches!(
            self,
            Self::Account { on: true } | Self::LinkGone { other_is_on: true }
        )
    }
}

impl World {
    /// Everybody who may have an account.
    pub(super) fn everybody() -> impl Iterator<Item = &'static str> {
        Self::people().into_iter().chain(["hal"])
    }

    /// Returns the accounts there are, by person.
    pub(super) async fn accounts(&mut self) -> HashMap<String, Account> {
        let rows = sqlx::query(
            "SELECT split_part(email, '@', 1) AS person, id::text AS id, is_active,
                    (SELECT count(*) FROM sessions s WHERE s.user_id = u.id) AS sessions
             FROM users u",
        )
        .fetch_all(&mut self.app.conn)
        .await
        .unwrap();
        let account = |row: &sqlx::postgres::PgRow| Account {
            id: row.get("id"),
            on: row.get("is_active"),
            sessions: row.get("sessions"),
        };
        rows.iter()
            .map(|row| (row.get("person"), account(row)))
            .collect()
    }

    /// Returns the account of a record that the rules find, of all there are.
    pub(super) fn seen(
        &self,
        of: Record,
        link: Option<&str>,
        has_own_address: bool,
        accounts: &HashMap<String, Account>,
    ) -> Seen {
        let is_hidden = self.hands.hidden.contains(of.person());
        let account = accounts.get(of.person()).filter(|_| !is_hidden);
        match (link, account) {
            (Some(link), Some(account)) if account.id == link => Seen::Account { on: account.on },
            (Some(_), account) => Seen::LinkGone {
                other_is_on: has_own_address && account.is_some_and(|account| account.on),
            },
            (None, Some(account)) if has_own_address => Seen::Account { on: account.on },
            (None, _) => Seen::Nothing,
        }
    }

    /// The application deletes an account with its sessions.
    pub(super) async fn delete_account(&mut self, of: Record) {
        let person = of.person();
        let delete = format!(
            "WITH gone AS (DELETE FROM users WHERE email = '{person}@example.com' RETURNING id)
             DELETE FROM sessions WHERE user_id IN (SELECT id FROM gone)"
        );
        self.app.sql(&delete).await;
        self.hands.touched.insert(person);
        self.hands.taken.remove(person);
    }

    /// The application creates an account, unless the address has one, and its user logs in.
    pub(super) async fn create_account(&mut self, of: Record) {
        let person = of.person();
        let create = format!(
            "WITH new AS (
                 INSERT INTO users (email) SELECT '{person}@example.com'
                 WHERE NOT EXISTS (SELECT FROM users WHERE email = '{person}@example.com') RETURNING id
             ) INSERT INTO sessions (user_id) SELECT id FROM new"
        );
        self.app.sql(&create).await;
        self.hands.appeared(person);
    }
}

/// Returns the account to which a record was linked at the end of the transaction of a line, or now.
pub(super) fn link_at(journal: &[Line], of: Record, line: Option<&Line>) -> Option<String> {
    let until =
        |other: &&Line| line.is_none_or(|line| other.seq < line.seq || other.xid == line.xid);
    let mut links = journal
        .iter()
        .filter(until)
        .filter_map(|line| match &line.what {
            What::Link {
                employee_id,
                account_id,
            } if employee_id == of.id() => Some(account_id.clone()),
            _ => None,
        });
    links.next_back().flatten()
}
