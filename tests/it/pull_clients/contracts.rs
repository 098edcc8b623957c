//! What we send is declared in the providers' OpenAPI files (trimmed copies, `tests/openapi/`), and what the
//! stand-ins answer has only declared members, so that the other tests here test against the contract.

use std::collections::BTreeSet;

use leaver::domain::EmployeeId;
use serde_json::Value;

use super::{account, bamboohr, merge, read_all};
use crate::support::apis::{
    StandIn, bamboohr_company, bamboohr_employee, merge_account, merge_company, merge_employee,
    merge_sync,
};
use crate::support::at;
use crate::support::contract::{Contract, takes_basic_auth};

#[tokio::test]
async fn what_merge_is_asked_is_declared() {
    let contract = Contract::load("merge-hris.yaml");
    let api = StandIn::start(merge_company((0..150).map(merge_employee).collect())).await;
    let (merge, account) = (merge(&api), account("la-1"));
    read_all(&merge, &account).await.unwrap();
    let mut since = merge.employees(&account, Some(at("2026-11-01T00:00:00Z")));
    since.next().await.unwrap();
    merge.sync_status(&account).await.unwrap();
    merge.connection(&account).await.unwrap();

    let asked = api.asked();
    let paths: BTreeSet<&str> = asked.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths.len(), 3);
    for one in &asked {
        contract.check_request(one.path.strip_prefix("/api").unwrap(), one);
    }
}

#[tokio::test]
async fn what_bamboohr_is_asked_is_declared_and_allowed_with_a_key() {
    let contract = Contract::load("bamboohr.yaml");
    let api = StandIn::start(bamboohr_company(vec![bamboohr_employee(7)])).await;
    let client = bamboohr(&api);
    client
        .changed_since(at("2026-11-01T00:00:00Z"))
        .await
        .unwrap();
    client.employee(&EmployeeId::new("7")).await.unwrap();
    for one in &api.asked() {
        contract.check_request(&one.path, one);
        assert!(
            takes_basic_auth(contract.operation(&one.path, "GET")),
            "{}",
            one.path
        );
    }
    // Why the list of all employees is not used; see src/pull/bamboohr.rs.
    assert!(!takes_basic_auth(
        contract.operation("/api/v1/employees", "GET")
    ));
}

#[tokio::test]
async fn what_the_stand_ins_answer_is_declared() {
    let merge = Contract::load("merge-hris.yaml");
    let page = serde_json::json!({"next": null, "previous": null, "results": [merge_employee(1)]});
    merge.check_members(merge.answer("/hris/v1/employees"), &page, &[], "employees");
    let page = serde_json::json!({"next": null, "previous": null, "results": [merge_sync("DONE")]});
    merge.check_members(
        merge.answer("/hris/v1/sync-status"),
        &page,
        &[],
        "sync-status",
    );
    merge.check_members(
        merge.answer("/hris/v1/account-details"),
        &merge_account("COMPLETE"),
        &[],
        "account-details",
    );

    let contract = Contract::load("bamboohr.yaml");
    let api = StandIn::start(bamboohr_company(vec![bamboohr_employee(7)])).await;
    let get = async |path: &str| -> Value {
        let answer = leaver::client::new(std::time::Duration::from_secs(5)).unwrap();
        answer
            .get(format!("{}{path}", api.url))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let changed = get("/api/v1/employees/changed?since=x").await;
    contract.check_members(
        contract.answer("/api/v1/employees/changed"),
        &changed,
        &[],
        "changed",
    );
    let fields = leaver::payload::BAMBOOHR_FIELDS.join(",");
    let employee = get(&format!("/api/v1/employees/7?fields={fields}")).await;
    // The file lists the common fields and says that any field name may be asked for; this one is in
    // BambooHR's list of field names.
    let others = ["employmentHistoryStatus"];
    contract.check_members(
        contract.answer("/api/v1/employees/7"),
        &employee,
        &others,
        "employee",
    );
}
