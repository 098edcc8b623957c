//! References to secrets: how they are resolved, which errors they cause, and that no text contains a secret.

use super::*;

const SOURCE: &str = "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = ";
const REFERENCE_FORMS: [&str; 2] = ["env:NAME", "file:PATH"];

fn with_secrets(list: &str, pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load(&format!("{SOURCE}{list}"), pairs)
}

#[test]
fn a_reference_resolves_to_a_variable_or_a_file() {
    let folder = Folder::new();
    let path = folder.put("key", "hush-key-in-a-file\n");
    let list = format!("[\"env:HR_KEY\", \"file:{}\"]", path.display());
    let settings = with_secrets(&list, &[("HR_KEY", KEY)]).unwrap();
    assert!(accepts(&settings.sources[0], KEY));
    assert!(accepts(&settings.sources[0], "hush-key-in-a-file"));

    let twin = path.display().to_string();
    let settings = with_secrets("[\"env:HR_KEY\"]", &[("HR_KEY_FILE", &twin)]).unwrap();
    assert!(accepts(&settings.sources[0], "hush-key-in-a-file"));
}

#[test]
fn a_secret_in_the_file_is_rejected_and_not_shown() {
    let key = "sources[0] (hr).webhook_secrets[0]";
    assert_refused(
        with_secrets("[\"hush-key\"]", &[]),
        &[key, REFERENCE_FORMS[0], REFERENCE_FORMS[1]],
    );
    for list in [
        "\"hush-key\"",
        "[[\"hush-key\"]]",
        "{ key = \"hush-key\" }",
        "[{ key = \"hush-key\" }]",
    ] {
        let refused = with_secrets(list, &[]);
        assert_refused(
            refused,
            &[
                "leaver.toml",
                "sources[0].webhook_secrets",
                REFERENCE_FORMS[0],
            ],
        );
    }
    let with_api =
        |api: &str| with_secrets(&format!("[\"env:HR_KEY\"]\n{api}"), &[("HR_KEY", KEY)]);
    for api_key in ["\"hush-key\"", "[\"hush-key\"]"] {
        assert_refused(
            with_api(&format!("api = {{ api_key = {api_key} }}")),
            &["sources[0]", "api.api_key", REFERENCE_FORMS[0]],
        );
    }
    for url in [
        "\"postgres://app:hush@db/app\"",
        "[\"postgres://app:hush@db/app\"]",
    ] {
        let loaded = load_with_key(&format!("[database]\nurl = {url}"), &[]);
        let text = match loaded {
            // A missing database URL is reported only by commands that connect.
            Ok(settings) => settings.database.missing.unwrap(),
            Err(error) => text_of(error),
        };
        assert!(text.contains("database.url"), "{text}");
        assert!(
            text.contains(REFERENCE_FORMS[0]) && !text.contains(MARK),
            "{text}"
        );
    }
    let merge = "[[sources]]\nname = \"merge\"\nprovider = \"merge\"\nwebhook_secrets = [\"env:HR_KEY\"]\n\
                 linked_accounts = [{ id = \"5b0f\", tenant = \"acme\", token = \"hush-token\" }]";
    assert_refused(
        load(merge, &[("HR_KEY", KEY)]),
        &[
            "sources[0] (merge).linked_accounts[0].token",
            REFERENCE_FORMS[0],
            REFERENCE_FORMS[1],
        ],
    );
}

#[test]
fn a_number_in_place_of_a_reference_is_not_shown() {
    let text = text_of(with_secrets("[8675309]", &[]).unwrap_err());
    assert!(
        text.contains("webhook_secrets") && !text.contains("8675309"),
        "{text}"
    );
}

#[test]
fn a_reference_to_an_unset_variable_is_an_error() {
    assert_refused(
        with_secrets("[\"env:HR_KEY\"]", &[]),
        &[
            "sources[0] (hr).webhook_secrets[0]",
            "HR_KEY is not set",
            "HR_KEY_FILE",
            "set it",
        ],
    );
    assert_refused(
        with_secrets("[\"env:HR_KEY\", \"env:HR_KEY_2\"]", &[("HR_KEY", KEY)]),
        &["webhook_secrets[1]", "HR_KEY_2 is not set"],
    );
}

#[test]
fn an_empty_variable_is_an_error() {
    for variable in [
        "BAMBOOHR_WEBHOOK_SECRET",
        "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
        "MERGE_WEBHOOK_SECRET",
        "MERGE_WEBHOOK_SECRET_PREVIOUS",
    ] {
        let mut pairs = vec![
            ("BAMBOOHR_WEBHOOK_SECRET", KEY),
            ("MERGE_WEBHOOK_SECRET", OLD_KEY),
        ];
        pairs.retain(|(name, _)| *name != variable);
        pairs.push((variable, ""));
        assert_refused(
            Settings::load(None, &env(&pairs)),
            &[variable, "empty", "unset it"],
        );
    }
    let empty = Settings::read(None, &env(&[("DATABASE_URL", "")]), &SecretScope::all()).unwrap();
    let missing = empty.database.missing.unwrap();
    assert!(
        missing.contains("DATABASE_URL is set but empty"),
        "{missing}"
    );
    assert_refused(
        with_secrets("[\"env:HR_KEY\"]", &[("HR_KEY", "")]),
        &["webhook_secrets[0]", "HR_KEY", "empty"],
    );
}

#[test]
fn a_previous_secret_without_a_current_one_is_an_error() {
    for previous in [
        "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
        "MERGE_WEBHOOK_SECRET_PREVIOUS",
    ] {
        let current = previous.trim_end_matches("_PREVIOUS");
        let other = if current.starts_with("MERGE") {
            "BAMBOOHR_WEBHOOK_SECRET"
        } else {
            "MERGE_WEBHOOK_SECRET"
        };
        assert_refused(
            Settings::load(None, &env(&[(previous, OLD_KEY), (other, KEY)])),
            &[previous, &format!("{current} is not")],
        );
    }
}

