//! Objects that others plant in the schemas of the search path, under the names that our statements use.

mod rights;

use chrono::TimeDelta;
use leaver::base::clock::{Clock as _, SystemClock};
use leaver::db::connection;
use leaver::jobs::drift::compare;
use leaver_core::decision::policy::DriftMode;
use sqlx::ConnectOptions;

use crate::safeguard::{email, limits};
use crate::support::apis::{StandIn, bamboohr_company};
use crate::support::apis_setup::{source_with_api, terminated_bamboohr_employee};
use crate::support::driving::{leaving, terminated, working};
use crate::support::{BAMBOOHR_KEY, TestApp};

const PLANTED: &str = include_str!("planted.sql");

/// A users table whose types match none of `pg_catalog`'s operators exactly.
const TABLES: &str = "
    CREATE SCHEMA app;
    CREATE DOMAIN app.flag AS boolean;
    CREATE DOMAIN app.number AS integer;
    CREATE TYPE app.status AS ENUM ('on', 'trial', 'off');
    CREATE SEQUENCE app.ids;
    CREATE TABLE app.users (id app.number DEFAULT nextval('app.ids') PRIMARY KEY, email varchar(200) NOT NULL,
                            hashed_password text, company varchar(40) DEFAULT 'default',
                            status app.status NOT NULL DEFAULT 'trial', is_active app.flag NOT NULL DEFAULT true);
    CREATE TABLE app.sessions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id integer NOT NULL);";
/// The same with `citext`, of an extension in a schema of the path.
const CITEXT: &str = "
    CREATE SCHEMA app;
    CREATE EXTENSION citext SCHEMA public;
    CREATE SEQUENCE app.ids;
    CREATE TABLE app.users (id public.citext DEFAULT nextval('app.ids')::text PRIMARY KEY, email public.citext NOT NULL,
                            hashed_password public.citext, company public.citext DEFAULT 'default',
                            status public.citext NOT NULL DEFAULT 'trial', is_active boolean NOT NULL DEFAULT true);
    CREATE TABLE app.sessions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id text NOT NULL);";
const SESSIONS: &str =
    r#"["DELETE FROM app.sessions WHERE user_id::pg_catalog.text OPERATOR(pg_catalog.=) ANY($1)"]"#;

/// Plants in `public`, in the schema of the role and in that of the application, as a role that may only create there.
async fn plant(app: &mut TestApp) {
    app.sql(PLANTED).await;
    let planter = format!("planter_{}", uuid::Uuid::new_v4().simple());
    app.sql(&format!(
        "CREATE ROLE {planter} NOSUPERUSER; CREATE SCHEMA postgres;
         GRANT USAGE ON SCHEMA app, planted TO {planter}; GRANT USAGE, CREATE ON SCHEMA public, postgres TO {planter};"
    ))
    .await;
    for schema in ["public", "postgres"] {
        app.sql(&format!(
            "SET ROLE {planter}; SELECT planted.plant('{schema}'); RESET ROLE"
        ))
        .await;
    }
    app.sql(&format!(
        "GRANT CREATE, USAGE ON SCHEMA public, postgres TO PUBLIC; REASSIGN OWNED BY {planter} TO CURRENT_USER;
         DROP OWNED BY {planter}; DROP ROLE {planter}"
    ))
    .await;
}

async fn calls(app: &mut TestApp) -> i64 {
    let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM planted.calls";
    app.count(sql).await
}

