//! Rows that somebody has written since the change, and rows that nobody has.

use leaver::engine::undo::{Undo, UndoError};

use super::{DANA, EVE, NINE, confirmed, kept, listed, of_last_batch, restored, undo_last, undone};
use crate::support::TestApp;
use crate::support::driving::terminated;

/// Dana and Eve, who have left.
async fn leavers(tables: Option<&str>) -> TestApp {
    let mut builder = TestApp::builder();
    if let Some(tables) = tables {
        builder = builder
            .tables(tables)
            .settings(&[("LEAVER__ACCOUNTS__END_SESSIONS", "[]")]);
    }
    let mut app = builder.build().await;
    if tables.is_none() {
        app.add_users(&[DANA, EVE]).await;
    }
    app.bamboohr(&[terminated("1", DANA, NINE), terminated("2", EVE, NINE)])
        .await;
    assert_eq!(app.active().await, [""; 0]);
    app
}

#[tokio::test]
async fn vacuum_and_references_touch_nobody() {
    for upkeep in [
        "VACUUM FULL users",
        "VACUUM FREEZE users",
        "CREATE TABLE notes (user_id bigint REFERENCES users); INSERT INTO notes VALUES (1), (2)",
        "CLUSTER users USING users_pkey",
        "ALTER TABLE users ADD COLUMN note text DEFAULT 'none'",
    ] {
        let mut app = leavers(None).await;
        app.sql(upkeep).await;
        let report = undo_last(&mut app).await;
        assert_eq!(restored(&report), ["1", "2"], "{upkeep}");
        assert_eq!(app.active().await, [DANA, EVE], "{upkeep}");
    }
}

#[tokio::test]
async fn a_row_that_somebody_wrote_is_left_as_it_is() {
    let mut app = leavers(None).await;
    // Even without a change of a value.
    app.sql("UPDATE users SET email = email WHERE id = 1").await;
    let undo = of_last_batch(&mut app).await;
    let report = undone(&mut app, &undo).await;
    assert_eq!(restored(&report), ["2"]);
    assert_eq!(kept(&report), ["1 touched"]);
    assert_eq!(report.missed, 0);
    assert_eq!(app.active().await, [EVE]);
    let undo = Undo {
        also_touched: true,
        ..undo
    };
    let report = undone(&mut app, &undo).await;
    assert_eq!(restored(&report), ["1"]);
    assert_eq!(app.active().await, [DANA, EVE]);
}

#[tokio::test]
async fn a_row_touched_after_the_list_is_left_as_it_is() {
    let mut app = leavers(None).await;
    let undo = of_last_batch(&mut app).await;
    let digest = listed(&mut app, &undo).await.unwrap().digest.unwrap();
    app.sql("UPDATE users SET email = email WHERE id = 1; DELETE FROM users WHERE id = 2")
        .await;
    let report = confirmed(&mut app, &undo, &digest).await.unwrap();
    assert_eq!(kept(&report), ["1 touched", "2 gone"]);
    assert_eq!((report.missed, report.batch), (2, None));
}

#[tokio::test]
async fn writes_of_triggers_belong_to_our_change() {
    let tables = "CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool DEFAULT true, changes int DEFAULT 0);
                  INSERT INTO users VALUES (1, 'dana@example.com'), (2, 'eve@example.com');
                  CREATE FUNCTION counting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      UPDATE users SET changes = changes + 1 WHERE id = NEW.id; RETURN NULL;
                  END $$;
                  CREATE CONSTRAINT TRIGGER counting AFTER UPDATE OF is_active ON users DEFERRABLE INITIALLY DEFERRED
                      FOR EACH ROW EXECUTE FUNCTION counting();";
    let mut app = leavers(Some(tables)).await;
    let report = undo_last(&mut app).await;
    assert_eq!(restored(&report), ["1", "2"]);
}

#[tokio::test]
async fn every_row_is_touched_after_a_restore() {
    let mut app = leavers(None).await;
    app.sql(
        "CREATE TABLE saved AS SELECT * FROM users; DELETE FROM users;
             INSERT INTO users OVERRIDING SYSTEM VALUE SELECT * FROM saved",
    )
    .await;
    let undo = of_last_batch(&mut app).await;
    let report = listed(&mut app, &undo).await.unwrap();
    assert_eq!(kept(&report), ["1 touched", "2 touched"]);
}

#[tokio::test]
async fn changes_by_hand_are_found_in_the_wanted_state() {
    let mut app = leavers(None).await;
    app.sql("UPDATE users SET is_active = true WHERE id = 1")
        .await;
    let undo = of_last_batch(&mut app).await;
    let report = undone(&mut app, &undo).await;
    assert_eq!(kept(&report), ["1 active_again"]);
    assert_eq!(restored(&report), ["2"]);
}

#[tokio::test]
async fn an_account_that_the_database_refuses_is_named() {
    let mut app = leavers(None).await;
    app.refuse_to_change(&[1], "23514").await;
    let report = undo_last(&mut app).await;
    assert_eq!(kept(&report), ["1 blocked"]);
    assert_eq!((restored(&report), report.missed), (vec!["2"], 1));
    assert_eq!(app.active().await, [EVE]);
    let open = "SELECT count(*) FROM leaver.changes WHERE account_id = '1' AND undone_by IS NULL";
    assert_eq!(app.count(open).await, 1);
}

#[tokio::test]
async fn a_view_needs_touched() {
    let tables = "CREATE TABLE people (id int PRIMARY KEY, email text, ended timestamptz);
                  INSERT INTO people VALUES (1, 'dana@example.com'), (2, 'eve@example.com');
                  CREATE VIEW users AS SELECT DISTINCT id, email, ended IS NULL AS is_active FROM people;
                  CREATE FUNCTION end_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      UPDATE public.people SET ended = CASE WHEN NEW.is_active THEN NULL ELSE now() END WHERE id = NEW.id;
                      RETURN NEW;
                  END $$;
                  CREATE TRIGGER ends INSTEAD OF UPDATE ON users FOR EACH ROW EXECUTE FUNCTION end_it();";
    let mut app = leavers(Some(tables)).await;
    let undo = of_last_batch(&mut app).await;
    let refused = listed(&mut app, &undo).await.unwrap_err();
    assert!(matches!(refused, UndoError::NoWriters(_)));
    assert!(refused.to_string().contains("add --touched"), "{refused}");
    let undo = Undo {
        also_touched: true,
        ..undo
    };
    let report = undone(&mut app, &undo).await;
    assert_eq!(restored(&report), ["1", "2"]);
    assert_eq!(app.active().await, [DANA, EVE]);
}
