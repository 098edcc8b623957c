//! Users tables of every shape, and writes that the database does not carry out.

use leaver::engine::accounts::{AccountsTable, Applied, IfProtected, apply};
use leaver_core::decision::{Action, Decision};
use leaver_core::domain::AccountId;

use crate::support::TestApp;
use crate::support::driving::{REACTIVATE, terminated, working};

const HALF_PAST_EIGHT: &str = "2026-11-22T08:30:00Z";
const NINE: &str = "2026-11-22T09:00:00Z";
const TEN: &str = "2026-11-22T10:00:00Z";

/// Has user 1 leave and return, and returns the rows of users after each.
async fn leaves_and_returns(
    tables: &str,
    settings: &[(&str, &str)],
    rows: &str,
) -> (Vec<String>, Vec<String>) {
    let mut env = vec![REACTIVATE, ("LEAVER__ACCOUNTS__END_SESSIONS", "[]")];
    env.extend(settings);
    let mut app = TestApp::builder()
        .settings(&env)
        .tables(tables)
        .build()
        .await;
    app.bamboohr(&[working("1", "a@example.com", HALF_PAST_EIGHT)])
        .await;
    app.bamboohr(&[terminated("1", "a@example.com", NINE)])
        .await;
    let left = app.lines(rows).await;
    app.bamboohr(&[working("1", "a@example.com", TEN)]).await;
    (left, app.lines(rows).await)
}

#[tokio::test]
async fn a_disabled_column_is_set_and_cleared() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, disabled boolean);
                  INSERT INTO users VALUES (1, 'a@example.com', NULL), (2, 'b@example.com', false);";
    let settings = [("LEAVER__ACCOUNTS__DISABLED_COLUMN", "disabled")];
    let rows = "SELECT concat_ws(' ', id, disabled) FROM users ORDER BY id";
    let (left, returned) = leaves_and_returns(tables, &settings, rows).await;
    assert_eq!(left, ["1 t", "2 f"]);
    assert_eq!(returned, ["1 f", "2 f"]);
}

#[tokio::test]
async fn a_deactivation_time_is_set_and_cleared() {
    // Columns of low precision round what is written, up as often as down.
    for kind in [
        "timestamptz",
        "timestamp",
        "date",
        "timestamptz(0)",
        "timestamp(0)",
        "timestamptz(3)",
        "timestamp(3)",
    ] {
        let tables = format!(
            "CREATE TABLE users (id int PRIMARY KEY, email text, ended {kind});
             INSERT INTO users VALUES (1, 'a@example.com', 'infinity'), (2, 'b@example.com', NULL);"
        );
        let settings = [("LEAVER__ACCOUNTS__DEACTIVATED_AT_COLUMN", "ended")];
        let rows = "SELECT concat_ws(' ', id, ended > now() - interval '2 days', isfinite(ended)) FROM users ORDER BY id";
        let (left, returned) = leaves_and_returns(&tables, &settings, rows).await;
        assert_eq!(left, ["1 t t", "2"], "{kind}");
        assert_eq!(returned, ["1", "2"], "{kind}");
    }
}

#[tokio::test]
async fn a_status_returns_to_what_it_was() {
    for kind in ["text", "varchar(20)", "state"] {
        let tables = format!(
            "CREATE TYPE state AS ENUM ('active', 'invited', 'suspended', 'banned');
             CREATE TABLE users (id int PRIMARY KEY, email text, status {kind});
             INSERT INTO users VALUES (1, 'a@example.com', 'invited'), (2, 'b@example.com', 'active');"
        );
        let settings = [
            ("LEAVER__ACCOUNTS__STATUS_COLUMN", "status"),
            ("LEAVER__ACCOUNTS__ACTIVE_VALUES", "['active', 'invited']"),
            ("LEAVER__ACCOUNTS__INACTIVE_VALUE", "suspended"),
        ];
        let rows = "SELECT concat_ws(' ', id, status) FROM users ORDER BY id";
        let (left, returned) = leaves_and_returns(&tables, &settings, rows).await;
        assert_eq!(left, ["1 suspended", "2 active"], "{kind}");
        assert_eq!(returned, ["1 invited", "2 active"], "{kind}");
    }
}

#[tokio::test]
async fn both_directions_write_the_other_columns() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool, version int DEFAULT 0);
                  INSERT INTO users VALUES (1, 'a@example.com'), (2, 'b@example.com');";
    let settings = [(
        "LEAVER__ACCOUNTS__ALSO_SET",
        "{ version = 'version + 1 -- optimistic lock' }",
    )];
    let rows = "SELECT concat_ws(' ', id, is_active, version) FROM users ORDER BY id";
    let (left, returned) = leaves_and_returns(tables, &settings, rows).await;
    assert_eq!(left, ["1 f 1", "2 0"]);
    assert_eq!(returned, ["1 t 2", "2 0"]);
}

