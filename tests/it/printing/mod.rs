//! Output of every command: on terminals, in pipes, as JSON, with a reader that leaves; exit status; global options.

mod changes;
mod complete;
mod events;
mod files;
mod forms;
mod matrix;
mod options;
mod pipes;
mod redaction;
mod services;
mod status;

use std::sync::Arc;

use leaver::base::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::support::apis::{StandIn, bamboohr_employee, bamboohr_with_hooks};
use crate::support::apis_setup::{SINGLE_COMPANY, source_with_api, terminated_bamboohr_employee};
use crate::support::driving::{event, leaving, merge_record, terminated, working};
use crate::support::hooks::{Hooks, log_entry};
use crate::support::{BAMBOOHR_KEY, TestApp, employees};

/// The address to which the provider's webhook posts.
const HERE: &str = "https://leaver.example/webhooks/bamboohr";
const SECRETS: [(&str, &str); 3] = [
    ("SECRET", BAMBOOHR_KEY),
    ("API_KEY", "api-key-sentinel"),
    ("TOKEN", "token-sentinel"),
];
/// A work e-mail that fills half of a narrow terminal.
const LONG: &str = "maximiliana.von-hohenzollern@widgets.example";

/// A database in which each list has rows, and the stand-in of BambooHR.
struct Story {
    app: TestApp,
    api: StandIn,
    hooks: Arc<Hooks>,
}

impl Story {
    /// Reports leavers: one of them is deactivated, three are held by a trip, one is planned, one has no account, one is
    /// scheduled, and one needs a read. A delivery is ignored and one is failed.
    async fn new() -> Self {
        let hooks = Arc::new(Hooks::default());
        hooks.add(HERE);
        hooks.log("1", vec![log_entry("2026-11-22 11:58:03", "503", &["4"])]);
        let mut company: Vec<Value> = (1..=5).map(bamboohr_employee).collect();
        company[3] = terminated_bamboohr_employee(4);
        let api = StandIn::start(bamboohr_with_hooks(company, &hooks)).await;
        let bamboohr = source_with_api("bamboohr", "bamboohr", &api);
        let text = format!(
            "{SINGLE_COMPANY}{bamboohr}
            [[sources]]
            name = \"merge\"
            provider = \"merge\"
            webhook_secrets = [\"env:SECRET\"]
            mode = \"shadow\""
        );
        let limits = [
            ("LEAVER__SAFEGUARD__HOUR__FLOOR", "1"),
            ("LEAVER__SAFEGUARD__HOUR__PERCENT", "1"),
        ];
        let mut app = TestApp::builder()
            .config_file(&text, &SECRETS)
            .settings(&limits)
            .build()
            .await;
        app.clock.set(SystemClock.now());
        app.add_employees_users(1..=6).await;
        app.add_users(&[LONG, "zoe@widgets.example", "nobody@widgets.example"])
            .await;
        let now = app.clock.now().to_rfc3339();
        let mail = |n: u8| format!("dana.{n}@widgets.example");
        app.deliver("bamboohr", &employees(&[terminated("1", &mail(1), &now)]))
            .await;
        app.deliver(
            "bamboohr",
            &employees(&[
                terminated("2", &mail(2), &now),
                terminated("3", &mail(3), &now),
                terminated("7", LONG, &now),
                terminated("8", "gone@widgets.example", &now),
                working("5", &mail(5), &now),
                leaving("6", &mail(6), &now, "2199-01-31"),
            ]),
        )
        .await;
        app.deliver("bamboohr", &event("employee.updated", "4", &now))
            .await;
        let planned = merge_record(
            "5f2b9c7e-1c2d-4e3f-8a4b-6c7d8e9f0a1b",
            "zoe@widgets.example",
            &now,
            "INACTIVE",
            Some("2026-11-20T00:00:00Z"),
        );
        app.deliver("merge", &planned).await;
        app.deliver("bamboohr", &json!({"hello": "there"})).await;
        Self { app, api, hooks }
    }
}
