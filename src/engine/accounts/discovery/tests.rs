//! Tables of common frameworks, and what is proposed for them.

use super::*;
use crate::engine::accounts::Shape;

fn table(oid: i64, name: &str, columns: &[(&str, &str)]) -> FoundTable {
    let columns = columns.iter().enumerate();
    FoundTable {
        schema: "public".to_owned(),
        name: name.to_owned(),
        oid,
        columns: columns
            .map(|(n, (name, type_name))| FoundColumn {
                name: (*name).to_owned(),
                type_name: (*type_name).to_owned(),
                is_primary: n == 0,
                ..FoundColumn::default()
            })
            .collect(),
    }
}

fn users(access: &[(&str, &str)]) -> FoundTable {
    let columns = [&[("id", "int8"), ("email", "text")], access].concat();
    table(1, "users", &columns)
}

fn shape_of(access: &[(&str, &str)]) -> Option<Shape> {
    let users = users(access);
    propose(&users, &[]).ok().map(|proposal| proposal.shape)
}

#[test]
fn the_column_that_stores_access_is_found_by_name_and_type() {
    for name in ["is_active", "isActive", "active", "enabled", "IsEnabled"] {
        let found = shape_of(&[(name, "bool")]);
        assert_eq!(found, Some(Shape::Active(name.to_owned())));
        assert_eq!(shape_of(&[(name, "text")]), None, "{name} as text");
    }
    for name in ["disabled", "is_blocked", "suspended", "isDeleted"] {
        let found = shape_of(&[(name, "bool")]);
        assert_eq!(found, Some(Shape::Disabled(name.to_owned())));
    }
    for name in ["deactivated_at", "disabledAt", "suspended_on", "deleted_at"] {
        let found = shape_of(&[(name, "timestamptz")]);
        assert_eq!(found, Some(Shape::DeactivatedAt(name.to_owned())));
    }
    assert_eq!(shape_of(&[("created_at", "timestamptz")]), None);
}

#[test]
fn a_deleted_row_is_the_last_choice() {
    let found = shape_of(&[("deleted_at", "timestamptz"), ("suspended", "bool")]);
    assert_eq!(found, Some(Shape::Disabled("suspended".to_owned())));
}

#[test]
fn a_status_needs_a_value_for_access_and_one_without() {
    let with = |values: &[&str]| {
        let mut users = users(&[("status", "user_status")]);
        users.columns[2].values = values.iter().map(|&value| value.to_owned()).collect();
        propose(&users, &[]).map(|proposal| proposal.shape)
    };
    let status = |active: &[&str], inactive: &str| {
        Ok(Shape::Status {
            column: "status".to_owned(),
            active: active.iter().map(|&value| value.to_owned()).collect(),
            inactive: inactive.to_owned(),
        })
    };
    assert_eq!(
        with(&["invited", "ACTIVE", "deleted", "suspended"]),
        status(&["ACTIVE", "invited"], "suspended")
    );
    for unclear in [
        &["active", "invited"][..],
        &["open", "won"],
        &["suspended"],
        &[],
    ] {
        assert_eq!(with(unclear), Err(Missing::Access), "{unclear:?}");
    }
}

#[test]
fn sessions_are_found_by_a_key_or_by_a_name() {
    let users = users(&[("is_active", "bool")]);
    let end = |mut sessions: FoundTable, refers_to: Option<i64>| {
        sessions.columns[1].refers_to = refers_to;
        let proposal = propose(&users, &[sessions]).unwrap();
        (proposal.end_sessions, proposal.end_tokens)
    };
    let named = |name: &str, column: &str| table(2, name, &[("id", "text"), (column, "int8")]);
    assert_eq!(
        end(named("Session", "userId"), Some(1)).0,
        [r#"DELETE FROM public."Session" WHERE "userId"::text = ANY($1)"#]
    );
    assert_eq!(
        end(named("sessions", "user_id"), None).0,
        ["DELETE FROM public.sessions WHERE user_id::text = ANY($1)"]
    );
    assert_eq!(
        end(named("refresh_tokens", "owner"), Some(1)),
        (
            vec![],
            vec![r#"DELETE FROM public.refresh_tokens WHERE "owner"::text = ANY($1)"#.to_owned()]
        )
    );
    for unclear in [
        end(named("django_session", "session_data"), None),
        end(named("sessions", "user_id"), Some(99)),
        end(named("training_sessions_log", "user_id"), None),
    ] {
        assert_eq!(unclear, (vec![], vec![]));
    }
}

#[test]
fn a_table_without_a_needed_column_names_it() {
    let without = |columns: &[(&str, &str)]| propose(&table(1, "users", columns), &[]).unwrap_err();
    assert_eq!(
        without(&[("id", "int8"), ("is_active", "bool")]),
        Missing::Email
    );
    assert_eq!(
        without(&[("at", "timestamptz"), ("email", "text")]),
        Missing::Id
    );
    assert_eq!(
        without(&[("id", "int8"), ("email", "text")]),
        Missing::Access
    );
}
