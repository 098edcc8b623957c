//! BambooHR's webhooks: created, listed, read and deleted; never created twice, and no key shown.

use std::sync::Arc;
use std::time::Duration;

use leaver::connect::{
    BambooHrAddress, BambooHrApi, ClientLimits, MONITORED_FIELDS, ReadError, WebhookError,
    WebhookKind, WebhookRequest,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{BAMBOOHR_API_KEY, bamboohr, bamboohr_over, limits, transport};
use crate::support::apis::{Answer, ApiRequest, StandIn, bamboohr_with_hooks};
use crate::support::hooks::{Hooks, PRIVATE_KEY, denied, log_entry};
use crate::support::logs::Captured;

const WEBHOOKS: &str = "/api/v1/webhooks";

pub(super) fn wanted(kind: WebhookKind) -> WebhookRequest {
    WebhookRequest {
        name: "Leaver".to_owned(),
        url: "https://leaver.example/webhooks/bamboohr".to_owned(),
        kind,
        fields: MONITORED_FIELDS.to_vec(),
    }
}

async fn company(hooks: &Arc<Hooks>) -> StandIn {
    StandIn::start(bamboohr_with_hooks(vec![], hooks)).await
}

fn short_timeout() -> ClientLimits {
    ClientLimits {
        attempt_timeout: Duration::from_millis(100),
        ..limits()
    }
}

#[tokio::test]
async fn creating_an_event_webhook_returns_its_key() {
    let api = company(&Arc::default()).await;
    let made = bamboohr(&api)
        .create_webhook(&wanted(WebhookKind::Event))
        .await
        .unwrap();
    assert_eq!(
        (made.webhook.id.as_str(), made.private_key.expose_secret()),
        ("1", PRIVATE_KEY)
    );
    let asked = &api.requests()[0];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", WEBHOOKS)
    );
    assert_eq!(
        asked.json(),
        json!({"name": "Leaver", "url": "https://leaver.example/webhooks/bamboohr", "format": "json",
               "events": ["employee.created", "employee.updated", "employee.deleted"],
               "monitorFields": ["status", "employmentHistoryStatus", "workEmail", "hireDate"],
               "includeCompanyDomain": true})
    );
}

