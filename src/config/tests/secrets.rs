//! Where secrets may stand, what is said when they are not there, and that nothing shows them.

use super::*;

const SOURCE: &str = "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = ";
const REMEDY: [&str; 2] = ["env:NAME", "file:PATH"];

fn with_secrets(list: &str, pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load(&format!("{SOURCE}{list}"), pairs)
}

#[test]
fn a_secret_is_fetched_from_where_the_file_says() {
    let folder = Folder::new();
    let path = folder.put("key", "hush-in-a-file\n");
    let list = format!("[\"env:HR_KEY\", \"file:{}\"]", path.display());
    let settings = with_secrets(&list, &[("HR_KEY", KEY)]).unwrap();
    assert!(accepts(&settings.sources[0], KEY));
    assert!(accepts(&settings.sources[0], "hush-in-a-file"));

    let twin = path.display().to_string();
    let settings = with_secrets("[\"env:HR_KEY\"]", &[("HR_KEY_FILE", &twin)]).unwrap();
    assert!(accepts(&settings.sources[0], "hush-in-a-file"));
}

#[test]
fn a_secret_that_is_written_into_the_file_is_refused_and_not_shown() {
    let key = "sources[0] (hr).webhook_secrets[0]";
    assert_refused(
        with_secrets("[\"hush-key\"]", &[]),
        &[key, REMEDY[0], REMEDY[1]],
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
            &["leaver.toml", "sources[0].webhook_secrets", REMEDY[0]],
        );
    }
    let with_api = |api: &str| {
        with_secrets(
            &format!("[\"env:HR_KEY\"]\n{api}"),
            &[("HR_KEY", "hush-key")],
        )
    };
    for api_key in ["\"hush-key\"", "[\"hush-key\"]"] {
        assert_refused(
            with_api(&format!("api = {{ api_key = {api_key} }}")),
            &["sources[0]", "api.api_key", REMEDY[0]],
        );
    }
    for url in [
        "\"postgres://app:hush@db/app\"",
        "[\"postgres://app:hush@db/app\"]",
    ] {
        let loaded = load_with_key(&format!("[database]\nurl = {url}"), &[]);
        let text = match loaded {
            // The database's URL is asked for only by whoever needs it.
            Ok(settings) => settings.database.missing.unwrap(),
            Err(error) => text_of(error),
        };
        assert!(text.contains("database.url"), "{text}");
        assert!(text.contains(REMEDY[0]) && !text.contains(MARK), "{text}");
    }
    let merge = "[[sources]]\nname = \"merge\"\nprovider = \"merge\"\nwebhook_secrets = [\"env:HR_KEY\"]\n\
                 linked_accounts = [{ id = \"5b0f\", tenant = \"acme\", token = \"hush-token\" }]";
    assert_refused(
        load(merge, &[("HR_KEY", KEY)]),
        &[
            "sources[0] (merge).linked_accounts[0].token",
            REMEDY[0],
            REMEDY[1],
        ],
    );
}

#[test]
fn a_number_in_place_of_a_secret_is_not_shown_either() {
    let text = text_of(with_secrets("[8675309]", &[]).unwrap_err());
    assert!(
        text.contains("webhook_secrets") && !text.contains("8675309"),
        "{text}"
    );
}

#[test]
fn a_variable_that_is_not_set_is_an_error_and_not_a_skip() {
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
            ("MERGE_WEBHOOK_SECRET", KEY),
        ];
        pairs.retain(|(name, _)| *name != variable);
        pairs.push((variable, ""));
        assert_refused(
            Settings::load(None, &env(&pairs)),
            &[variable, "empty", "unset it"],
        );
    }
    let empty = Settings::read(None, &env(&[("DATABASE_URL", "")])).unwrap();
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
fn a_file_that_is_missing_or_empty_is_an_error() {
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
        let settings = Settings::read(None, &env(&[("DATABASE_URL_FILE", path)])).unwrap();
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

/// Loads a file's `server.admin_token` with variables beside it.
fn with_admin_token(place: &str, pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load_with_key(&format!("[server]\nadmin_token = {place}"), pairs)
}

const ADMIN: &str = "hush-administrator";

#[test]
fn the_administrators_token_comes_from_a_variable_or_from_where_the_file_says() {
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
    // The environment comes after the file.
    assert!(there(with_admin_token(
        "\"env:OURS\"",
        &[("LEAVER_ADMIN_TOKEN", ADMIN)]
    )));
}

#[test]
fn a_token_that_is_missing_or_worth_nothing_is_refused_and_not_shown() {
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
        &["server.admin_token", REMEDY[0], REMEDY[1]],
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
        &["server.admin_token", REMEDY[0]],
    );
}

#[test]
fn nothing_that_is_printed_for_debugging_shows_a_secret() {
    let text = "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:A\", \"env:B\"]\n\
                api = { company_domain = \"acme\", api_key = \"env:C\" }\n\
                [[sources]]\nname = \"merge\"\nprovider = \"merge\"\nwebhook_secrets = [\"env:A\"]\n\
                api = { api_key = \"env:C\" }\n\
                linked_accounts = [{ id = \"5b0f\", tenant = \"acme\", token = \"env:D\" }]";
    let pairs = [
        ("A", "hush-a"),
        ("B", "hush-b"),
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