/// Returns an app whose database has planted objects, with three people at the provider and ten known by webhook.
async fn app_with_planted_objects(tables: &str, accounts: &str) -> (TestApp, StandIn) {
    let people: Vec<_> = (1..=3).map(terminated_bamboohr_employee).collect();
    let api = StandIn::start(bamboohr_company(people)).await;
    let config = source_with_api("bamboohr", "bamboohr", &api) + accounts;
    let secrets = [("SECRET", BAMBOOHR_KEY), ("API_KEY", "key")];
    let limits = limits((4, 1), (20, 1));
    let mut variables: Vec<(&str, &str)> = limits.iter().map(|(n, v)| (*n, v.as_str())).collect();
    variables.extend(secrets);
    let mut app = TestApp::builder()
        .config_file(&config, &variables)
        .tables(tables)
        .unmigrated()
        .build()
        .await;
    app.sql(
        "INSERT INTO app.users (email) SELECT format('person%s@example.com', n) FROM generate_series(0, 9) n;
         INSERT INTO app.users (email) SELECT format('dana.%s@widgets.example', n) FROM generate_series(1, 3) n;
         INSERT INTO app.sessions (user_id) SELECT id FROM app.users",
    )
    .await;
    plant(&mut app).await;
    // A setting of the database, even with `pg_catalog` last, has no effect.
    let set = format!(
        "ALTER DATABASE {} SET search_path = postgres, public, pg_catalog",
        app.database_name()
    );
    app.sql(&set).await;
    app.clock.set(SystemClock.now());
    app.session.conn = connection::open(&app.options).await.unwrap();
    (app, api)
}

fn accounts(further: &str) -> String {
    format!(
        "[accounts]\ntable = \"app.users\"\nsearch_path = \"public, postgres\"\nend_sessions = {SESSIONS}\n{further}"
    )
}

async fn active(app: &mut TestApp) -> i64 {
    app.count("SELECT pg_catalog.count(*) FROM app.users WHERE is_active")
        .await
}

/// Does all of the main job: webhook, timer, drift fix, approval, undo, safeguard, sync and the reports.
async fn run_main_job(app: &mut TestApp) {
    app.run(&["migrate"]).succeeded();
    let checked = app.run(&["check", "--offline"]);
    assert!(!checked.out.contains("ERROR"), "{checked:?}");

    let then = (app.clock.now() - TimeDelta::minutes(1)).to_rfc3339();
    let known: Vec<_> = (0..10)
        .map(|n| working(&format!("10{n}"), &email(n), &then))
        .collect();
    app.bamboohr(&known).await;
    let now = app.clock.now().to_rfc3339();
    app.bamboohr(&[terminated("100", &email(0), &now)]).await;
    assert_eq!(active(app).await, 12);

    let tomorrow = (app.clock.now() + TimeDelta::days(1))
        .format("%Y-%m-%d")
        .to_string();
    app.bamboohr(&[leaving("101", &email(1), &now, &tomorrow)])
        .await;
    app.clock.set(app.clock.now() + TimeDelta::days(3));
    app.run_due().await;
    assert_eq!(active(app).await, 11);
    app.clock.set(SystemClock.now());

    app.sql("UPDATE app.users SET is_active = true WHERE id::pg_catalog.text OPERATOR(pg_catalog.=) '1'")
        .await;
    let fixed = compare(&app.parts.engine, DriftMode::Fix).await.unwrap();
    assert_eq!(fixed.fixed.len(), 1, "{fixed:?}");

    let later = app.clock.now().to_rfc3339();
    app.bamboohr(&[terminated("109", &email(9), &later)]).await;
    let hold = app.open_hold().await.to_string();
    app.run(&["holds", "approve", &hold, "--as", "Kim"])
        .succeeded();
    assert_eq!(active(app).await, 10);

    let five: Vec<_> = (2..7)
        .map(|n| terminated(&format!("10{n}"), &email(n), &later))
        .collect();
    app.bamboohr(&five).await;
    let release = ["safeguard", "release", "1", "--as", "Kim", "--json"];
    let listed = app.run(&release).succeeded().json();
    let digest = listed["digest"].as_str().unwrap();
    app.run(&[&release[..], &["--confirm", digest]].concat())
        .succeeded();
    assert_eq!(active(app).await, 5);

    let batch = app
        .text("SELECT batch_id::text FROM leaver.changes ORDER BY id DESC LIMIT 1")
        .await
        .unwrap();
    let undo = ["undo", "--batch", &batch, "--as", "Kim", "--json"];
    let listed = app.run(&undo).succeeded().json();
    let digest = listed["digest"].as_str().unwrap();
    app.run(&[&undo[..], &["--confirm", digest]].concat())
        .succeeded();
    assert_eq!(active(app).await, 10);

    // The stand-in does not have the ten of the webhooks, so the sync is incomplete.
    app.run(&["sync", "--full"]).findings(&["3 deactivated"]);
    assert_eq!(active(app).await, 7);
    for report in [
        &["explain", "102"][..],
        &["deliveries"],
        &["employees"],
        &["holds", "list"],
        &["safeguard"],
        &["plan"],
        &["drift"],
    ] {
        let output = app.run(report);
        assert!(
            output.code < Some(2) && !output.err.contains("planted"),
            "{report:?}: {output:?}"
        );
    }
    let service = app.serve(&[]);
    let output = service.stop();
    assert!(!output.err.contains("planted"), "{output:?}");
}

