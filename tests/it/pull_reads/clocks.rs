//! Pending reads when a clock steps back.

use super::*;

#[tokio::test]
async fn a_clock_step_back_does_not_delay_reads() {
    let mut it = Reading::new(vec![left(1), left(2), bamboohr_employee(3)]).await;
    it.event("employee.updated", "1").await;
    // Claimed by a replica that died.
    it.app
        .sql("UPDATE leaver.pending_reads SET next_attempt_at = next_attempt_at + interval '5 minutes'")
        .await;
    it.event("employee.updated", "2").await;
    it.app.advance(TimeDelta::hours(-1));
    it.app.parts.housekeeping.run_once().await.unwrap();
    it.read().await;
    assert_eq!(it.due().await, Vec::<String>::new());
    assert!(!it.is_active(1).await && !it.is_active(2).await);
    // A new change is read at once.
    it.event("employee.updated", "3").await;
    it.read().await;
    assert_eq!(it.due().await, Vec::<String>::new());
    assert!(it.is_active(3).await);
}

#[tokio::test]
async fn a_claimed_or_failed_read_keeps_its_wait() {
    let mut it = Reading::new(vec![left(1), left(2)]).await;
    let later = Answer::status(429).with("retry-after", "3600");
    it.api.script(&path(1), [later]);
    it.event("employee.updated", "1").await;
    it.slice().await;
    it.event("employee.updated", "2").await;
    it.app
        .sql("UPDATE leaver.pending_reads SET next_attempt_at = next_attempt_at + interval '5 minutes' WHERE attempts = 0")
        .await;
    it.app.parts.housekeeping.run_once().await.unwrap();
    assert_eq!(it.slice().await, 0);
    it.app.advance(TimeDelta::minutes(61));
    it.read().await;
    assert_eq!(it.due().await, Vec::<String>::new());
}