#[test]
fn a_missing_or_empty_secret_file_is_an_error() {
    let folder = Folder::new();
    let empty = folder.put("empty", "").display().to_string();
    let blank = folder.put("blank", "\n").display().to_string();
    let gone = folder.0.path().join("gone").display().to_string();
    for (path, problem) in [
        (&empty, "is empty"),
        (&blank, "is empty"),
        (&gone, "cannot read"),
    ] {
        assert_refused(
            Settings::load(None, &env(&[("BAMBOOHR_WEBHOOK_SECRET_FILE", path)])),
            &["BAMBOOHR_WEBHOOK_SECRET_FILE", path, problem],
        );
        assert_refused(
            with_secrets(&format!("[\"file:{path}\"]"), &[]),
            &["sources[0] (hr).webhook_secrets[0]", path, problem],
        );
        let settings = Settings::read(
            None,
            &env(&[("DATABASE_URL_FILE", path)]),
            &SecretScope::database(),
        )
        .unwrap();
        let missing = settings.database.missing.unwrap();
        assert!(
            missing.contains("DATABASE_URL_FILE") && missing.contains(problem),
            "{missing}"
        );
    }
    assert_refused(
        Settings::load(None, &env(&[("MERGE_WEBHOOK_SECRET_FILE", "")])),
        &["MERGE_WEBHOOK_SECRET_FILE", "empty"],
    );
}

/// Loads a file with this `server.admin_token`, and these variables.
fn with_admin_token(place: &str, pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load_with_key(&format!("[server]\nadmin_token = {place}"), pairs)
}

const ADMIN: &str = "hush-administrator";

#[test]
fn the_admin_token_comes_from_variable_or_reference() {
    let folder = Folder::new();
    let file = folder.put("token", &format!("{ADMIN}\n"));
    let file = file.display().to_string();
    let there =
        |loaded: Result<Settings, SettingsError>| loaded.unwrap().server.admin_token.is_some();
    assert!(!there(load_with_key("", &[])));
    assert!(there(load_with_key("", &[("LEAVER_ADMIN_TOKEN", ADMIN)])));
    assert!(there(load_with_key(
        "",
        &[("LEAVER_ADMIN_TOKEN_FILE", &file)]
    )));
    assert!(there(with_admin_token("\"env:OURS\"", &[("OURS", ADMIN)])));
    assert!(there(with_admin_token(&format!("\"file:{file}\""), &[])));
    // The environment overrides the file.
    assert!(there(with_admin_token(
        "\"env:OURS\"",
        &[("LEAVER_ADMIN_TOKEN", ADMIN)]
    )));
}

#[test]
fn a_missing_or_weak_admin_token_is_rejected() {
    let refused = |problem: &str, text: &str| {
        assert_refused(
            load_with_key("", &[("LEAVER_ADMIN_TOKEN", text)]),
            &["LEAVER_ADMIN_TOKEN", problem],
        );
    };
    refused("empty", "");
    refused("fewer than 16", "hush-15-letters");
    refused("a space", "hush and some more");
    refused("outside ASCII", "hush-ünd-noch-mehr");
    assert!(load_with_key("", &[("LEAVER_ADMIN_TOKEN", "hush-16-letters!")]).is_ok());
    assert_refused(
        with_admin_token("\"hush-administrator\"", &[]),
        &["server.admin_token", REFERENCE_FORMS[0], REFERENCE_FORMS[1]],
    );
    assert_refused(
        with_admin_token("\"env:OURS\"", &[]),
        &["server.admin_token", "OURS is not set"],
    );
    assert_refused(
        with_admin_token("\"env:OURS\"", &[("OURS", "hush")]),
        &["server.admin_token", "fewer than 16"],
    );
    assert_refused(
        with_admin_token("true", &[]),
        &["server.admin_token", REFERENCE_FORMS[0]],
    );
}

#[test]
fn debug_output_contains_no_secret() {
    let text = "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:A\", \"env:B\"]\n\
                tenant = \"acme\"\n\
                api = { company_domain = \"acme\", api_key = \"env:C\" }\n\
                [[sources]]\nname = \"merge\"\nprovider = \"merge\"\nwebhook_secrets = [\"env:E\"]\n\
                api = { api_key = \"env:C\" }\n\
                linked_accounts = [{ id = \"5b0f\", tenant = \"acme\", token = \"env:D\" }]";
    let pairs = [
        ("A", "hush-a-key-of-bamboohr"),
        ("B", "hush-b-key-of-bamboohr"),
        ("E", "hush-e-key-of-merge"),
        ("C", "hush-c"),
        ("D", "hush-d"),
        ("LEAVER_ADMIN_TOKEN", ADMIN),
        ("DATABASE_URL", "postgres://app:hush@db/app"),
    ];
    let settings = load(text, &pairs).unwrap();
    let shown = format!("{settings:#?}");
    assert!(!shown.contains(MARK), "{shown}");
    assert!(shown.contains("acme") && shown.contains("5b0f"), "{shown}");
    let shown = format!("{:?}", env(&pairs));
    assert!(
        shown.contains("DATABASE_URL") && !shown.contains(MARK),
        "{shown}"
    );

    let api = settings.sources[1].api.as_ref().unwrap();
    assert_eq!(api.api_key.expose_secret(), "hush-c");
    assert_eq!(api.account_tokens["5b0f"].expose_secret(), "hush-d");
}
