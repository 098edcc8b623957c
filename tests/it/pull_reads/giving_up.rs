//! Reads that fail permanently become a question.

use super::*;

/// Reads until the failures are older than `GIVE_UP_AFTER`. No hold may be open before.
async fn fail_until_given_up(test: &mut ReadsTest) {
    test.read().await;
    assert_eq!(test.app.holds().await, [""; 0]);
    test.app.advance(TimeDelta::minutes(14));
    test.read().await;
    assert_eq!(test.app.holds().await, [""; 0]);
    test.app.advance(TimeDelta::minutes(2));
    test.read().await;
}

#[tokio::test]
async fn a_permanent_failure_opens_a_hold_with_its_cause() {
    for (answer, cause) in [
        (Answer::status(401), "(401)"),
        (Answer::status(403), "(403)"),
        (Answer::status(404), "(404)"),
        (Answer::text(200, "text/html", "<html></html>"), "HTML"),
        (
            Answer::json(&json!({"id": "1", "workEmail": email(1)})),
            "`status`",
        ),
    ] {
        let mut test = ReadsTest::over(StandIn::always(answer).await).await;
        test.app.bamboohr(&[working("1", &email(1), EARLIER)]).await;
        test.event("employee.updated", "1").await;
        fail_until_given_up(&mut test).await;
        assert_eq!(test.app.holds().await, ["open deactivate 1 1"], "{cause}");
        let reasons = test.app.lines("SELECT reason FROM leaver.holds").await;
        assert!(reasons[0].contains(cause), "{reasons:?}");
        assert!(test.is_active(1).await);
        // Afterwards it is read once an hour.
        test.app.advance(TimeDelta::minutes(50));
        assert_eq!(test.slice().await, 0);
        test.app.advance(TimeDelta::minutes(11));
        assert_eq!(test.slice().await, 1);
    }
}

#[tokio::test]
async fn a_later_success_withdraws_the_hold() {
    let mut test = ReadsTest::new(vec![bamboohr_employee(1)]).await;
    test.app.bamboohr(&[working("1", &email(1), EARLIER)]).await;
    let refused = || Answer::status(403);
    test.api.script(&path(1), [refused(), refused(), refused()]);
    test.event("employee.updated", "1").await;
    fail_until_given_up(&mut test).await;
    assert_eq!(test.app.holds().await, ["open deactivate 1 1"]);
    test.app.advance(TimeDelta::minutes(61));
    test.read().await;
    assert_eq!(test.app.holds().await, ["withdrawn deactivate 1 1"]);
    assert_eq!(test.due().await, [""; 0]);
    assert!(test.is_active(1).await);
}

#[tokio::test]
async fn a_newer_change_does_not_restart_the_wait() {
    let mut test = ReadsTest::over(StandIn::always(Answer::status(403)).await).await;
    test.app.bamboohr(&[working("1", &email(1), EARLIER)]).await;
    for _ in 0..4 {
        test.event("employee.updated", "1").await;
        test.read().await;
        test.app.advance(TimeDelta::minutes(6));
    }
    assert_eq!(test.app.holds().await, ["open deactivate 1 1"]);
}

#[tokio::test]
async fn an_outage_of_the_api_opens_no_hold() {
    let mut test = ReadsTest::over(StandIn::always(Answer::status(500)).await).await;
    test.app.bamboohr(&[working("1", &email(1), EARLIER)]).await;
    test.event("employee.updated", "1").await;
    fail_until_given_up(&mut test).await;
    assert_eq!(test.app.holds().await, [""; 0]);
}

#[tokio::test]
async fn a_permanent_failure_degrades_health_at_once() {
    let withheld = json!({"id": "1", "status": "Active", "workEmail": email(1)});
    for answer in [Answer::status(403), Answer::json(&withheld)] {
        let mut test = ReadsTest::over(StandIn::always(answer).await).await;
        test.app.bamboohr(&[working("1", &email(1), EARLIER)]).await;
        test.event("employee.updated", "1").await;
        test.read().await;
        let health = test.app.get("/health").await.body;
        let codes = health["reasons"].to_string();
        assert!(codes.contains("pending_reads_failing"), "{health}");
    }
}
