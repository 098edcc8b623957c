//! Two companies in each configuration of the documentation: what one of them reports changes no account of the other without
//! a person, by any way.

use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;

use super::Company::{Acme, Globex};
use super::{
    BAMBOOHR_TWICE, EMAIL, EMPLOYED, KEYS, LEFT, Report, TWO_COMPANIES, report_of, says,
    two_companies,
};
use crate::support::apis::{StandIn, bamboohr_company};
use crate::support::apis_setup::source_with_api;
use crate::support::driving::event;
use crate::support::{BAMBOOHR_KEY, FORM, TestApp};

/// The two ways in which the users table can be configured, with the policy that gives access back by itself.
const ACCOUNTS: [&str; 2] = [
    "[policy]\nrehire = \"reactivate\"\n[accounts]\nsingle_company = true",
    "[policy]\nrehire = \"reactivate\"\n[accounts]\ntenant_column = \"company\"",
];

/// Runs a test of an attack in each configuration, with the name of the configuration for messages.
async fn each_configuration(attack: impl AsyncFn(TestApp, &'static str, String)) {
    for accounts in ACCOUNTS {
        for (name, sources) in TWO_COMPANIES {
            let app = two_companies(accounts, sources).await;
            let is_column = accounts.contains("tenant_column");
            let name = format!("{name}, {}", if is_column { "column" } else { "declared" });
            attack(app, sources, name).await;
        }
    }
}

/// Expects that Ana has access, and that a person is asked unless the companies are apart.
async fn assert_unharmed(app: &mut TestApp, name: &str) {
    assert!(app.is_active(EMAIL).await, "{name}");
    let ended = "SELECT count(*) FROM leaver.audit WHERE action = 'deactivated'";
    assert_eq!(app.count(ended).await, 0, "{name}");
}

/// Returns the number of open holds.
async fn open_holds(app: &mut TestApp) -> i64 {
    app.count("SELECT count(*) FROM leaver.holds WHERE state = 'open'")
        .await
}

#[tokio::test]
async fn one_company_does_not_end_the_access_of_another() {
    each_configuration(async |mut app, sources, name| {
        says(&mut app, Acme, sources, Report::Employed, EMPLOYED).await;
        says(&mut app, Globex, sources, Report::Left, LEFT).await;
        assert_unharmed(&mut app, &name).await;
        // Never unseen: where the accounts are shared, a person is asked.
        let expected = i64::from(name.contains("declared"));
        assert_eq!(open_holds(&mut app).await, expected, "{name}");
        // The later ways meet the same decision.
        compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
        app.run_due().await;
        app.sql("UPDATE leaver.deliveries SET state = 'pending' WHERE body IS NOT NULL")
            .await;
        app.work().await;
        assert_unharmed(&mut app, &name).await;
    })
    .await;
}

#[tokio::test]
async fn the_order_of_the_reports_does_not_matter() {
    each_configuration(async |mut app, sources, name| {
        // In one batch, the foreign end first.
        for (company, report, at) in [(Globex, Report::Left, LEFT), (Acme, Report::Employed, LEFT)]
        {
            let (source, body) = report_of(company, sources, report, at);
            app.store(source, &body).await;
        }
        app.work().await;
        assert_unharmed(&mut app, &name).await;
    })
    .await;
}

#[tokio::test]
async fn a_scheduled_end_of_another_company_ends_nothing() {
    each_configuration(async |mut app, sources, name| {
        says(&mut app, Acme, sources, Report::Employed, EMPLOYED).await;
        says(
            &mut app,
            Globex,
            sources,
            Report::Leaving("2026-11-24"),
            LEFT,
        )
        .await;
        app.set_clock("2026-11-26T00:00:00Z");
        app.run_due().await;
        assert_unharmed(&mut app, &name).await;
        let expected = i64::from(name.contains("declared"));
        assert_eq!(open_holds(&mut app).await, expected, "{name}");
    })
    .await;
}

#[tokio::test]
async fn another_company_does_not_keep_access_unseen() {
    each_configuration(async |mut app, sources, name| {
        says(&mut app, Acme, sources, Report::Employed, EMPLOYED).await;
        says(
            &mut app,
            Globex,
            sources,
            Report::Rehired("2023-01-09"),
            EMPLOYED,
        )
        .await;
        says(&mut app, Acme, sources, Report::Left, LEFT).await;
        let is_asked = open_holds(&mut app).await > 0;
        let is_active = app.is_active(EMAIL).await;
        assert_eq!(is_active, name.contains("declared"), "{name}");
        assert_eq!(is_asked, is_active, "{name}: kept, and nobody is asked");
    })
    .await;
}

#[tokio::test]
async fn another_company_gives_no_access_back() {
    each_configuration(async |mut app, sources, name| {
        says(&mut app, Acme, sources, Report::Employed, EMPLOYED).await;
        says(&mut app, Acme, sources, Report::Left, LEFT).await;
        assert!(!app.is_active(EMAIL).await, "{name}");
        for (report, at) in [
            (Report::Employed, "2026-11-22T11:10:00Z"),
            (Report::Rehired("2026-11-21"), "2026-11-22T11:20:00Z"),
            (Report::Left, "2026-11-22T11:30:00Z"),
            (Report::Rehired("2026-11-22"), "2026-11-22T11:40:00Z"),
        ] {
            says(&mut app, Globex, sources, report, at).await;
            compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
            assert!(!app.is_active(EMAIL).await, "{name}: {report:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_company_still_ends_and_returns_its_own() {
    each_configuration(async |mut app, sources, name| {
        says(&mut app, Acme, sources, Report::Employed, EMPLOYED).await;
        says(&mut app, Acme, sources, Report::Left, LEFT).await;
        assert!(!app.is_active(EMAIL).await, "{name}");
        let again = Report::Rehired("2026-11-22");
        says(&mut app, Acme, sources, again, "2026-11-22T11:30:00Z").await;
        assert!(app.is_active(EMAIL).await, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_form_and_an_event_without_values_end_nothing() {
    for accounts in ACCOUNTS {
        let mut app = two_companies(accounts, BAMBOOHR_TWICE).await;
        says(&mut app, Acme, BAMBOOHR_TWICE, Report::Employed, EMPLOYED).await;
        let form = format!(
            "employees[9][changedFields][]=status&employees[9][status]=Inactive\
             &employees[9][Employment+Status]=Terminated&employees[9][Work+Email]={}",
            EMAIL.replace('@', "%40")
        );
        app.send("globex", FORM, form).await;
        app.work().await;
        for kind in ["employee.updated", "employee.deleted"] {
            app.deliver("globex", &event(kind, "9", LEFT)).await;
        }
        assert_unharmed(&mut app, accounts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_of_another_company_ends_nothing() {
    let record = serde_json::json!({"id": "9", "status": "Inactive", "employmentHistoryStatus": "Terminated",
        "workEmail": EMAIL, "hireDate": "2020-01-06", "terminationDate": "2026-11-20"});
    let api = StandIn::start(bamboohr_company(vec![record])).await;
    let globex = source_with_api("globex", "bamboohr", &api).replace(
        "name = \"globex\"",
        "name = \"globex\"\ntenant = \"globex\"",
    );
    let acme = BAMBOOHR_TWICE
        .split_once("[[sources]]\nname = \"globex\"")
        .unwrap()
        .0;
    for accounts in ACCOUNTS {
        let keys = [
            ("SECRET", KEYS[1].1),
            ("API_KEY", "k"),
            ("KEY_A", BAMBOOHR_KEY),
        ];
        let mut app = TestApp::builder()
            .config_file(&format!("{accounts}\n{acme}\n{globex}"), &keys)
            .tables(
                "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL,
                                     company text DEFAULT 'acme', is_active boolean NOT NULL DEFAULT true);
                 CREATE TABLE sessions (user_id bigint NOT NULL);",
            )
            .build()
            .await;
        app.add_users(&[EMAIL]).await;
        says(&mut app, Acme, BAMBOOHR_TWICE, Report::Employed, EMPLOYED).await;
        app.run(&["sync", "--json"]).succeeded();
        let known = "SELECT count(*) FROM leaver.employees WHERE tenant = 'globex'";
        assert_eq!(app.count(known).await, 1, "{accounts}");
        assert_unharmed(&mut app, accounts).await;
        app.run(&["drift", "--fix"]);
        assert_unharmed(&mut app, accounts).await;
    }
}
