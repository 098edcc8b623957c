//! The column that stores access, by its name and type.

use super::{FoundColumn, FoundTable};
use crate::engine::accounts::Shape;

/// Booleans that are true for access, best first.
const WITH_ACCESS: [&str; 6] = [
    "active",
    "enabled",
    "activated",
    "accountactive",
    "accountenabled",
    "loginenabled",
];

/// Words for no access, best first. A deleted row is often more than one without access, so it comes last.
const WITHOUT_ACCESS: [&str; 13] = [
    "deactivated",
    "disabled",
    "inactive",
    "suspended",
    "blocked",
    "terminated",
    "locked",
    "banned",
    "revoked",
    "closed",
    "offboarded",
    "archived",
    "deleted",
];

/// Words for access, one of which a status column must have.
const WITH_ACCESS_STATUS: [&str; 4] = ["active", "enabled", "activated", "open"];

/// Returns whether a column has a name of a status.
pub(super) fn is_status_name(column: &FoundColumn) -> bool {
    matches!(
        column.plain().as_str(),
        "status" | "state" | "accountstatus" | "userstatus" | "accountstate" | "userstate"
    )
}

/// Returns the shape of a table, and how it ends access.
pub(super) fn of(table: &FoundTable) -> Option<Shape> {
    let columns = &table.columns;
    let boolean = |word: &str| {
        let is_one = |column: &&FoundColumn| {
            let plain = column.plain();
            column.type_name == "bool" && plain.strip_prefix("is").unwrap_or(&plain) == word
        };
        columns
            .iter()
            .find(is_one)
            .map(|column| column.name.clone())
    };
    let time = |word: &str| {
        let is_one = |column: &&FoundColumn| {
            let plain = column.plain();
            column.is_time()
                && ["at", "on"]
                    .iter()
                    .any(|end| plain == format!("{word}{end}"))
        };
        columns
            .iter()
            .find(is_one)
            .map(|column| column.name.clone())
    };
    let (rare, common): (Vec<&str>, Vec<&str>) = WITHOUT_ACCESS
        .iter()
        .partition(|word| ["archived", "deleted"].contains(word));
    let without = |words: &[&str]| {
        let disabled = words.iter().find_map(|word| boolean(word));
        let disabled = disabled.map(Shape::Disabled);
        disabled.or_else(|| {
            words
                .iter()
                .find_map(|word| time(word))
                .map(Shape::DeactivatedAt)
        })
    };
    let active = WITH_ACCESS.iter().find_map(|word| boolean(word));
    active
        .map(Shape::Active)
        .or_else(|| {
            columns
                .iter()
                .filter(|one| is_status_name(one))
                .find_map(status)
        })
        .or_else(|| without(&common))
        .or_else(|| without(&rare))
}

/// Returns the shape of a status column if one of its values is for access, and another one is not.
fn status(column: &FoundColumn) -> Option<Shape> {
    let is_one_of = |value: &String, words: &[&str]| {
        let value = super::plain(value);
        words.iter().any(|word| *word == value)
    };
    let (inactive, active): (Vec<&String>, Vec<&String>) = column
        .values
        .iter()
        .partition(|value| is_one_of(value, &WITHOUT_ACCESS));
    let has_access = active
        .iter()
        .any(|value| is_one_of(value, &WITH_ACCESS_STATUS));
    let ending = WITHOUT_ACCESS.iter().find_map(|word| {
        let mut inactive = inactive.iter();
        inactive.find(|value| super::plain(value) == *word)
    });
    let ending = ending.filter(|_| has_access)?;
    // A return without a remembered value writes the first.
    let (first, others): (Vec<&String>, Vec<&String>) = active
        .into_iter()
        .partition(|value| is_one_of(value, &WITH_ACCESS_STATUS));
    Some(Shape::Status {
        column: column.name.clone(),
        active: first.into_iter().chain(others).cloned().collect(),
        inactive: (*ending).clone(),
    })
}
