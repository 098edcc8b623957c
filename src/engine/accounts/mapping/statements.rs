//! Builds the statements on the accounts table. Columns are qualified with the table's own name, so that predicates of the
//! operator can name columns and the table as in any query of theirs.
//!
//! Most of them run under `accounts.search_path`, in which others may be able to create functions and operators. So each function
//! and operator of ours is named with its schema, and the predicates stand in parentheses.

use std::fmt;

use super::columns::Column;
use super::shape::AccessSql;
use super::tenant::TenantSql;
use super::{AccountsMapping, quote, text_array};

/// One direction of a change of access.
#[derive(Clone, Debug)]
pub(in crate::engine::accounts) struct Switch {
    /// Returns the accounts that have not reached the target, in order, and locks their rows.
    pub(in crate::engine::accounts) select: String,
    /// Writes the target.
    pub(in crate::engine::accounts) update: String,
    /// The target: true for access.
    pub(in crate::engine::accounts) to_active: bool,
}

/// All statements on the table. `Debug` shows none, since they name the protected accounts.
#[derive(Clone)]
pub(in crate::engine::accounts) struct Statements {
    pub(in crate::engine::accounts) find_by_id: String,
    /// The same for ids of any tenant.
    pub(in crate::engine::accounts) find_in_any_tenant: String,
    pub(in crate::engine::accounts) find_by_email: String,
    pub(in crate::engine::accounts) active_after: String,
    pub(in crate::engine::accounts) deactivate: Switch,
    pub(in crate::engine::accounts) reactivate: Switch,
    /// Returns access after a write, of rows that `where` hides as well.
    pub(in crate::engine::accounts) read_back: String,
    /// Returns the transactions that wrote rows.
    pub(in crate::engine::accounts) last_writers: String,
    /// Returns access and the transactions that wrote rows.
    pub(in crate::engine::accounts) present: String,
    /// The same, and locks the rows.
    pub(in crate::engine::accounts) lock_present: String,
    /// Counts the accounts of a tenant of which the limits of the safeguard are a percentage.
    pub(in crate::engine::accounts) population: String,
    /// Counts visible rows, accounts, and accounts with access.
    pub(in crate::engine::accounts) count_rows: String,
    /// The same for a percentage of the pages of a table.
    pub(in crate::engine::accounts) sample_rows: String,
    /// Counts addresses that several accounts of a tenant have, and these accounts.
    pub(in crate::engine::accounts) count_shared_emails: String,
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statements")
    }
}

/// The parts of which statements are built.
pub(super) struct Parts<'a> {
    pub(super) mapping: &'a AccountsMapping,
    /// The name with its schema, quoted.
    pub(super) name: &'a str,
    /// The name without its schema, quoted.
    pub(super) table: &'a str,
    pub(super) id: &'a Column,
    pub(super) email: &'a Column,
    pub(super) tenant: &'a TenantSql,
    /// True if pages of accounts are in the order of tenant and id, and not of the id alone.
    pub(super) pages_by_tenant: bool,
    pub(super) can_lock: bool,
    pub(super) shows_writers: bool,
    pub(super) access: &'a AccessSql,
}

