//! Decides by the plan of the look-up by e-mail if an index serves it, and finds the statement that creates one.

mod plan;
pub(in crate::engine::accounts) mod store;

use sqlx::PgConnection;

use self::plan::{KeyAccess, Scan, key_access, names, reaches_tables, sources_of_column};
use self::store::Index;
use super::AccountsTable;
use super::mapping::quote;
use crate::db::error::redacted_message;
use crate::db::transaction::roll_back;

pub(in crate::engine::accounts) use self::store::has_key;

/// How the look-up by e-mail finds accounts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EmailLookup {
    /// The function of the key does not exist before the first migration.
    NotMigrated,
    /// By these indexes.
    Indexed(Vec<String>),
    /// It computes the key of every row. Contains why each index with the key cannot be used.
    Unindexed(Vec<String>),
}

/// Advice on an index for the look-up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Statements to run, and the result of their trial.
    Create(Vec<String>, Trial),
    /// Why no index can serve it, and what to do.
    Impossible(String),
}

/// The trial of an index on an empty, temporary copy of the table. It locks nothing that the application uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// Postgres accepts the index, and the look-up of the service uses it.
    Used,
    /// Postgres accepts the index. A copy of a view cannot be searched like the view.
    Accepted,
    /// Postgres refuses the index, or does not use it. Contains the reason.
    Refused(String),
    /// It was not tried, such as for lack of a privilege. Contains the reason.
    Untried(String),
}

/// Returns true if an index serves the look-up of accounts by e-mail.
///
/// # Errors
/// Returns the database's error.
pub async fn is_indexed(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<bool, sqlx::Error> {
    Ok(matches!(
        inspect(conn, table).await?,
        EmailLookup::Indexed(_)
    ))
}

/// Returns how the look-up by e-mail finds accounts.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn inspect(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<EmailLookup, sqlx::Error> {
    if !has_key(conn).await? {
        return Ok(EmailLookup::NotMigrated);
    }
    let mut tx = store::begin(conn).await?;
    store::prefer_indexes(&mut tx).await?;
    let plan = store::explain_lookup(&mut tx, table, &table.statements.find_by_email).await?;
    tx.rollback().await?;
    let access = key_access(&plan);
    let used: Vec<String> = access.indexes.iter().map(|one| one.name.clone()).collect();
    let indexes = store::indexes(conn, table, &used).await?;
    Ok(if serves(&access, &indexes) {
        EmailLookup::Indexed(used)
    } else {
        EmailLookup::Unindexed(indexes.iter().map(unused_because).collect())
    })
}

/// Returns true if each scan of the plan enters an index with its leading keys.
fn serves(access: &KeyAccess, indexes: &[Index]) -> bool {
    let enters = |used: &plan::IndexUse| {
        let mut same_name = indexes.iter().filter(|index| index.name == used.name);
        same_name.any(|index| {
            let mut keys = index.keys.iter();
            keys.find_map(|key| {
                if key.contains("email_key(") {
                    Some(true)
                } else if names(&used.condition, key) {
                    None
                } else {
                    Some(false)
                }
            }) == Some(true)
        })
    };
    !access.compares_rows && !access.indexes.is_empty() && access.indexes.iter().all(enters)
}

/// Returns why an index with the key does not serve the look-up.
fn unused_because(index: &Index) -> String {
    let name = &index.name;
    if !index.is_valid {
        format!("index {name} is invalid; drop it and create it again")
    } else if index.is_partial {
        format!("index {name} contains only a part of the rows")
    } else {
        format!(
            "index {name} differs from the look-up, such as in the collation or the order of its keys"
        )
    }
}

/// Finds the statements that create an index for the look-up, and tries them.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn advise(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<Advice, sqlx::Error> {
    let relation = &table.relation;
    if relation.has_row_security {
        return Ok(Advice::Impossible(format!(
            "row level security applies to role {}, and Postgres then uses no index with a function; grant the role BYPASSRLS, or accept that each look-up reads all rows",
            relation.role
        )));
    }
    match relation.kind.as_str() {
        "r" | "p" => {
            let owned = (table.schema.clone(), table.bare_name.clone());
            let statement = create_index(&owned, &relation.kind, &table.email_expression);
            let trial = try_on_copy(conn, table).await;
            Ok(Advice::Create(vec![statement], trial))
        }
        "v" => advise_for_view(conn, table).await,
        _ => Ok(Advice::Impossible(
            "a foreign table has no index here; map a local table, or accept that each look-up reads all rows".to_owned(),
        )),
    }
}

