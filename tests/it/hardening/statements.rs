//! Statements that end sessions are tried by `leaver check`, which names what is wrong with them.

use crate::support::TestApp;

#[tokio::test]
async fn check_refuses_statements_that_end_more_than_sessions_of_the_ids() {
    let mut app = TestApp::new().await;
    app.add_users(&["ana@example.com"]).await;
    let sessions = "SELECT count(*) FROM sessions";
    let before = app.count(sessions).await;
    assert!(before > 0);
    for (statement, problem) in [
        (
            "DELETE FROM sessions WHERE user_id::text = ANY($1) OR true",
            "it changes rows although no account is named",
        ),
        ("DELETE FROM sessions", "it does not use $1"),
        (
            "/* $1 */ commit",
            "COMMIT ends or starts a transaction; remove it",
        ),
    ] {
        let statements = format!("[{statement:?}]");
        let setting = ("LEAVER__ACCOUNTS__END_SESSIONS", &*statements);
        let checked = app.run_with(&["check"], &[setting]);
        assert!(checked.out.contains(problem), "{statement}: {checked:?}");
        assert_eq!(checked.code, Some(1), "{statement}: {checked:?}");
        assert_eq!(app.count(sessions).await, before, "{statement}");
    }
}