#[tokio::test]
async fn rows_outside_the_predicate_are_no_accounts() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool DEFAULT true, deleted_at date);
                  INSERT INTO users VALUES (1, 'a@example.com', true, NULL), (2, 'a@example.com', true, '2020-01-01');";
    let settings = [(
        "LEAVER__ACCOUNTS__WHERE",
        "users.deleted_at IS NULL AND email <> ''",
    )];
    let rows = "SELECT concat_ws(' ', id, is_active) FROM users ORDER BY id";
    let (left, _) = leaves_and_returns(tables, &settings, rows).await;
    assert_eq!(left, ["1 f", "2 t"]);
}

#[tokio::test]
async fn a_soft_delete_column_may_be_filter_and_shape() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, deleted_at timestamptz);
                  INSERT INTO users VALUES (1, 'a@example.com', NULL), (2, 'a@example.com', '2020-01-01');";
    let settings = [
        ("LEAVER__ACCOUNTS__DEACTIVATED_AT_COLUMN", "deleted_at"),
        ("LEAVER__ACCOUNTS__WHERE", "deleted_at IS NULL"),
    ];
    let rows = "SELECT concat_ws(' ', id, deleted_at > '2026-01-01') FROM users ORDER BY id";
    let (left, _) = leaves_and_returns(tables, &settings, rows).await;
    assert_eq!(left, ["1 t", "2 f"]);
}

#[tokio::test]
async fn ids_and_a_predicate_protect_accounts() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool DEFAULT true, role text);
                  CREATE TABLE owners (role text);
                  INSERT INTO owners VALUES ('owner');
                  INSERT INTO users VALUES (1, 'a@example.com', true, NULL), (2, 'b@example.com', true, 'owner'), (3, 'c@example.com', true, NULL);";
    let settings = [
        ("LEAVER__ACCOUNTS__PROTECTED", "['1']"),
        (
            "LEAVER__ACCOUNTS__PROTECTED_WHERE",
            "role IN (SELECT owners.role FROM owners)",
        ),
        ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
    ];
    let mut app = TestApp::builder()
        .settings(&settings)
        .tables(tables)
        .build()
        .await;
    let left = [("1", "a"), ("2", "b"), ("3", "c")]
        .map(|(id, name)| terminated(id, &format!("{name}@example.com"), NINE));
    app.bamboohr(&left).await;
    let rows = "SELECT concat_ws(' ', id, is_active) FROM users ORDER BY id";
    assert_eq!(app.lines(rows).await, ["1 t", "2 t", "3 f"]);
    assert_eq!(
        app.holds().await,
        ["open deactivate 1 1", "open deactivate 2 2"]
    );
}

#[tokio::test]
async fn a_link_stays_inside_its_tenant() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool DEFAULT true, org text);
                  INSERT INTO users VALUES (1, 'a@example.com', true, 'default');";
    let settings = [
        ("LEAVER__ACCOUNTS__TENANT_COLUMN", "org"),
        ("LEAVER__ACCOUNTS__END_SESSIONS", "[]"),
    ];
    let mut app = TestApp::builder()
        .settings(&settings)
        .tables(tables)
        .build()
        .await;
    app.bamboohr(&[working("1", "a@example.com", HALF_PAST_EIGHT)])
        .await;
    app.sql("UPDATE users SET org = 'other'").await;
    app.bamboohr(&[terminated("1", "a@example.com", NINE)])
        .await;
    let active = "SELECT count(*) FROM users WHERE is_active";
    assert_eq!(app.count(active).await, 1);
}

