//! The mapping that is proposed for a users table.

use std::fmt::{Display, Formatter, Result as FmtResult};

use super::{FoundColumn, FoundTable, plain, sessions, shape};
use crate::engine::accounts::Shape;

/// Names of the column with the work e-mail, best first.
const EMAILS: [&str; 7] = [
    "workemail",
    "email",
    "emailaddress",
    "useremail",
    "mail",
    "primaryemail",
    "loginemail",
];

/// Names of columns that mark accounts which a person should approve.
const PROTECTED: [&str; 5] = [
    "issuperuser",
    "superuser",
    "isadmin",
    "isowner",
    "isservice",
];

/// Names of columns that hold the company of an account.
const TENANTS: [&str; 5] = [
    "tenantid",
    "companyid",
    "organizationid",
    "organisationid",
    "orgid",
];

/// A mapping of the users table.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    /// `accounts.table`.
    pub(crate) table: String,
    /// `accounts.id_column`.
    pub(crate) id_column: String,
    /// `accounts.email_column`.
    pub(crate) email_column: String,
    /// The key and the column that store access.
    pub(crate) shape: Shape,
    /// `accounts.end_sessions`.
    pub(crate) end_sessions: Vec<String>,
    /// Statements that delete tokens. A person decides about them.
    pub(crate) end_tokens: Vec<String>,
    /// A time of the last change, for `accounts.also_set`.
    pub(crate) updated_at: Option<String>,
    /// A boolean of administrators, for `accounts.protected_where`.
    pub(crate) protected: Option<String>,
    /// A column of the company, for `accounts.tenant_column`.
    pub(crate) tenant: Option<String>,
    /// How much the table's name is one of users. Two tables of one rank leave the choice to a person.
    pub(crate) rank: u32,
}

/// The column that a table lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Work e-mails.
    Email,
    /// A primary key of one column.
    Id,
    /// A column that stores access.
    Access,
}

impl Display for Missing {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str(match self {
            Self::Email => "has no column of e-mails",
            Self::Id => "has no primary key of one column",
            Self::Access => "has no column that stores access, such as `is_active`",
        })
    }
}

/// Proposes a mapping for a table.
///
/// # Errors
/// Returns which column is missing.
pub(crate) fn propose(table: &FoundTable, tables: &[FoundTable]) -> Result<Proposal, Missing> {
    let columns = &table.columns;
    let named = |names: &[&str], fits: fn(&FoundColumn) -> bool| {
        let found = names.iter().find_map(|name| {
            let mut columns = columns.iter();
            columns.find(|column| column.plain() == *name && fits(column))
        });
        found.map(|column| column.name.clone())
    };
    let email = named(&EMAILS, FoundColumn::is_text).or_else(|| {
        let is_mail = |column: &&FoundColumn| column.is_text() && column.plain().contains("mail");
        columns
            .iter()
            .find(is_mail)
            .map(|column| column.name.clone())
    });
    let email_column = email.ok_or(Missing::Email)?;
    let primary = columns
        .iter()
        .find(|column| column.is_primary && column.is_id());
    let primary = primary.map(|column| column.name.clone());
    let id_column = primary.or_else(|| named(&["id"], FoundColumn::is_id));
    let id_column = id_column.ok_or(Missing::Id)?;
    let shape = shape::of(table).ok_or(Missing::Access)?;
    let (end_sessions, end_tokens) = sessions::statements(table, tables);
    Ok(Proposal {
        table: table.setting(),
        id_column,
        email_column,
        shape,
        end_sessions,
        end_tokens,
        updated_at: named(
            &["updatedat", "modifiedat", "updatedon"],
            FoundColumn::is_time,
        ),
        protected: named(&PROTECTED, |column| column.type_name == "bool"),
        tenant: named(&TENANTS, |_| true),
        rank: rank(table),
    })
}

/// Returns how much the name of a table is one of users.
fn rank(table: &FoundTable) -> u32 {
    let name = plain(&table.name);
    let name = name.strip_suffix('s').unwrap_or(&name);
    let by_name = match name {
        "user" => 100,
        "authuser" | "appuser" => 90,
        "account" | "member" | "useraccount" => 80,
        name if name.ends_with("user") => 60,
        name if name.contains("user") => 50,
        "people" | "person" | "profile" | "login" | "staff" | "employee" => 40,
        _ => 10,
    };
    by_name + u32::from(table.schema == "public")
}
