//! `leaver sync`: what was read, changed and decided, and exit 1 when a read was not complete.

use serde_json::json;

use crate::support::apis::{Answer, MERGE_EMPLOYEES, StandIn, merge_company, merge_employee};
use crate::support::process::{Place, Said, leaver};
use crate::support::{MERGE_KEY, USERS};

async fn sync(place: &Place, api: &StandIn, more: &[&str]) -> Said {
    let text = format!(
        r#"
        [[sources]]
        name = "merge"
        provider = "merge"
        webhook_secrets = ["env:SECRET"]
        linked_accounts = [{{ id = "la-1", tenant = "widgets", token = "env:TOKEN" }}]
        [sources.api]
        base_url = "{}"
        api_key = "env:API_KEY"
        "#,
        api.url
    );
    let file = place.file("sync.toml", &text).to_str().unwrap().to_owned();
    let more: Vec<String> = more.iter().map(ToString::to_string).collect();
    let mut env: Vec<(String, String)> = place
        .env(&[
            ("SECRET", MERGE_KEY),
            ("API_KEY", "key-sentinel"),
            ("TOKEN", "token-sentinel"),
        ])
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    env.retain(|(name, _)| !name.ends_with("WEBHOOK_SECRET"));
    tokio::task::spawn_blocking(move || {
        let mut args = vec!["sync", "--config", &file];
        args.extend(more.iter().map(String::as_str));
        let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        leaver(&args, &env)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_says_what_came_of_it_and_fails_when_it_is_incomplete() {
    let mut place = Place::new(USERS).await;
    place
        .sql("INSERT INTO users (email) VALUES ('dana.1@widgets.example'), ('dana.2@widgets.example')")
        .await;
    let env = place.env(&[]);
    assert_eq!(leaver(&["migrate"], &env).code, Some(0));
    let mut left = merge_employee(1);
    left["employment_status"] = "INACTIVE".into();
    left["termination_date"] = "2026-11-20T00:00:00Z".into();
    let api = StandIn::start(merge_company(vec![left, merge_employee(2)])).await;

    let said = sync(&place, &api, &["--json"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let line = &said.json()[0];
    assert_eq!(
        (&line["state"], &line["records"]),
        (&json!("complete"), &json!(2))
    );
    assert_eq!(line["outcome"], json!({"deactivated": 1, "kept": 1}));

    api.script(MERGE_EMPLOYEES, [Answer::status(403)]);
    let said = sync(&place, &api, &["--full"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.out.contains("incomplete") && said.out.contains("403"),
        "{said:?}"
    );
    let shown = format!("{said:?}");
    assert!(
        !shown.contains("key-sentinel") && !shown.contains("token-sentinel"),
        "{shown}"
    );
}