impl Parts<'_> {
    pub(super) fn build(&self, email_key: &str) -> Statements {
        let (kind, equals) = (&self.id.compared_type(), &self.id.operator("="));
        let name = self.name;
        let id = self.id();
        let compared_id = self.id.compared("a.leaver_id");
        let accounts = self.accounts("");
        let with_key = self.accounts(&format!("{email_key} AS leaver_email, "));
        let read =
            "a.id, a.leaver_tenant, a.email, a.is_active, a.is_protected, a.has_other_status";
        let linked_tenant = self.tenant.equals_wanted();
        let same_tenant = if self.tenant.is_mapped() {
            " AND a.leaver_tenant OPERATOR(pg_catalog.=) w.tenant"
        } else {
            ""
        };
        let own_tenant = if self.tenant.is_mapped() {
            " AND a.leaver_tenant OPERATOR(pg_catalog.=) $1"
        } else {
            ""
        };
        let has_access = &self.access.has_access;
        let present = self.present();
        let find_by_id = |tenant: &str| {
            format!(
                "SELECT w.n, {read} FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (id, tenant, n)
                 JOIN ({accounts}) a ON {compared_id} {equals} w.id::{kind}{tenant} ORDER BY w.n"
            )
        };
        let (id_order, after_id) = if self.id.is_citext() {
            // Its own order would need its own operators beside those of the tenant.
            ("(a.id COLLATE pg_catalog.\"C\")", "$1::text".to_owned())
        } else {
            ("a.leaver_id", format!("$1::text::{kind}"))
        };
        let (order, after) = if self.pages_by_tenant {
            let (order, after) = self.tenant.order();
            (
                format!("{order}, {id_order}"),
                format!("({after}, {after_id})"),
            )
        } else {
            (id_order.to_owned(), format!("({after_id})"))
        };
        Statements {
            find_by_id: find_by_id(&linked_tenant),
            find_in_any_tenant: find_by_id(""),
            find_by_email: format!(
                "SELECT w.n, {read} FROM unnest($1::text[], $2::text[], $3::bigint[]) AS w (email, tenant, n)
                 JOIN ({with_key}) a ON a.leaver_email OPERATOR(pg_catalog.=) leaver.email_key(w.email){same_tenant} ORDER BY w.n, a.leaver_id"
            ),
            active_after: format!(
                "SELECT {read} FROM ({accounts}) a
                 WHERE a.is_active AND ($1::text IS NULL OR ({order}) OPERATOR(pg_catalog.>) {after})
                 ORDER BY {order} LIMIT $2"
            ),
            deactivate: self.switch(false),
            reactivate: self.switch(true),
            read_back: format!(
                "SELECT {id}::text AS id, {tenant} AS tenant, ({has_access}) AS is_active FROM {name} WHERE {is_named}",
                tenant = self.tenant.text,
                is_named = self.tenant.is_named(&id, self.id),
            ),
            // A subtransaction has a number of its own, of the same epoch as the transaction's or of the next.
            last_writers: format!(
                "SELECT w.id, w.tenant,
                        (w.current OPERATOR(pg_catalog.-) w.low) OPERATOR(pg_catalog.+) w.writer
                        OPERATOR(pg_catalog.+) CASE WHEN w.writer OPERATOR(pg_catalog.<) w.low
                                                    THEN 4294967296::bigint ELSE 0::bigint END AS writer
                 FROM (SELECT {id}::text AS id, {tenant} AS tenant, {table}.xmin::text::bigint AS writer,
                              pg_catalog.pg_current_xact_id()::text::bigint AS current,
                              pg_catalog.pg_current_xact_id()::text::bigint OPERATOR(pg_catalog.%) 4294967296::bigint AS low
                       FROM {name} WHERE {is_named}) AS w",
                table = self.table,
                tenant = self.tenant.text,
                is_named = self.tenant.is_named(&id, self.id),
            ),
            count_rows: self.count_rows(""),
            sample_rows: self.count_rows(" TABLESAMPLE pg_catalog.system ($1::real)"),
            count_shared_emails: self.count_shared_emails(email_key),
            lock_present: format!("{present}{}", self.lock()),
            present,
            population: format!(
                "WITH present AS (
                     SELECT a.id FROM (SELECT DISTINCT account_id FROM leaver.employees
                                       WHERE tenant OPERATOR(pg_catalog.=) $1 AND account_id IS NOT NULL) AS e
                     JOIN ({accounts}) AS a ON {compared_id} {equals} e.account_id::{kind}
                     WHERE a.is_active{own_tenant}
                     UNION SELECT pg_catalog.unnest($2::text[])
                 ), ended AS (
                     SELECT account_id, pg_catalog.max(at) AS at FROM leaver.changes
                     WHERE tenant OPERATOR(pg_catalog.=) $1 AND direction OPERATOR(pg_catalog.=) 'deactivated'
                       AND at OPERATOR(pg_catalog.>) $4 GROUP BY account_id
                 )
                 SELECT (SELECT pg_catalog.count(*) FROM (SELECT id FROM present
                         UNION SELECT account_id FROM ended WHERE at OPERATOR(pg_catalog.>) $3) AS hour) AS hour,
                        (SELECT pg_catalog.count(*) FROM (SELECT id FROM present
                                               UNION SELECT account_id FROM ended) AS day) AS day"
            ),
        }
    }

    fn id(&self) -> String {
        format!("{}.{}", self.table, quote(&self.id.name))
    }

    /// Returns the query of all accounts, with further columns. The e-mail's key is one of them only where it is compared:
    /// `leaver check` reads accounts before the function of the key exists.
    fn accounts(&self, further: &str) -> String {
        let (id, table) = (self.id(), self.table);
        let email = quote(&self.email.name);
        let (tenant, tenant_key) = (&self.tenant.text, self.tenant.key());
        let mut protected = vec![];
        if !self.mapping.protected.is_empty() {
            let listed = text_array(&self.protected_ids());
            protected.push(format!("{id}::text OPERATOR(pg_catalog.=) ANY ({listed})"));
        }
        if let Some(condition) = predicate(&self.mapping.protected_where) {
            protected.push(format!("COALESCE({condition}, false)"));
        }
        let is_protected = if protected.is_empty() {
            "false".to_owned()
        } else {
            protected.join(" OR ")
        };
        format!(
            "SELECT {id} AS leaver_id, {further}{tenant} AS leaver_tenant, {tenant_key} AS leaver_tenant_key,
                    {id}::text AS id,
                    {table}.{email}::text AS email, ({has_access}) AS is_active, ({is_protected}) AS is_protected,
                    ({has_other_status}) AS has_other_status
             FROM {name} WHERE {filter}",
            has_access = self.access.has_access,
            has_other_status = self.access.has_other_status.as_deref().unwrap_or("false"),
            name = self.name,
            filter = filter(self.mapping),
        )
    }

    /// Returns the protected entries as ids, in the spelling of Postgres.
    fn protected_ids(&self) -> Vec<String> {
        let is_uuid = self.id.base_type == "uuid";
        let spelled = |entry: &String| {
            if is_uuid {
                entry.to_ascii_lowercase()
            } else {
                entry.clone()
            }
        };
        self.mapping.protected.iter().map(spelled).collect()
    }

    fn count_rows(&self, sample: &str) -> String {
        format!(
            "SELECT pg_catalog.count(*) AS visible, pg_catalog.count(*) FILTER (WHERE {filter}) AS accounts,
                    pg_catalog.count(*) FILTER (WHERE {filter} AND ({has_access})) AS active
             FROM {name}{sample}",
            filter = filter(self.mapping),
            has_access = self.access.has_access,
            name = self.name,
        )
    }

    fn count_shared_emails(&self, email_key: &str) -> String {
        format!(
            "SELECT pg_catalog.count(*) AS emails, COALESCE(pg_catalog.sum(n), 0)::bigint AS accounts
             FROM (SELECT pg_catalog.count(*) AS n
                   FROM (SELECT {email_key} AS key, {tenant} AS tenant FROM {name} WHERE {filter}) AS a
                   WHERE key OPERATOR(pg_catalog.<>) '' GROUP BY key, tenant) AS same
             WHERE n OPERATOR(pg_catalog.>) 1",
            tenant = self.tenant.text,
            name = self.name,
            filter = filter(self.mapping),
        )
    }

    fn present(&self) -> String {
        let (name, id) = (self.name, self.id());
        let writer = if self.shows_writers {
            format!("{}.xmin::text::bigint", self.table)
        } else {
            "NULL::bigint".to_owned()
        };
        format!(
            "SELECT {id}::text AS id, {tenant} AS tenant, ({has_access}) AS is_active, {writer} AS writer FROM {name}
             WHERE {is_named} AND {filter} ORDER BY {id}",
            tenant = self.tenant.text,
            is_named = self.tenant.is_named(&id, self.id),
            has_access = self.access.has_access,
            filter = filter(self.mapping),
        )
    }

    /// Returns the clause that locks rows.
    fn lock(&self) -> &'static str {
        // A view cannot always be locked.
        if self.can_lock {
            " FOR NO KEY UPDATE"
        } else {
            ""
        }
    }

    fn switch(&self, to_active: bool) -> Switch {
        let (name, id, tenant) = (self.name, self.id(), &self.tenant.text);
        let has_access = &self.access.has_access;
        let other = self.access.has_other_status.as_ref();
        let condition = format!(
            "{} AND {} AND {}({has_access}){}",
            self.tenant.is_named(&id, self.id),
            filter(self.mapping),
            if to_active { "NOT " } else { "" },
            // What somebody else has set since is not overwritten.
            other
                .filter(|_| to_active)
                .map_or(String::new(), |other| format!(" AND NOT ({other})")),
        );
        let order = if self.tenant.is_mapped() {
            format!("{id}, {tenant}")
        } else {
            id.clone()
        };
        let lock = self.lock();
        let found = |further: &str| {
            format!(
                "SELECT {id}::text AS id, {tenant} AS tenant{further} FROM {name} WHERE {condition} ORDER BY {order}{lock}"
            )
        };
        let previous = self.access.remembered.as_ref().filter(|_| !to_active);
        let select = match previous {
            None => found(""),
            Some(previous) => format!(
                "WITH found AS MATERIALIZED (
                     {found}
                 ), remembered AS (
                     INSERT INTO leaver.account_status (tenant, account_id, previous, at)
                     SELECT DISTINCT ON (COALESCE(tenant, ''), id) COALESCE(tenant, ''), id, previous, pg_catalog.now()
                     FROM found ORDER BY COALESCE(tenant, ''), id
                     ON CONFLICT (tenant, account_id) DO UPDATE SET previous = EXCLUDED.previous, at = EXCLUDED.at
                 )
                 SELECT id, tenant FROM found",
                found = found(&format!(", {previous} AS previous")),
            ),
        };
        let value = if to_active {
            &self.access.on
        } else {
            &self.access.off
        };
        let mut set = vec![format!("{} = {value}", quote(self.mapping.shape.column()))];
        for (column, expression) in &self.mapping.also_set {
            set.push(format!("{} = ({expression}\n)", quote(column)));
        }
        Switch {
            select,
            update: format!("UPDATE {name} SET {} WHERE {condition}", set.join(", ")),
            to_active,
        }
    }
}

/// Returns the predicate of accounts.
pub(super) fn filter(mapping: &AccountsMapping) -> String {
    predicate(&mapping.filter).unwrap_or_else(|| "true".to_owned())
}

/// Returns a configured predicate in parentheses. The line break ends a comment at its end.
fn predicate(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| format!("({text}\n)"))
}
