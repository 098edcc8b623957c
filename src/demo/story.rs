//! Users of the example company, and the deliveries about them.

use chrono::{DateTime, Days, Utc};
use serde_json::json;

/// Expected outcome for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DemoOutcome {
    /// Inactive, sessions ended.
    Deactivated,
    /// Active until a scheduled end.
    Scheduled,
    /// Active until a person decides.
    Held,
    /// Active.
    Untouched,
}

/// All users with their expected outcome.
pub(super) const PEOPLE: [(&str, DemoOutcome); 9] = [
    ("ada.keller@example.com", DemoOutcome::Untouched),
    ("Dana.Ruiz@example.com", DemoOutcome::Deactivated),
    ("omar.lind@example.com", DemoOutcome::Deactivated),
    ("priya.nair@example.com", DemoOutcome::Deactivated),
    ("mei.chen@example.com", DemoOutcome::Deactivated),
    ("tom.becker@example.com", DemoOutcome::Scheduled),
    ("nora.silva@example.com", DemoOutcome::Untouched),
    ("sam.okoye@example.com", DemoOutcome::Untouched),
    ("yuki.tan@example.com", DemoOutcome::Held),
];

pub(super) fn expected_outcome(email: &str) -> DemoOutcome {
    PEOPLE
        .iter()
        .find(|(person, _)| *person == email)
        .map_or(DemoOutcome::Untouched, |(_, outcome)| *outcome)
}

/// Sender of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    BambooHr,
    Merge,
    Attacker,
}

impl Sender {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BambooHr => "BambooHR",
            Self::Merge => "Merge",
            Self::Attacker => "an attacker",
        }
    }

    pub(super) fn source(self) -> &'static str {
        match self {
            Self::BambooHr | Self::Attacker => "bamboohr",
            Self::Merge => "merge",
        }
    }
}

/// One delivery of the demo.
pub(super) struct Step {
    pub(super) sender: Sender,
    pub(super) form: &'static str,
    pub(super) event: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    pub(super) expected_status: u16,
    pub(super) is_repeat: bool,
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Returns the deliveries in order.
pub(super) fn steps(now: DateTime<Utc>) -> Vec<Step> {
    let today = now.date_naive();
    let day = |days: i64| {
        let moved = if days < 0 {
            today.checked_sub_days(Days::new(days.unsigned_abs()))
        } else {
            today.checked_add_days(Days::new(days.unsigned_abs()))
        };
        moved.unwrap_or(today).to_string()
    };
    let at = now.format("%Y-%m-%dT%H:%M:%S+0000").to_string();
    let step = |sender, form, event, content_type, body: String| Step {
        sender,
        form,
        event,
        content_type,
        body,
        expected_status: 200,
        is_repeat: false,
    };
    let entry = |id: &str, changed: &[&str], fields: serde_json::Value| json!({"id": id, "action": "Updated", "timestamp": at, "changedFields": changed, "fields": fields});

    let batch = json!({"employees": [
        entry("40217", &["status", "employmentHistoryStatus"], json!({
            "status": {"value": "Inactive"}, "employmentHistoryStatus": {"value": "Terminated"},
            "terminationDate": {"value": day(-1)}, "hireDate": {"value": "2021-03-01"},
            "workEmail": {"value": "dana.ruiz@example.com"}})),
        entry("40218", &["hireDate"], json!({
            "status": "Inactive", "employmentHistoryStatus": "Full-Time", "terminationDate": "0000-00-00",
            "hireDate": day(40), "workEmail": "nora.silva@example.com"})),
        entry("40219", &["jobTitle"], json!({
            "status": "Active", "hireDate": "2020-01-07", "workEmail": "priya.nair@example.com"})),
        entry("40220", &["jobTitle"], json!({
            "status": "Active", "hireDate": "2019-09-16", "workEmail": "yuki.tan@example.com"})),
    ]});
    let form = "employees%5B40221%5D%5BchangedFields%5D%5B0%5D=Status&employees%5B40221%5D%5BStatus%5D=Inactive\
                &employees%5B40221%5D%5BEmployment+Status%5D=Terminated\
                &employees%5B40221%5D%5BWork+Email%5D=omar.lind%40example.com";
    let deleted = json!({"type": "employee.deleted", "timestamp": at, "data": {"companyId": "88110", "employeeId": "40219"}});
    let notification_only = json!({"type": "employee.updated", "timestamp": at,
        "data": {"companyId": "88110", "employeeId": "40220", "changedFields": ["status"]}});
    let merge = |id: &str,
                 email: &str,
                 status: &str,
                 ends: serde_json::Value,
                 modified: &DateTime<Utc>| {
        json!({
            "hook": {"id": "9a8b7c6d-0000-4000-8000-000000000001", "event": "Employee.changed", "target": "https://leaver.example.com/webhooks/merge"},
            "linked_account": {"id": "5b0f3a9e-0000-4000-8000-000000000002", "integration": "Workday", "category": "hris", "account_type": "PRODUCTION"},
            "data": {"id": id, "work_email": email, "employment_status": status, "termination_date": ends,
                     "start_date": "2022-05-02T00:00:00Z", "modified_at": modified.to_rfc3339(), "remote_was_deleted": false}
        })
        .to_string()
    };
    let midnight = |days: i64| json!(format!("{}T00:00:00Z", day(days)));

    let mut steps = vec![
        step(
            Sender::BambooHr,
            "JSON, 4 employees",
            "Dana is terminated, Nora starts in 40 days, Priya and Yuki have new job titles",
            JSON,
            batch.to_string(),
        ),
        step(
            Sender::BambooHr,
            "form",
            "Omar is terminated",
            FORM,
            form.to_owned(),
        ),
        step(
            Sender::BambooHr,
            "event, no values",
            "Priya's record is deleted",
            JSON,
            deleted.to_string(),
        ),
        step(
            Sender::BambooHr,
            "event, no values",
            "Yuki's status changed, value not included",
            JSON,
            notification_only.to_string(),
        ),
        step(
            Sender::Merge,
            "JSON",
            "Mei left yesterday",
            JSON,
            merge(
                "c0ffee00-0000-4000-8000-000000000001",
                "Mei.Chen@example.com ",
                "INACTIVE",
                midnight(-1),
                &now,
            ),
        ),
        step(
            Sender::Merge,
            "JSON",
            "Tom leaves in 30 days",
            JSON,
            merge(
                "c0ffee00-0000-4000-8000-000000000002",
                "tom.becker@example.com",
                "ACTIVE",
                midnight(30),
                &now,
            ),
        ),
        step(
            Sender::Merge,
            "JSON",
            "Sam is active; the end date is an earlier job's",
            JSON,
            merge(
                "c0ffee00-0000-4000-8000-000000000003",
                "sam.okoye@example.com",
                "ACTIVE",
                json!("2021-06-30T00:00:00Z"),
                &now,
            ),
        ),
    ];
    let again = step(
        Sender::BambooHr,
        "JSON, repeated",
        "the first delivery again",
        JSON,
        batch.to_string(),
    );
    steps.push(Step {
        is_repeat: true,
        ..again
    });
    let forged = batch
        .to_string()
        .replace("40217", "1")
        .replace("dana.ruiz", "ada.keller");
    let forged = step(
        Sender::Attacker,
        "JSON",
        "Ada is terminated (forged)",
        JSON,
        forged,
    );
    steps.push(Step {
        expected_status: 401,
        ..forged
    });
    steps
}
