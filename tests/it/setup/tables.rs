//! The mapping that `leaver init` proposes for users tables of common frameworks.

use super::Fresh;

/// Runs init on these tables and returns the settings that it wrote, as `key=value`.
async fn proposed(tables: &str, args: &[&str]) -> Vec<String> {
    let fresh = Fresh::with(tables).await;
    fresh.init(args).succeeded();
    let shown = fresh
        .run(&[
            "config",
            "show",
            "--config",
            "leaver.toml",
            "--changed",
            "--json",
        ])
        .succeeded()
        .json();
    let settings = shown.as_array().unwrap().iter();
    let settings = settings.filter_map(|setting| {
        let key = setting["key"].as_str().unwrap().strip_prefix("accounts.")?;
        Some(format!("{key}={}", setting["value"]))
    });
    let check = fresh
        .run(&["check", "--config", "leaver.toml", "--json"])
        .json();
    let failed = check
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["status"] == "error");
    assert_eq!(failed, None);
    settings.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn django_gets_its_flag_and_no_session_without_a_key() {
    let tables = r"CREATE TABLE auth_user (id int PRIMARY KEY, username text, email varchar(254), is_superuser bool NOT NULL DEFAULT false,
        is_active bool NOT NULL DEFAULT true);
        INSERT INTO auth_user VALUES (1, 'ana', 'ana@example.com');
        CREATE TABLE django_session (session_key text PRIMARY KEY, session_data text, expire_date timestamptz);
        CREATE TABLE newsletter (id int PRIMARY KEY, email text, active bool);";
    assert_eq!(
        proposed(tables, &[]).await,
        [
            r#"table="public.auth_user""#,
            r#"id_column="id""#,
            r#"email_column="email""#,
            r#"active_column="is_active""#,
            "end_sessions=[]",
            "protected=[]"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_mixed_case_are_quoted_in_statements() {
    let tables = r#"CREATE TABLE "User" ("id" text PRIMARY KEY, "emailAddress" text NOT NULL, "disabledAt" timestamp(3));
        INSERT INTO "User" VALUES ('u1', 'ana@example.com', NULL);
        CREATE TABLE "Session" ("id" text PRIMARY KEY, "userId" text REFERENCES "User");"#;
    assert_eq!(
        proposed(tables, &[]).await,
        [
            r#"table="public.User""#,
            r#"id_column="id""#,
            r#"email_column="emailAddress""#,
            r#"deactivated_at_column="disabledAt""#,
            r#"end_sessions=["DELETE FROM public.\"Session\" WHERE \"userId\"::text = ANY($1)"]"#,
            "protected=[]"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_mapped_with_the_values_that_it_has() {
    let tables = "CREATE SCHEMA app; CREATE TABLE app.members (member_id uuid PRIMARY KEY, work_email text, status text);
        INSERT INTO app.members VALUES (gen_random_uuid(), 'a@example.com', 'active'),
            (gen_random_uuid(), 'b@example.com', 'invited'), (gen_random_uuid(), 'c@example.com', 'suspended');
        CREATE TABLE users (id int PRIMARY KEY, email text, is_active bool);";
    assert_eq!(
        proposed(tables, &["--table", "app.members"]).await,
        [
            r#"table="app.members""#,
            r#"id_column="member_id""#,
            r#"email_column="work_email""#,
            r#"status_column="status""#,
            r#"active_values=["active","invited"]"#,
            r#"inactive_value="suspended""#,
            "end_sessions=[]",
            "protected=[]"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_is_made_in_a_database_without_users_only() {
    let fresh = Fresh::with("").await;
    let made = fresh.init(&["--example"]).succeeded();
    assert!(made.err.contains("9 example users"), "{made:?}");
    let mut session = fresh.session().await;
    assert_eq!(session.count("SELECT count(*) FROM users").await, 9);
    fresh.init(&["--example", "--force"]).succeeded();
    assert_eq!(session.count("SELECT count(*) FROM users").await, 9);
}
