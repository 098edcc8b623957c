//! Variables that set nothing.

use super::*;

#[test]
fn a_variable_that_sets_nothing_names_the_nearest() {
    for (variable, nearest) in [
        ("LEAVER_LISTN", "LEAVER_LISTEN"),
        ("LEAVER_PORT", "LEAVER_LOG"),
        ("LEAVER_ADMIN_TOKN", "LEAVER_ADMIN_TOKEN"),
        ("LEAVER_SERVER__LISTEN", "LEAVER__SERVER__LISTEN"),
        ("LEAVER__SERVR__LISTEN", "LEAVER__SERVER__LISTEN"),
        ("LEAVER__SERVER__LISTN", "LEAVER__SERVER__LISTEN"),
        (
            "LEAVER__POLICY__DELETD__MERGE",
            "LEAVER__POLICY__DELETED__MERGE",
        ),
        ("LEAVER__DRFT__MODE", "LEAVER__DRIFT__MODE"),
    ] {
        let refused = load_with_key("", &[(variable, "8080")]);
        let hint = format!("did you mean {nearest}?");
        assert_refused(refused, &["environment", variable, "sets nothing", &hint]);
    }
}

#[test]
fn a_variable_unlike_all_others_has_no_suggestion() {
    let refused = load_with_key("", &[("LEAVER_COMPLETELY_DIFFERENT_THING", "1")]);
    assert_refused(
        refused,
        &["LEAVER_COMPLETELY_DIFFERENT_THING", "config/default.toml"],
    );
}

#[test]
fn a_referenced_variable_may_have_any_name() {
    let source = "[[sources]]\nname = \"b\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:LEAVER_BAMBOO\"]\n";
    load(source, &[("LEAVER_BAMBOO", KEY)]).unwrap();
    let folder = Folder::new();
    let file = folder.put("key", KEY).display().to_string();
    load(source, &[("LEAVER_BAMBOO_FILE", &file)]).unwrap();
    let refused = load(source, &[("LEAVER_BAMBOO", KEY), ("LEAVER_BAMBO", KEY)]);
    assert_refused(refused, &["LEAVER_BAMBO", "sets nothing"]);
}

#[test]
fn variables_of_a_service_named_leaver_are_accepted() {
    load_with_key(
        "",
        &[
            ("LEAVER_SERVICE_HOST", "10.0.0.1"),
            ("LEAVER_SERVICE_PORT", "8080"),
            ("LEAVER_SERVICE_PORT_HTTP", "8080"),
            ("LEAVER_PORT", "tcp://10.0.0.1:8080"),
            ("LEAVER_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("LEAVER_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("LEAVER_ADMIN_SERVICE_HOST", "10.0.0.2"),
        ],
    )
    .unwrap();
}

#[test]
fn the_public_address_is_checked_and_joined() {
    let load = |key: &str, value: &str| load_with_key("", &[(key, value)]);
    let settings = load_with_key(
        "",
        &[
            ("LEAVER_PUBLIC_URL", "https://leaver.example.com/"),
            ("LEAVER__SERVER__PATH_PREFIX", "/hr/"),
        ],
    )
    .unwrap();
    let name = &settings.sources[0].name;
    assert_eq!(
        settings.server.webhook_url(name).as_deref(),
        Some("https://leaver.example.com/hr/webhooks/bamboohr")
    );
    for url in [
        "leaver.example.com",
        "https://",
        "https://a/?x",
        "ftp://a",
        "https://u@a",
    ] {
        assert_refused(
            load("LEAVER_PUBLIC_URL", url),
            &["server.public_url", "https://"],
        );
    }
    for prefix in ["hr", "/a b", "/{x}", "//a", "/*"] {
        let refused = load("LEAVER__SERVER__PATH_PREFIX", prefix);
        assert_refused(refused, &["server.path_prefix", "/leaver"]);
    }
    assert_eq!(
        load("LEAVER__SERVER__PATH_PREFIX", "/")
            .unwrap()
            .server
            .path_prefix,
        ""
    );
}