#[tokio::test]
async fn a_field_webhook_posts_but_never_monitors_the_end_date() {
    let api = company(&Arc::default()).await;
    let client = bamboohr(&api);
    client
        .create_webhook(&wanted(WebhookKind::Field))
        .await
        .unwrap();
    let fewer = WebhookRequest {
        fields: vec!["status"],
        ..wanted(WebhookKind::Field)
    };
    client.create_webhook(&fewer).await.unwrap();
    let bodies: Vec<Value> = api.requests().iter().map(ApiRequest::json).collect();
    assert_eq!(
        bodies[0]["postFields"],
        json!({"status": "status", "employmentHistoryStatus": "employmentHistoryStatus",
               "terminationDate": "terminationDate", "hireDate": "hireDate", "workEmail": "workEmail"})
    );
    assert_eq!(
        bodies[0]["events"],
        json!([
            "employee_with_fields.created",
            "employee_with_fields.updated",
            "employee_with_fields.deleted"
        ])
    );
    // A field that may not be monitored is not posted; `terminationDate` is the exception.
    assert_eq!(
        bodies[1]["postFields"],
        json!({"status": "status", "terminationDate": "terminationDate"})
    );
    for body in &bodies {
        assert!(
            !body["monitorFields"]
                .to_string()
                .contains("terminationDate"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_creation_that_may_have_succeeded_is_not_retried() {
    let made = json!({"id": "1", "privateKey": PRIVATE_KEY}).to_string();
    let created = |body: &str| Answer::text(201, "application/json", body);
    let slow = created(&made).after(Duration::from_millis(400));
    for lost in [
        slow,
        created(&made[..10]).broken_off(),
        created(&made[..10]),
        created(r#"{"id":"1"}"#),
        created("<html>proxy</html>"),
        Answer::status(503),
        Answer::status(500),
        Answer::status(408),
        Answer::json(&json!({"id": "1"})),
    ] {
        let shown = format!("{lost:?}");
        let api = StandIn::always(lost).await;
        let client = bamboohr_over(&api, transport(short_timeout()));
        let error = client
            .create_webhook(&wanted(WebhookKind::Event))
            .await
            .unwrap_err();
        assert!(
            matches!(error, WebhookError::MayExist { .. }),
            "{shown}: {error}"
        );
        assert!(
            error.to_string().contains("leaver webhooks list"),
            "{error}"
        );
        assert_eq!(api.requests().len(), 1, "{shown}");
    }
}

#[tokio::test]
async fn what_was_certainly_not_made_is_tried_again() {
    let api = company(&Arc::default()).await;
    let throttled = Answer::status(429).with("retry-after", "0");
    let hidden = Answer::json(&json!({"error": {"code": 429, "message": "try again"}}));
    api.script(WEBHOOKS, [throttled, hidden]);
    bamboohr(&api)
        .create_webhook(&wanted(WebhookKind::Event))
        .await
        .unwrap();
    assert_eq!(api.requests().len(), 3);

    // Nobody listens there: nothing was sent.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let address = BambooHrAddress::parse(&url).unwrap();
    let tenant = leaver_core::domain::Tenant::new("widgets");
    let client = BambooHrApi::new(
        address,
        tenant,
        chrono_tz::Tz::UTC,
        BAMBOOHR_API_KEY.into(),
        transport(limits()),
    );
    let error = client
        .create_webhook(&wanted(WebhookKind::Event))
        .await
        .unwrap_err();
    assert!(
        matches!(error, WebhookError::Read(ReadError::Unavailable { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_refusal_names_the_fields_and_nothing_else_of_the_answer() {
    let said = "answer-sentinel";
    let refuse = |status, body: &Value| Answer::text(status, "application/json", &body.to_string());
    let mut fields = denied(&["status"], &["workEmail"]);
    fields[0]["error"] = said.into();
    fields[0]["unknownFields"] = json!([{"id": null, "name": "shoeSize"}]);
    let list = json!({"errors": fields});
    let object = json!({"errors": {"error": said, "monitorFields": [{"id": 1, "name": "status"}]}});
    for (answer, words) in [
        (
            refuse(403, &list),
            &["status", "workEmail", "shoeSize", "api.api_key"][..],
        ),
        (refuse(400, &list), &["status", "workEmail", "shoeSize"]),
        (refuse(403, &object), &["status", "api.api_key"]),
        (
            refuse(400, &json!({"errors": [{"error": said, "issues": [said]}]})),
            &["400", "--url"],
        ),
        (
            refuse(403, &json!({"errors": {"error": said}})),
            &["403", "access level"],
        ),
        (
            Answer::text(403, "text/html", said),
            &["403", "access level"],
        ),
    ] {
        let api = StandIn::always(answer).await;
        let error = bamboohr(&api)
            .create_webhook(&wanted(WebhookKind::Event))
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(!format!("{text} {error:?}").contains(said), "{error:?}");
        assert_eq!(api.requests().len(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_webhook_is_listed_read_and_deleted() {
    let hooks = Arc::new(Hooks::default());
    let id = hooks.add("https://leaver.example/webhooks/bamboohr");
    hooks.configure(&id, "lastSent", "2026-11-22 11:58:03".into());
    let api = company(&hooks).await;
    let client = bamboohr(&api);
    let listed = client.webhooks().await.unwrap();
    assert_eq!(
        listed[0].last_sent,
        Some(crate::support::at("2026-11-22T11:58:03Z"))
    );
    assert_eq!(client.webhook(&id).await.unwrap().webhook, listed[0]);
    client.delete_webhook(&id).await.unwrap();
    assert_eq!(client.webhooks().await, Ok(vec![]));
    for error in [
        client.webhook(&id).await.unwrap_err(),
        client.webhook_log(&id).await.unwrap_err(),
        client.delete_webhook(&id).await.unwrap_err(),
    ] {
        assert_eq!(error, WebhookError::NoSuchWebhook(id.clone()));
    }
}

#[tokio::test]
async fn a_webhook_of_another_user_blocks_nothing_else() {
    let api = company(&Arc::default()).await;
    let not_yours =
        json!({"errors": {"error": "You do not have access to webhook ID: 6"}}).to_string();
    let answer = Answer::text(403, "application/json", &not_yours);
    api.script("/api/v1/webhooks/6", [answer]);
    let client = bamboohr(&api);
    assert_eq!(
        client.delete_webhook("6").await,
        Err(WebhookError::OtherOwner("6".to_owned()))
    );
    assert_eq!(client.webhooks().await, Ok(vec![]));
}

#[tokio::test]
async fn an_id_that_forms_another_path_is_not_sent() {
    let api = company(&Arc::default()).await;
    let client = bamboohr(&api);
    for strange in [
        "",
        "..",
        "monitor_fields",
        "7/log",
        "-1",
        "7?x",
        "123456789012345678901",
    ] {
        let error = client.delete_webhook(strange).await.unwrap_err();
        assert!(
            matches!(error, WebhookError::InvalidId(_)),
            "{strange}: {error}"
        );
    }
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn a_throttled_or_slow_log_search_is_retried() {
    let hooks = Arc::new(Hooks::default());
    let id = hooks.add("https://leaver.example/webhooks/bamboohr");
    hooks.log(&id, vec![log_entry("2026-11-22 11:58:03", "200", &["7"])]);
    let api = company(&hooks).await;
    let throttled = json!({"error": {"code": 429, "message": "Over rate limit, please try again in 60 seconds"}});
    let timed_out = Answer::text(503, "text/plain", "Log search timed out. Try again later.");
    api.script(
        "/api/v1/webhooks/1/log",
        [Answer::json(&throttled), timed_out],
    );
    assert_eq!(bamboohr(&api).webhook_log(&id).await.unwrap().len(), 1);
    assert_eq!(api.requests().len(), 3);

    api.script("/api/v1/webhooks/1/log", vec![Answer::json(&throttled); 4]);
    let error = bamboohr(&api).webhook_log(&id).await.unwrap_err();
    assert_eq!(error, WebhookError::Throttled);
}

#[tokio::test]
async fn errors_and_logs_hold_no_key() {
    let (captured, _guard) = Captured::start("trace");
    let api = company(&Arc::default()).await;
    let client = bamboohr_over(&api, transport(short_timeout()));
    let made = client
        .create_webhook(&wanted(WebhookKind::Event))
        .await
        .unwrap();
    let mut shown = vec![format!("{made:?}")];
    let body =
        json!({"id": PRIVATE_KEY, "privateKey": PRIVATE_KEY, "name": PRIVATE_KEY}).to_string();
    let created = |body: &str| Answer::text(201, "application/json", body);
    for answer in [
        created(&body),
        created(&body[..60]).broken_off(),
        created(&body).after(Duration::from_millis(400)),
        Answer::text(403, "application/json", &body),
        Answer::text(400, "application/json", &body),
        Answer::text(500, "application/json", &body),
    ] {
        api.script(WEBHOOKS, [answer]);
        let error = client
            .create_webhook(&wanted(WebhookKind::Event))
            .await
            .unwrap_err();
        shown.push(format!("{error} {error:?}"));
    }
    let log = captured.text();
    assert!(
        log.contains("connect.attempt: finished"),
        "nothing was logged"
    );
    shown.push(log);
    for text in shown {
        for secret in [
            PRIVATE_KEY,
            BAMBOOHR_API_KEY,
            "YmFtYm9vaHItYXBpLWtleS1zZW50aW5lbDp4",
            "privateKey",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
