//! Pending reads when a clock steps back.

use super::*;

#[tokio::test]
async fn a_clock_step_back_does_not_delay_reads() {
    let mut test = ReadsTest::new(vec![left(1), left(2), bamboohr_employee(3)]).await;
    test.event("employee.updated", "1").await;
    // Claimed by a replica that died.
    test.app
        .sql("UPDATE leaver.pending_reads SET next_attempt_at = next_attempt_at + interval '5 minutes'")
        .await;
    test.event("employee.updated", "2").await;
    test.app.advance(TimeDelta::hours(-1));
    test.app.parts.housekeeping.run_once().await.unwrap();
    test.read().await;
    assert_eq!(test.due().await, Vec::<String>::new());
    assert!(!test.is_active(1).await && !test.is_active(2).await);
    // A new change is read at once.
    test.event("employee.updated", "3").await;
    test.read().await;
    assert_eq!(test.due().await, Vec::<String>::new());
    assert!(test.is_active(3).await);
}

#[tokio::test]
async fn a_claimed_or_failed_read_keeps_its_wait() {
    let mut test = ReadsTest::new(vec![left(1), left(2)]).await;
    let later = Answer::status(429).with("retry-after", "3600");
    test.api.script(&path(1), [later]);
    test.event("employee.updated", "1").await;
    test.slice().await;
    test.event("employee.updated", "2").await;
    test.app
        .sql("UPDATE leaver.pending_reads SET next_attempt_at = next_attempt_at + interval '5 minutes' WHERE attempts = 0")
        .await;
    test.app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(test.slice().await, 0);
    test.app.advance(TimeDelta::minutes(61));
    test.read().await;
    assert_eq!(test.due().await, Vec::<String>::new());
}
