//! Undos at the same time as each other, and as writers of the application.

use leaver::engine::previews::DigestError;
use leaver::engine::undo::{Selection, Undo, UndoError};

use super::{DANA, NINE, confirmed_on, kept, last_batch, listed, of_last_batch, restored};
use crate::support::TestApp;
use crate::support::database::Session;
use crate::support::driving::terminated;

/// Dana, who has left, and the digest of the undo.
async fn one_leaver() -> (TestApp, Undo, String) {
    let mut app = TestApp::new().await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("1", DANA, NINE)]).await;
    let undo = of_last_batch(&mut app).await;
    let digest = listed(&mut app, &undo).await.unwrap().digest.unwrap();
    (app, undo, digest)
}

const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";

#[tokio::test]
async fn a_list_is_carried_out_once() {
    let (app, undo, digest) = one_leaver().await;
    let (mut one, mut other) = (app.connect().await, app.connect().await);
    let (first, second) = tokio::join!(
        confirmed_on(&mut one, &app, &undo, &digest),
        confirmed_on(&mut other, &app, &undo, &digest),
    );
    let (done, refused) = if first.is_ok() {
        (first, second)
    } else {
        (second, first)
    };
    assert_eq!(restored(&done.unwrap()), ["1"]);
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, UndoError::Digest(DigestError::Used(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn two_lists_of_one_change_restore_it_once() {
    let (mut app, undo, digest) = one_leaver().await;
    let also = Undo {
        selection: Selection::Delivery(last_batch(&mut app).await),
        also_touched: true,
    };
    let also_digest = listed(&mut app, &also).await.unwrap().digest.unwrap();
    let (mut one, mut other) = (app.connect().await, app.connect().await);
    let (first, second) = tokio::join!(
        confirmed_on(&mut one, &app, &undo, &digest),
        confirmed_on(&mut other, &app, &also, &also_digest),
    );
    let mut both = [first.unwrap(), second.unwrap()];
    both.sort_by_key(|report| report.missed);
    assert_eq!(restored(&both[0]), ["1"]);
    assert_eq!(kept(&both[1]), ["1 undone_already"]);
    let undone = "SELECT count(*) FROM leaver.changes WHERE cause = 'undo'";
    assert_eq!(app.count(undone).await, 1);
}

#[tokio::test]
async fn a_writer_that_commits_first_has_touched_the_row() {
    let (mut app, undo, digest) = one_leaver().await;
    let mut writer = Session::open(&app.options).await;
    writer
        .sql("BEGIN; UPDATE users SET hashed_password = 'x'")
        .await;
    let mut watch = Session::open(&app.options).await;
    let mut conn = app.connect().await;
    let (report, ()) = tokio::join!(confirmed_on(&mut conn, &app, &undo, &digest), async {
        watch.wait_for_count(1, WAITING).await;
        writer.sql("COMMIT").await;
    });
    assert_eq!(kept(&report.unwrap()), ["1 touched"]);
    assert!(!app.is_active(DANA).await);
}

#[tokio::test]
async fn a_lock_that_is_not_released_changes_nothing() {
    let (mut app, undo, digest) = one_leaver().await;
    let mut writer = Session::open(&app.options).await;
    writer.sql("BEGIN; SELECT * FROM users FOR UPDATE").await;
    let mut conn = app.connect().await;
    let failed = confirmed_on(&mut conn, &app, &undo, &digest).await;
    assert!(matches!(failed, Err(UndoError::Database(_))), "{failed:?}");
    writer.sql("ROLLBACK").await;
    drop(conn);
    let mut conn = app.connect().await;
    let report = confirmed_on(&mut conn, &app, &undo, &digest).await;
    assert_eq!(restored(&report.unwrap()), ["1"]);
    assert!(app.is_active(DANA).await);
}
