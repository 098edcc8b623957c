//! One company never reaches the accounts of another.

mod approvals;
mod concurrent;
mod leftovers;
mod linked_accounts;
mod lists;
mod matrix;
mod protected;
mod refused;
mod untimed;

use leaver::base::liveness::Phase;
use leaver::config::{Environment, Settings};
use serde_json::{Value, json};

use crate::support::driving::merge_record;
use crate::support::{BAMBOOHR_KEY, MERGE_KEY, TestApp, employee, employees, parts};

/// The variables that the configurations below name.
const KEYS: [(&str, &str); 3] = [
    ("KEY_A", BAMBOOHR_KEY),
    ("KEY_B", "6f0c9a3e7b1d42868e94c0d7a2f63b16"),
    ("KEY_M", MERGE_KEY),
];

/// A linked account of company acme.
const LINKED_A: &str = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b";
/// A linked account of company globex.
const LINKED_B: &str = "22222222-2222-4333-8444-555555555555";

/// Two linked accounts of one source.
const LINKED: &str = r#"
[[sources]]
name = "merge"
provider = "merge"
webhook_secrets = ["env:KEY_M"]
linked_accounts = [
    { id = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b", tenant = "acme" },
    { id = "22222222-2222-4333-8444-555555555555", tenant = "globex" },
]
"#;

/// Two sources of one provider.
const BAMBOOHR_TWICE: &str = r#"
[[sources]]
name = "acme"
provider = "bamboohr"
tenant = "acme"
webhook_secrets = ["env:KEY_A"]
[[sources]]
name = "globex"
provider = "bamboohr"
tenant = "globex"
webhook_secrets = ["env:KEY_B"]
"#;

/// One source of each provider.
const BOTH_PROVIDERS: &str = r#"
[[sources]]
name = "acme"
provider = "bamboohr"
tenant = "acme"
webhook_secrets = ["env:KEY_A"]
[[sources]]
name = "merge"
provider = "merge"
webhook_secrets = ["env:KEY_M"]
linked_accounts = [{ id = "22222222-2222-4333-8444-555555555555", tenant = "globex" }]
"#;

/// The ways in which the documentation configures two companies.
const TWO_COMPANIES: [(&str, &str); 3] = [
    ("linked accounts", LINKED),
    ("two sources", BAMBOOHR_TWICE),
    ("both providers", BOTH_PROVIDERS),
];

/// A Merge delivery of one record through a linked account.
fn record(account: &str, id: &str, email: &str, at: &str, left_on: Option<&str>) -> Value {
    let status = if left_on.is_some() {
        "INACTIVE"
    } else {
        "ACTIVE"
    };
    let mut body = merge_record(id, email, at, status, left_on);
    body["linked_account"]["id"] = account.into();
    body
}

/// The deletion of a linked account at Merge.
fn deletion(account: &str) -> Value {
    json!({"hook": {"id": "h", "event": "LinkedAccount.deleted"},
           "linked_account": {"id": account, "category": "hris"}, "data": {}})
}

/// Returns the service on the same database with another configuration.
async fn with_config(app: &TestApp, text: &str) -> TestApp {
    let path = app.file("other.toml", text);
    let settings = Settings::load(Some(&path), &Environment::of(KEYS)).unwrap();
    let mut other = app.beside(&["merge"], &[]).await;
    other.parts = parts(&settings, app.options.clone(), &app.clock);
    other.parts.liveness.enter(Phase::Ready);
    other.settings = settings;
    other
}

/// Returns the codes of the reasons in `/health`.
async fn reasons(app: &TestApp) -> Vec<String> {
    let health = app.get("/health").await.body;
    let reasons = health["reasons"].as_array().unwrap().iter();
    reasons
        .map(|reason| reason["code"].as_str().unwrap().to_owned())
        .collect()
}

/// The person whom both companies report.
const EMAIL: &str = "ana@example.com";
const EMPLOYED: &str = "2026-11-22T09:00:00Z";
const LEFT: &str = "2026-11-22T11:00:00Z";

/// One of the two companies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    Acme,
    Globex,
}

/// A report of a company about [`EMAIL`].
#[derive(Clone, Copy, Debug)]
enum Report {
    Employed,
    /// Employed until the end of this day.
    Leaving(&'static str),
    Left,
    /// Employed again, since this day.
    Rehired(&'static str),
}

/// Returns an app with this configuration of the accounts, the two companies and the user of Acme.
async fn two_companies(accounts: &str, sources: &str) -> TestApp {
    let mut app = TestApp::builder()
        .config_file(&format!("{accounts}\n{sources}"), &KEYS)
        .tables(
            "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL,
                                 company text DEFAULT 'acme', is_active boolean NOT NULL DEFAULT true);
             CREATE TABLE sessions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL);",
        )
        .build()
        .await;
    app.add_users(&[EMAIL]).await;
    app
}

/// Returns the source and the body of a report, in the format of the company's provider.
fn report_of(company: Company, sources: &str, report: Report, at: &str) -> (&'static str, Value) {
    let (id, source) = match company {
        Company::Acme => ("a1", "acme"),
        Company::Globex => ("g1", "globex"),
    };
    let is_merge = sources == LINKED || (sources == BOTH_PROVIDERS && company == Company::Globex);
    if is_merge {
        let account = match company {
            Company::Acme => LINKED_A,
            Company::Globex => LINKED_B,
        };
        let (day, hired) = match report {
            Report::Employed => (None, "2020-01-06"),
            Report::Leaving(day) => (Some(day), "2020-01-06"),
            Report::Left => (Some("2026-11-20"), "2020-01-06"),
            Report::Rehired(day) => (None, day),
        };
        let day = day.map(|day| format!("{day}T00:00:00Z"));
        let mut body = record(account, id, EMAIL, at, day.as_deref());
        if !matches!(report, Report::Left) {
            body["data"]["employment_status"] = "ACTIVE".into();
        }
        body["data"]["start_date"] = format!("{hired}T00:00:00Z").into();
        return ("merge", body);
    }
    let (status, word, day, hired) = match report {
        Report::Employed => ("Active", "Full-Time", "0000-00-00", "2020-01-06"),
        Report::Leaving(day) => ("Active", "Full-Time", day, "2020-01-06"),
        Report::Left => ("Inactive", "Terminated", "2026-11-20", "2020-01-06"),
        Report::Rehired(day) => ("Active", "Full-Time", "0000-00-00", day),
    };
    let fields = json!({"status": status, "employmentHistoryStatus": word, "terminationDate": day,
                        "hireDate": hired, "workEmail": EMAIL});
    let entry = employee(id, at, &["status", "terminationDate"], &fields);
    (source, employees(&[entry]))
}

/// Delivers a report, and processes it.
async fn says(app: &mut TestApp, company: Company, sources: &str, report: Report, at: &str) {
    let (source, body) = report_of(company, sources, report, at);
    app.deliver(source, &body).await;
}