fn create_index((schema, name): &(String, String), kind: &str, key: &str) -> String {
    // Postgres refuses the word for a partitioned table.
    let concurrently = if kind == "r" { " CONCURRENTLY" } else { "" };
    format!(
        "CREATE INDEX{concurrently} ON {}.{} ({key});",
        quote(schema),
        quote(name)
    )
}

/// Tries the index of a table: Postgres must accept it on a copy, and the look-up must use it there.
async fn try_on_copy(conn: &mut PgConnection, table: &AccountsTable) -> Trial {
    let from = format!("FROM {} WHERE", table.name);
    let copy = format!("FROM pg_temp.{} WHERE", quote(&table.bare_name));
    let statement = table.statements.find_by_email.replace(&from, &copy);
    let tried = async {
        let mut tx = store::begin(conn).await?;
        let name = (table.schema.as_str(), table.bare_name.as_str());
        store::create_copy_with_index(&mut tx, name, &table.email_expression).await?;
        store::prefer_indexes(&mut tx).await?;
        let plan = store::explain_lookup(&mut tx, table, &statement).await?;
        roll_back(tx).await;
        Ok(key_access(&plan))
    };
    match tried.await {
        Ok(access) if !access.compares_rows && !access.indexes.is_empty() => Trial::Used,
        Ok(_) => Trial::Refused("the look-up does not use it".to_owned()),
        Err(error) => failed(&error),
    }
}

/// Returns the trial that an error ended.
fn failed(error: &sqlx::Error) -> Trial {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    let reason = redacted_message(error);
    match code.as_deref() {
        // No privilege, read-only, a lock of the application, no time left.
        Some("42501" | "25006" | "55P03" | "57014") => Trial::Untried(reason),
        _ => Trial::Refused(reason),
    }
}

async fn advise_for_view(
    conn: &mut PgConnection,
    table: &AccountsTable,
) -> Result<Advice, sqlx::Error> {
    let mut tx = store::begin(conn).await?;
    store::prefer_indexes(&mut tx).await?;
    let by_key = store::explain_key(&mut tx, table).await?;
    let columns = store::explain_column(&mut tx, table, &table.email_column).await?;
    tx.rollback().await?;
    if !reaches_tables(&by_key) {
        return Ok(Advice::Impossible(
            "the view keeps the look-up from its tables, such as by `security_barrier`, DISTINCT or GROUP BY; map a table or a plain view, or accept that each look-up reads all rows".to_owned(),
        ));
    }
    let (mut statements, mut trial) = (vec![], Trial::Accepted);
    for scan in sources_of_column(&columns) {
        let (schema, name, kind) = store::root_of(conn, &scan).await?;
        let owned = (schema, name);
        let key = key_of(&scan);
        let statement = create_index(&owned, &kind, &key);
        if !matches!(kind.as_str(), "r" | "p" | "m") {
            statements.clear();
            break;
        }
        if statements.contains(&statement) {
            continue;
        }
        statements.push(statement);
        let tried = async {
            let mut tx = store::begin(conn).await?;
            store::create_copy_with_index(&mut tx, (&owned.0, &owned.1), &key).await?;
            roll_back(tx).await;
            Ok(())
        };
        if let Err(error) = tried.await {
            trial = failed(&error);
        }
    }
    Ok(if statements.is_empty() {
        Advice::Impossible(
            "the view computes the address from several tables; map a table or a plain view, or accept that each look-up reads all rows".to_owned(),
        )
    } else {
        Advice::Create(statements, trial)
    })
}

/// Returns the key of an address, as an expression of the columns of a table.
fn key_of(scan: &Scan) -> String {
    format!("leaver.email_key(({})::text)", scan.output)
}
