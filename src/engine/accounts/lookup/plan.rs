//! Reads plans of Postgres, as `EXPLAIN (FORMAT JSON)` returns them.

use serde_json::Value;

/// Part of every condition on the key of an address. The planner may replace `leaver.email_key` by its body, which calls
/// `leaver.unicode_email_key`.
const KEY: &str = "email_key(";
/// Conditions that are compared with rows one by one.
const COMPARED: [&str; 4] = ["Filter", "Join Filter", "Hash Cond", "Merge Cond"];

/// How a plan finds the rows of an address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KeyAccess {
    /// The indexes that are entered with the key.
    pub(super) indexes: Vec<IndexUse>,
    /// True if a part of the plan computes the key of rows one by one.
    pub(super) compares_rows: bool,
}

/// An index that is entered with the key of an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IndexUse {
    /// The name, without a schema.
    pub(super) name: String,
    /// The condition with which it is entered.
    pub(super) condition: String,
}

/// A relation whose rows are compared with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) schema: String,
    pub(super) relation: String,
    /// The expression of its first column, without the name of the relation.
    pub(super) output: String,
}

/// Returns how a plan finds the rows of an address. A partitioned table has one scan for each partition.
pub(super) fn key_access(plan: &Value) -> KeyAccess {
    let mut access = KeyAccess::default();
    for node in nodes(plan) {
        let condition = text(node, "Index Cond");
        if condition.contains(KEY) {
            access.indexes.push(IndexUse {
                name: text(node, "Index Name").to_owned(),
                condition: condition.to_owned(),
            });
        }
        access.compares_rows |= COMPARED.iter().any(|key| text(node, key).contains(KEY));
    }
    access
}

/// Returns true if a condition on the key reaches the tables: each part of the plan that compares it reads one.
pub(super) fn reaches_tables(plan: &Value) -> bool {
    let mut comparing = nodes(plan).into_iter();
    comparing
        .all(|node| !text(node, "Filter").contains(KEY) || !text(node, "Relation Name").is_empty())
}

/// Returns the tables that a verbose plan of one column reads for it. Empty if the column is computed from several.
pub(super) fn sources_of_column(plan: &Value) -> Vec<Scan> {
    let mut found = vec![];
    for branch in branches(root(plan)) {
        let output = branch["Output"][0].as_str().unwrap_or_default();
        let mut scans = nodes(branch).into_iter().filter_map(|node| {
            let output = without_alias(output, text(node, "Alias"))?;
            Some(Scan {
                schema: text(node, "Schema").to_owned(),
                relation: text(node, "Relation Name").to_owned(),
                output,
            })
        });
        match (scans.next(), scans.next()) {
            (Some(scan), None) if !scan.relation.is_empty() => found.push(scan),
            _ => return vec![],
        }
    }
    found
}

/// Returns the parts of a union, or the plan itself.
fn branches(node: &Value) -> Vec<&Value> {
    if matches!(text(node, "Node Type"), "Append" | "Merge Append") {
        children(node).flat_map(branches).collect()
    } else {
        vec![node]
    }
}

/// Removes the name of a relation from an expression. `None` if the expression does not contain it.
fn without_alias(expression: &str, alias: &str) -> Option<String> {
    if alias.is_empty() {
        return None;
    }
    let quoted = format!("\"{}\".", alias.replace('"', "\"\""));
    let plain = format!("{alias}.");
    [quoted, plain]
        .iter()
        .find(|prefix| {
            let before = expression.find(prefix.as_str());
            before.is_some_and(|at| !expression[..at].ends_with(is_part_of_name))
        })
        .map(|prefix| expression.replace(prefix.as_str(), ""))
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '"' | '.')
}

/// Returns true if the condition contains the name as a word of its own.
pub(super) fn names(condition: &str, name: &str) -> bool {
    condition.match_indices(name).any(|(at, _)| {
        let after = &condition[at + name.len()..];
        !condition[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

fn root(plan: &Value) -> &Value {
    &plan[0]["Plan"]
}

/// Returns a node and all below it. Takes a plan or a part of one.
fn nodes(plan: &Value) -> Vec<&Value> {
    let first = if plan.is_array() { root(plan) } else { plan };
    let mut found = vec![first];
    let mut next = 0;
    while let Some(node) = found.get(next).copied() {
        found.extend(children(node));
        next += 1;
    }
    found
}

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    node["Plans"].as_array().into_iter().flatten()
}

fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node[key].as_str().unwrap_or_default()
}
