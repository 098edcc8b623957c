//! Reads when a clock steps back.

use super::*;

#[tokio::test]
async fn a_read_does_not_wait_for_an_hour_that_the_clock_took_back() {
    let mut it = Reading::new(vec![left(1), left(2), bamboohr_employee(3)]).await;
    it.event("employee.updated", "1").await;
    // Begun by somebody who never came back.
    it.app
        .sql("UPDATE leaver.pending_reads SET next_attempt_at = next_attempt_at + interval '5 minutes'")
        .await;
    it.event("employee.updated", "2").await;
    it.app.advance(TimeDelta::hours(-1));
    it.app.parts.housekeeping.run_once().await.unwrap();
    it.read().await;
    assert_eq!(it.due().await, Vec::<String>::new());
    assert!(!it.is_active(1).await && !it.is_active(2).await);
    // What comes now is read now.
    it.event("employee.updated", "3").await;
    it.read().await;
    assert_eq!(it.due().await, Vec::<String>::new());
    assert!(it.is_active(3).await);
}

#[tokio::test]
async fn a_read_that_is_under_way_or_has_failed_is_not_called_before_its_time() {
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