const MAPPING: &str = "where = \"users.email IS NOT NULL\"\nprotected = [\"10\"]\nprotected_where = \"users.hashed_password IS NOT NULL\"\nalso_set = { hashed_password = \"users.hashed_password\" }";
const STATUS: &str = "active_column = \"\"\nstatus_column = \"status\"\nactive_values = [\"on\", \"trial\"]\ninactive_value = \"off\"\ntenant_column = \"company\"\nwhere = \"true\"\n[policy]\nrehire = \"reactivate\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_uses_no_planted_object() {
    let (mut app, _api) = app_with_planted_objects(TABLES, &accounts(MAPPING)).await;
    run_main_job(&mut app).await;
    assert_eq!(calls(&mut app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_on_citext_uses_no_planted_object() {
    let mapping = accounts(&format!("tenant_column = \"company\"\n{MAPPING}"));
    let (mut app, _api) = app_with_planted_objects(CITEXT, &mapping).await;
    run_main_job(&mut app).await;
    assert_eq!(calls(&mut app).await, 0);
}

#[tokio::test]
async fn types_without_exact_operators_use_no_planted_object() {
    for tables in [TABLES, CITEXT] {
        change_status(tables).await;
    }
}

/// Switches an account both ways by a status.
async fn change_status(tables: &str) {
    let (mut app, _api) = app_with_planted_objects(tables, &accounts(STATUS)).await;
    app.run(&["migrate"]).succeeded();
    let checked = app.run(&["check", "--offline"]);
    assert!(!checked.out.contains("ERROR"), "{checked:?}");
    let status = "SELECT status::pg_catalog.text FROM app.users WHERE id::pg_catalog.text OPERATOR(pg_catalog.=) '1'";
    for (works, expected) in [(true, "trial"), (false, "off"), (true, "trial")] {
        app.advance(TimeDelta::minutes(1));
        let now = app.clock.now().to_rfc3339();
        let entry = if works {
            working("100", &email(0), &now)
        } else {
            terminated("100", &email(0), &now)
        };
        app.bamboohr(&[entry]).await;
        assert_eq!(app.text(status).await.as_deref(), Some(expected));
    }
    assert_eq!(calls(&mut app).await, 0);
}

#[tokio::test]
async fn planted_objects_are_found_by_other_sessions() {
    let (mut app, _api) = app_with_planted_objects(CITEXT, &accounts("")).await;
    let mut other = app.options.connect().await.unwrap();
    for (n, statement) in (1..).zip([
        "SELECT unnest('{a}'::pg_catalog.text[])",
        "SELECT lower('a'::public.citext)",
        "SELECT 'a'::public.citext = 'a'::pg_catalog.name",
        "SELECT 'a'::public.citext::public.planted_type",
        "SELECT 'a'::pg_catalog.text = 'x'::public.planted_type",
    ]) {
        let ran = sqlx::raw_sql(statement).execute(&mut other).await;
        ran.unwrap_err();
        assert_eq!(calls(&mut app).await, n, "{statement}");
    }
}
