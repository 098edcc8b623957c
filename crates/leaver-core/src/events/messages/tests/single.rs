//! Events that get a message of their own.

use super::*;

#[test]
fn drift_is_reported_with_its_count() {
    let found = event(
        1,
        "drift.found",
        json!({ "terminated_with_access": 3, "new": 1, "fixed": 2 }),
    );
    insta::assert_snapshot!(shown(&plan(&[found], &rules())), @r#"
    3 terminated employees still have access

    A drift check found 3 terminated employees of acme with access.
    The check before did not find 1 of them.
    It deactivated 2 of them.

    Who and why:         leaver drift
    To end their access: leaver drift --fix
    "#);
}

#[test]
fn a_silent_source_is_named() {
    let mut silent = event(
        1,
        "source.silent",
        json!({ "since": "2026-11-26T03:00:00Z" }),
    );
    silent.source = Some("merge".to_owned());
    silent.tenant = None;
    insta::assert_snapshot!(shown(&plan(&[silent], &rules())), @r#"
    The source merge is silent

    No webhook came for longer than `max_silence`. People who left since may still have access:
    - source merge, since 2026-11-26T03:00:00Z

    The webhook at the provider: leaver webhooks
    To read what was missed:     leaver sync
    "#);
}

#[test]
fn unhealthy_sources_share_a_message() {
    let of = |n, source: &str, code: &str| Event {
        source: Some(source.to_owned()),
        tenant: None,
        ..event(
            n,
            "source.unhealthy",
            json!({ "code": code, "part": null, "reason": "it answers 503", "since": "2026-11-26T03:00:00Z" }),
        )
    };
    let events = [
        of(1, "merge", "sync_incomplete"),
        of(2, "bamboohr", "provider_webhook_problem"),
    ];
    insta::assert_snapshot!(shown(&plan(&events, &rules())), @r#"
    2 sources have a problem

    People who leave may be found late:
    - source merge, sync_incomplete, since 2026-11-26T03:00:00Z: it answers 503
    - source bamboohr, provider_webhook_problem, since 2026-11-26T03:00:00Z: it answers 503

    The cause:    leaver health
    Each setting: leaver check
    "#);
}

#[test]
fn a_paused_destination_is_named() {
    let mut paused = event(
        1,
        "destination.paused",
        json!({ "destination": "audit-bus", "reason": "status 410" }),
    );
    paused.tenant = None;
    insta::assert_snapshot!(shown(&plan(&[paused], &rules())), @r#"
    Events for audit-bus wait

    A destination takes no events. They wait, and none is lost. It is tried again every 5 minutes:
    - audit-bus: status 410

    What waits:    leaver events
    To try it now: leaver events resume audit-bus
    "#);
}

#[test]
fn a_test_is_marked_and_sent_at_once() {
    let rules = Rules {
        last_digest_at: Some(now()),
        ..rules()
    };
    let test = of_person(1, "account.deactivated", json!({ "test": true }));
    insta::assert_snapshot!(shown(&plan(&[test], &rules)), @r#"
    [test] Messages of Leaver arrive

    This is a test. Nothing happened, and nothing is to be done.
    - account.deactivated: employee 40001 of acme (bamboohr)
    "#);
}