async fn inspect(app: &mut TestApp) -> Result<AccountsTable, String> {
    let inspected = AccountsTable::inspect(&mut app.session.conn, &app.settings.accounts).await;
    inspected.map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_id_that_several_rows_may_have_is_refused() {
    let tables = [
        "CREATE TABLE users (id int, email text, is_active bool, org int, PRIMARY KEY (org, id));",
        "CREATE TABLE users (id int, email text, is_active bool);
         INSERT INTO users VALUES (1, 'a@example.com'), (1, 'b@example.com');",
        "CREATE TABLE people (id int, email text, is_active bool);
         INSERT INTO people VALUES (1, 'a@example.com'), (1, 'b@example.com');
         CREATE VIEW users AS SELECT * FROM people;",
    ];
    for table in tables {
        let mut app = TestApp::builder().tables(table).build().await;
        let error = inspect(&mut app).await.unwrap_err();
        assert!(error.contains("accounts.id_column"), "{error}");
    }
}

/// Applies one action to account 1 as a role that may read and update users.
async fn apply_to_1(
    tables: &str,
    settings: &[(&str, &str)],
    action: fn(AccountId) -> Action,
) -> Applied {
    let mut env = vec![("LEAVER__ACCOUNTS__END_SESSIONS", "[]")];
    env.extend(settings);
    let mut app = TestApp::builder()
        .settings(&env)
        .tables(tables)
        .build()
        .await;
    // Roles belong to the whole server, and tests run at the same time.
    let role = format!("shapes_{}", uuid::Uuid::new_v4().simple());
    app.sql(&format!(
        "CREATE ROLE {role}; GRANT SELECT, UPDATE ON users TO {role}; SET ROLE {role}"
    ))
    .await;
    let table = inspect(&mut app).await.unwrap();
    let account = AccountId::new("1");
    let decision = Decision {
        action: action(account.clone()),
        access_ends_at: None,
        link: Some(account),
        reason: String::new(),
    };
    let applied = apply(
        &mut app.session.conn,
        &table,
        [&decision],
        IfProtected::Block,
    )
    .await
    .unwrap();
    app.sql(&format!(
        "RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"
    ))
    .await;
    applied
}

const PEOPLE: &str =
    "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool DEFAULT true);
                      INSERT INTO users VALUES (1, 'a@example.com');";

#[tokio::test]
async fn an_account_that_stays_on_is_blocked_with_the_cause() {
    let trigger = |body: &str| {
        format!(
            "{PEOPLE} CREATE FUNCTION freeze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
             CREATE TRIGGER frozen BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION freeze();"
        )
    };
    let cases = [
        (
            trigger("NEW.is_active := OLD.is_active; RETURN NEW;"),
            "trigger frozen",
        ),
        (trigger("RETURN NULL;"), "trigger frozen"),
        (
            format!(
                "{PEOPLE} ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY r ON users FOR SELECT USING (true);"
            ),
            "row level security",
        ),
        (
            format!("{PEOPLE} CREATE RULE quiet AS ON UPDATE TO users DO INSTEAD NOTHING;"),
            "rule quiet",
        ),
        (
            "CREATE TABLE users (id int PRIMARY KEY, email text, banned bool DEFAULT false,
                                 is_active bool GENERATED ALWAYS AS (NOT banned) STORED);
             INSERT INTO users VALUES (1, 'a@example.com');"
                .to_owned(),
            "generated",
        ),
        (
            "CREATE TABLE people (id int PRIMARY KEY, email text);
             INSERT INTO people VALUES (1, 'a@example.com');
             CREATE VIEW users AS SELECT DISTINCT id, email, true AS is_active FROM people;"
                .to_owned(),
            "INSTEAD OF",
        ),
    ];
    for (tables, cause) in cases {
        let applied = apply_to_1(&tables, &[], Action::Deactivate).await;
        assert!(applied.deactivated.is_empty(), "{cause}: {applied:?}");
        let reason = &applied.blocked[&AccountId::new("1")];
        assert!(reason.contains(cause), "{reason}");
    }
}

#[tokio::test]
async fn a_return_that_stays_off_is_blocked() {
    let tables = format!(
        "{PEOPLE} UPDATE users SET is_active = false;
         CREATE FUNCTION freeze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
         CREATE TRIGGER frozen BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION freeze();"
    );
    let applied = apply_to_1(&tables, &[], Action::Reactivate).await;
    assert!(applied.reactivated.is_empty());
    assert!(applied.blocked[&AccountId::new("1")].contains("frozen"));
}

#[tokio::test]
async fn a_view_with_a_trigger_is_seen_to_be_off() {
    for result in ["NEW", "NULL"] {
        let tables = format!(
            "CREATE TABLE people (id int PRIMARY KEY, email text, ended timestamptz);
             INSERT INTO people VALUES (1, 'a@example.com');
             CREATE VIEW users AS SELECT DISTINCT id, email, ended IS NULL AS is_active FROM people;
             CREATE FUNCTION end_it() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
                 UPDATE public.people SET ended = CASE WHEN NEW.is_active THEN NULL ELSE now() END WHERE id = NEW.id;
                 RETURN {result};
             END $$;
             CREATE TRIGGER ends INSTEAD OF UPDATE ON users FOR EACH ROW EXECUTE FUNCTION end_it();"
        );
        let applied = apply_to_1(&tables, &[], Action::Deactivate).await;
        assert_eq!(applied.deactivated, [AccountId::new("1")].into());
        assert!(applied.blocked.is_empty());
    }
}

#[tokio::test]
async fn sessions_end_for_an_inactive_account() {
    let tables = format!("{PEOPLE} UPDATE users SET is_active = false");
    let settings = [(
        "LEAVER__ACCOUNTS__END_SESSIONS",
        "[\"UPDATE users SET email = NULL WHERE id::text = ANY($1)\"]",
    )];
    // With the second, another session deactivated the account after the decision.
    for action in [Action::EndSessions, Action::Deactivate] {
        let applied = apply_to_1(&tables, &settings, action).await;
        assert_eq!(applied.sessions_ended, [AccountId::new("1")].into());
        assert!(applied.deactivated.is_empty() && applied.blocked.is_empty());
    }
}
