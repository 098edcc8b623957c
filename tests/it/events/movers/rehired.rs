//! A return is reported before the next end, also if nothing was recorded when it happened.

use serde_json::json;

use super::{BUS, CONFIG, VARIABLES, app_with, restart_with, taken};
use crate::support::driving::{merge_record, terminated, working};

const DANA: &str = "dana@example.com";
const LAST_DAY: &str = "2026-11-24T00:00:00Z";

#[tokio::test]
async fn an_approved_return_is_reported_with_the_approval() {
    let mut app = app_with("").await;
    app.add_users(&[DANA]).await;
    let leaving = merge_record("7", DANA, "2026-11-22T11:00:00Z", "ACTIVE", Some(LAST_DAY));
    app.deliver("merge", &leaving).await;
    app.set_clock("2026-11-25T00:00:00Z");
    app.run_due().await;
    let ended = [
        "employee.created 7",
        "employee.termination_scheduled 7",
        "employee.terminated 7",
    ];
    assert_eq!(taken(&mut app).await, ended);

    let mut back = merge_record("7", DANA, "2026-11-25T01:00:00Z", "ACTIVE", Some(LAST_DAY));
    back["data"]["start_date"] = json!("2026-12-07T00:00:00Z");
    app.deliver("merge", &back).await;
    assert_eq!(taken(&mut app).await, ["employee.updated 7"]);
    let hold = app.open_hold().await;
    app.approve(hold, None).await.unwrap();
    assert_eq!(taken(&mut app).await, ["employee.rehired 7"]);
    app.set_clock("2026-12-07T08:00:00Z");
    back["data"]["modified_at"] = json!("2026-12-07T07:00:00Z");
    app.deliver("merge", &back).await;
    assert_eq!(taken(&mut app).await, [""; 0]);

    app.set_clock("2027-03-01T08:00:00Z");
    back["data"]["modified_at"] = json!("2027-03-01T07:00:00Z");
    back["data"]["employment_status"] = json!("INACTIVE");
    back["data"]["termination_date"] = json!("2027-02-28T00:00:00Z");
    app.deliver("merge", &back).await;
    let ended = ["employee.updated 7", "employee.terminated 7"];
    assert_eq!(taken(&mut app).await, ended);
}

#[tokio::test]
async fn a_return_by_time_alone_precedes_the_next_end() {
    let mut app = app_with("").await;
    let mut record = merge_record("7", DANA, "2026-11-22T11:00:00Z", "ACTIVE", Some(LAST_DAY));
    record["data"]["start_date"] = json!("2026-12-07T00:00:00Z");
    app.deliver("merge", &record).await;
    app.set_clock("2026-11-25T00:00:00Z");
    app.run_due().await;
    let ended = [
        "employee.created 7",
        "employee.termination_scheduled 7",
        "employee.terminated 7",
    ];
    assert_eq!(taken(&mut app).await, ended);
    app.set_clock("2027-03-01T08:00:00Z");
    record["data"]["modified_at"] = json!("2027-03-01T07:00:00Z");
    record["data"]["employment_status"] = json!("INACTIVE");
    record["data"]["termination_date"] = json!("2027-02-28T00:00:00Z");
    for expected in [
        &[
            "employee.updated 7",
            "employee.rehired 7",
            "employee.terminated 7",
        ][..],
        &[],
    ] {
        app.deliver("merge", &record).await;
        assert_eq!(taken(&mut app).await, expected);
    }
}

#[tokio::test]
async fn a_return_that_no_destination_wanted_precedes_the_end() {
    let mut app = app_with("").await;
    app.add_users(&[DANA]).await;
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T08:00:00Z")])
        .await;
    let ended = ["employee.created 7", "employee.terminated 7"];
    assert_eq!(taken(&mut app).await, ended);
    restart_with(&mut app, CONFIG, &VARIABLES).await;
    app.bamboohr(&[working("7", DANA, "2026-11-22T09:00:00Z")])
        .await;
    assert_eq!(taken(&mut app).await, [""; 0]);
    restart_with(&mut app, &format!("{CONFIG}\n{BUS}"), &VARIABLES).await;
    app.bamboohr(&[terminated("7", DANA, "2026-11-22T10:00:00Z")])
        .await;
    let both = [
        "employee.updated 7",
        "employee.rehired 7",
        "employee.terminated 7",
    ];
    assert_eq!(taken(&mut app).await, both);
}
