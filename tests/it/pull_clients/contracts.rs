//! Our requests are declared in the providers' OpenAPI files (trimmed copies in `tests/openapi/`). The responses of the
//! stand-ins have only declared members, so the other tests here test against the contract.

use std::collections::BTreeSet;
use std::sync::Arc;

use leaver::connect::WebhookKind;
use leaver_core::domain::EmployeeId;
use serde_json::{Value, json};

use super::webhooks::wanted;
use super::{account, bamboohr, merge, read_all};
use crate::support::apis::{
    StandIn, bamboohr_company, bamboohr_employee, bamboohr_with_hooks, merge_account,
    merge_company, merge_employee, merge_sync,
};
use crate::support::at;
use crate::support::contract::{Contract, takes_basic_auth};
use crate::support::hooks::{Hooks, denied, log_entry};

#[tokio::test]
async fn requests_to_merge_are_declared() {
    let contract = Contract::load("merge-hris.yaml");
    let api = StandIn::start(merge_company((0..150).map(merge_employee).collect())).await;
    let (merge, account) = (merge(&api), account("la-1"));
    read_all(&merge, &account).await.unwrap();
    let mut since = merge.employees(&account, Some(at("2026-11-01T00:00:00Z")));
    since.next().await.unwrap();
    merge.sync_status(&account).await.unwrap();
    merge.connection(&account).await.unwrap();

    let asked = api.requests();
    let paths: BTreeSet<&str> = asked.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths.len(), 3);
    for one in &asked {
        assert_eq!(contract.complaints(one), [""; 0]);
    }
}

#[tokio::test]
async fn requests_to_bamboohr_are_declared_for_api_keys() {
    let contract = Contract::load("bamboohr.yaml");
    let hooks = Arc::new(Hooks::default());
    let api = StandIn::start(bamboohr_with_hooks(vec![bamboohr_employee(7)], &hooks)).await;
    let client = bamboohr(&api);
    client
        .changed_since(at("2026-11-01T00:00:00Z"))
        .await
        .unwrap();
    client.employee(&EmployeeId::new("7")).await.unwrap();
    client.monitor_fields().await.unwrap();
    for kind in [WebhookKind::Event, WebhookKind::Field] {
        client.create_webhook(&wanted(kind)).await.unwrap();
    }
    client.webhooks().await.unwrap();
    client.webhook("1").await.unwrap();
    client.webhook_log("1").await.unwrap();
    client.delete_webhook("1").await.unwrap();
    assert_eq!(api.requests().len(), 9);
    for one in &api.requests() {
        assert_eq!(contract.complaints(one), [""; 0]);
        let operation = contract.operation(&one.path, one.method.as_str()).unwrap();
        assert!(takes_basic_auth(operation.declared), "{}", one.path);
    }
    // The reason not to use the list of all employees; see src/connect/bamboohr/mod.rs.
    let list = contract.operation("/api/v1/employees", "GET").unwrap();
    assert!(!takes_basic_auth(list.declared));
}

#[tokio::test]
async fn responses_of_the_stand_ins_are_declared() {
    let merge = Contract::load("merge-hris.yaml");
    let page = |record: Value| json!({"next": null, "previous": null, "results": [record]});
    for (path, answer) in [
        ("/hris/v1/employees", page(merge_employee(1))),
        ("/hris/v1/sync-status", page(merge_sync("DONE"))),
        ("/hris/v1/account-details", merge_account("COMPLETE")),
    ] {
        let differences = merge.differences(merge.answer(path), &answer, &[], path);
        assert_eq!(differences, [""; 0]);
    }

    let bamboohr = Contract::load("bamboohr.yaml");
    let api = StandIn::start(bamboohr_company(vec![bamboohr_employee(7)])).await;
    let client = leaver::connect::client::new(std::time::Duration::from_secs(5)).unwrap();
    let fields = leaver_core::providers::BAMBOOHR_FIELDS.join(",");
    for (path, query) in [
        ("/api/v1/employees/changed", "since=x".to_owned()),
        ("/api/v1/employees/7", format!("fields={fields}")),
    ] {
        let asked = client
            .get(format!("{}{path}?{query}", api.url))
            .send()
            .await;
        let answer: Value = asked.unwrap().json().await.unwrap();
        // The file lists the common fields and allows any other. This one is at
        // https://documentation.bamboohr.com/docs/list-of-field-names (read 2026-11-22).
        let others = ["employmentHistoryStatus"];
        let differences = bamboohr.differences(bamboohr.answer(path), &answer, &others, path);
        assert_eq!(differences, [""; 0]);
    }
}

#[tokio::test]
async fn webhook_responses_of_the_stand_in_are_declared() {
    let contract = Contract::load("bamboohr.yaml");
    let hooks = Arc::new(Hooks::default());
    let api = StandIn::start(bamboohr_with_hooks(vec![], &hooks)).await;
    let client = leaver::connect::client::new(std::time::Duration::from_secs(5)).unwrap();
    let wanted = json!({"name": "x", "url": "https://h/webhooks/bamboohr", "format": "json",
        "events": ["employee.updated"], "monitorFields": ["status"]});
    let made = client.post(format!("{}/api/v1/webhooks", api.url));
    let made = made.json(&wanted).send().await.unwrap();
    let made: Value = made.json().await.unwrap();
    let operation = contract.operation("/api/v1/webhooks", "post").unwrap();
    let schema = &operation.declared["responses"]["201"]["content"]["application/json"]["schema"];
    assert_eq!(contract.differences(schema, &made, &[], "made"), [""; 0]);
    hooks.configure("1", "errors", denied(&["status"], &["workEmail"]));
    hooks.log("1", vec![log_entry("2026-11-22 11:58:03", "503", &["7"])]);
    for path in [
        "/api/v1/webhooks",
        "/api/v1/webhooks/1",
        "/api/v1/webhooks/1/log",
        "/api/v1/webhooks/monitor_fields",
    ] {
        let asked = client.get(format!("{}{path}", api.url)).send().await;
        let answer: Value = asked.unwrap().json().await.unwrap();
        let schema = contract.answer(path);
        let list = &schema["oneOf"][0];
        let schema = if list.is_badvalue() { schema } else { list };
        assert_eq!(contract.differences(schema, &answer, &[], path), [""; 0]);
    }
}
