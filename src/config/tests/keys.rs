//! Webhook keys and tokens that others know or could guess, in every form in which they can be given.

use std::os::unix::fs::PermissionsExt;

use super::*;

const OTHER: &str = "hush-key-of-another-source";
/// The forms in which a BambooHR source gets a first and a second key.
const FORMS: [Form; 5] = [
    Form {
        text: "",
        key: "BAMBOOHR_WEBHOOK_SECRET",
        variables: [
            "BAMBOOHR_WEBHOOK_SECRET",
            "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
        ],
        is_file: false,
    },
    Form {
        text: "",
        key: "BAMBOOHR_WEBHOOK_SECRET",
        variables: [
            "BAMBOOHR_WEBHOOK_SECRET_FILE",
            "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS_FILE",
        ],
        is_file: true,
    },
    Form {
        text: SECTION,
        key: "sources[0] (hr).webhook_secrets",
        variables: ["ONE", "TWO"],
        is_file: false,
    },
    Form {
        text: SECTION,
        key: "sources[0] (hr).webhook_secrets",
        variables: ["ONE_FILE", "TWO_FILE"],
        is_file: true,
    },
    Form {
        text: "file:",
        key: "sources[0] (hr).webhook_secrets",
        variables: ["", ""],
        is_file: true,
    },
];
const SECTION: &str = "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:ONE\", \"env:TWO\"]";

struct Form {
    text: &'static str,
    key: &'static str,
    variables: [&'static str; 2],
    is_file: bool,
}

impl Form {
    fn load(&self, folder: &Folder, keys: [&str; 2]) -> Result<Settings, SettingsError> {
        let paths: Vec<String> = (1..)
            .zip(keys)
            .map(|(n, key)| {
                let name = format!("key-{n}");
                folder.put(&name, key).display().to_string()
            })
            .collect();
        if self.text == "file:" {
            let [one, two] = &paths[..] else {
                unreachable!()
            };
            let text = SECTION.replace("env:ONE", &format!("file:{one}"));
            return load(&text.replace("env:TWO", &format!("file:{two}")), &[]);
        }
        let values = keys.iter().zip(&paths);
        let values = values.map(|(key, path)| if self.is_file { path.as_str() } else { key });
        let pairs: Vec<(&str, &str)> = self.variables.into_iter().zip(values).collect();
        load(self.text, &pairs)
    }
}

#[test]
fn weak_webhook_keys_are_refused_in_every_form() {
    let folder = Folder::new();
    for form in &FORMS {
        form.load(&folder, [KEY, OLD_KEY]).unwrap();
        for weak in [
            " ",
            "\n",
            "\t\u{a0}\u{2003} \u{200b}",
            "x",
            "hush-15-letters",
            "hush            ",
            "            \u{200b}hush",
            "only-for-trying-it-out",
            "Only For Trying It Out",
            "changeme-changeme",
            "CHANGE_ME_PLEASE_",
            "<your-webhook-secret>",
            "0123456789abcdef",
        ] {
            for keys in [[weak, KEY], [KEY, weak]] {
                let text = text_of(form.load(&folder, keys).unwrap_err());
                assert!(text.contains(form.key), "{text}");
                let causes = ["blank", "empty", "fewer than 16 bytes", "published example"];
                assert!(causes.iter().any(|cause| text.contains(cause)), "{text}");
                assert!(!text.contains("trying"), "{text}");
            }
        }
    }
}

#[test]
fn a_key_of_sixteen_bytes_is_accepted() {
    for key in ["hush-16-letters!", "hush-in-greek-αβ"] {
        let settings = Settings::load(None, &env(&[("MERGE_WEBHOOK_SECRET", key)])).unwrap();
        assert!(accepts(&settings.sources[0], key));
    }
}

#[test]
fn keys_that_documents_show_are_refused() {
    let read = |path: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(path).unwrap()
    };
    let documents = [
        "README.md",
        "compose.yaml",
        "config/default.toml",
        "docs/CREDENTIALS.md",
        "docs/OPERATIONS.md",
        "docs/SECURITY.md",
    ];
    for document in documents {
        for (_, rest) in read(document)
            .match_indices("_SECRET")
            .map(|(at, found)| (at, read(document)[at + found.len()..].to_owned()))
        {
            let Some(value) = rest.strip_prefix('=').or_else(|| rest.strip_prefix(": ")) else {
                continue;
            };
            let value = value.split_whitespace().next().unwrap_or_default();
            // A value that the shell or compose computes is no key.
            let is_computed = value.starts_with('$') || value.starts_with("\"$");
            let shown = Settings::load(None, &env(&[("MERGE_WEBHOOK_SECRET", value)]));
            assert!(
                is_computed || shown.is_err(),
                "{document} shows the key {value}"
            );
        }
    }
}

#[test]
fn white_space_around_a_key_in_a_file_is_removed_and_reported() {
    let folder = Folder::new();
    for form in FORMS.iter().filter(|form| form.is_file) {
        let padded = format!(" \t{KEY}\r\n\n");
        let settings = form.load(&folder, [&padded, OLD_KEY]).unwrap();
        assert!(accepts(&settings.sources[0], KEY) && accepts(&settings.sources[0], OLD_KEY));
        let remarks = settings.secrets.remarks();
        let trimmed: Vec<_> = remarks
            .iter()
            .filter(|remark| remark.text.contains("white space"))
            .collect();
        assert_eq!(trimmed.len(), 1, "{remarks:?}");
        assert!(trimmed[0].setting.starts_with(form.key), "{trimmed:?}");
        assert!(!format!("{remarks:?}").contains(MARK), "{remarks:?}");
    }
    // White space inside a key, and around one in a variable, is part of it.
    let inner = "hush key with inner spaces";
    let file = folder.put("inner", inner).display().to_string();
    let settings = Settings::load(None, &env(&[("MERGE_WEBHOOK_SECRET_FILE", &file)])).unwrap();
    assert!(accepts(&settings.sources[0], inner));
    let padded = format!(" {KEY}");
    let settings = Settings::load(None, &env(&[("MERGE_WEBHOOK_SECRET", &padded)])).unwrap();
    assert!(accepts(&settings.sources[0], &padded));
    let remarks = settings.secrets.remarks();
    assert!(
        remarks[0].is_warning && remarks[0].text.contains("white space"),
        "{remarks:?}"
    );
}

#[test]
fn secret_files_that_others_can_read_are_reported() {
    let folder = Folder::new();
    let path = folder.put("key", KEY);
    let name = path.display().to_string();
    for (mode, is_reported) in [(0o600, false), (0o640, false), (0o644, true), (0o602, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        for variable in [
            "MERGE_WEBHOOK_SECRET_FILE",
            "LEAVER_ADMIN_TOKEN_FILE",
            "DATABASE_URL_FILE",
        ] {
            let mut pairs = vec![(variable, name.as_str())];
            if variable != "MERGE_WEBHOOK_SECRET_FILE" {
                pairs.push(("MERGE_WEBHOOK_SECRET", OTHER));
            }
            let settings = Settings::load(None, &env(&pairs)).unwrap();
            let remarks = settings.secrets.remarks();
            let warnings = remarks.iter().filter(|remark| remark.is_warning);
            let found: Vec<_> = warnings
                .filter(|remark| remark.text.contains("chmod"))
                .collect();
            assert_eq!(
                !found.is_empty(),
                is_reported,
                "{mode:o} {variable} {remarks:?}"
            );
        }
    }
}

#[test]
fn a_key_of_the_test_vectors_is_reported() {
    let vector = "example-merge-signature-key-A";
    let settings = Settings::load(None, &env(&[("MERGE_WEBHOOK_SECRET", vector)])).unwrap();
    let remarks = settings.secrets.remarks();
    assert!(
        remarks[0].is_warning && remarks[0].text.contains("tests"),
        "{remarks:?}"
    );
    assert!(!format!("{remarks:?}").contains(vector), "{remarks:?}");
}

#[test]
fn a_key_of_few_characters_is_reported() {
    for (key, is_reported) in [
        ("hhhhhhhhhhhhhhhh", true),
        ("huhuhuhuhuhuhuhu", true),
        (KEY, false),
    ] {
        let settings = Settings::load(None, &env(&[("MERGE_WEBHOOK_SECRET", key)])).unwrap();
        let remarks = settings.secrets.remarks();
        let found = remarks
            .iter()
            .any(|remark| remark.is_warning && remark.text.contains("few"));
        assert_eq!(found, is_reported, "{remarks:?}");
    }
}

const TWO_SOURCES: &str = "[[sources]]\nname = \"a\"\nprovider = \"bamboohr\"\ntenant = \"acme\"\nwebhook_secrets = [\"env:A1\", \"env:A2\"]\n\
    api = { company_domain = \"acme\", api_key = \"env:API_A\" }\n\
    [[sources]]\nname = \"b\"\nprovider = \"merge\"\nwebhook_secrets = [\"env:B1\", \"env:B2\"]\n\
    api = { api_key = \"env:API_B\" }\nlinked_accounts = [{ id = \"5b0f\", tenant = \"acme\", token = \"env:TOKEN\" }]";
const SECRETS: [(&str, &str); 8] = [
    ("A1", "hush-first-key-of-a"),
    ("A2", "hush-second-key-of-a"),
    ("B1", "hush-first-key-of-b"),
    ("B2", "hush-second-key-of-b"),
    ("API_A", "hush-api-key-of-a"),
    ("API_B", "hush-api-key-of-b"),
    ("TOKEN", "hush-account-token"),
    ("LEAVER_ADMIN_TOKEN", "hush-administrator"),
];

/// Loads both sources, with the secret of `first` in `second` as well.
fn with_shared(first: &str, second: &str) -> Result<Settings, SettingsError> {
    let secret = SECRETS.iter().find(|(name, _)| *name == first).unwrap().1;
    let pairs = SECRETS.map(|(name, value)| (name, if name == second { secret } else { value }));
    load(TWO_SOURCES, &pairs)
}

#[test]
fn a_secret_with_two_purposes_is_refused() {
    for (first, second, words) in [
        (
            "A1",
            "B1",
            [
                "sources[0] (a).webhook_secrets[0]",
                "sources[1] (b).webhook_secrets[0]",
            ],
        ),
        (
            "A1",
            "B2",
            [
                "sources[0] (a).webhook_secrets[0]",
                "sources[1] (b).webhook_secrets[1]",
            ],
        ),
        (
            "A2",
            "B1",
            [
                "sources[0] (a).webhook_secrets[1]",
                "sources[1] (b).webhook_secrets[0]",
            ],
        ),
        (
            "A2",
            "B2",
            [
                "sources[0] (a).webhook_secrets[1]",
                "sources[1] (b).webhook_secrets[1]",
            ],
        ),
        ("A1", "API_A", ["webhook_secrets[0]", "api.api_key"]),
        ("A2", "API_B", ["webhook_secrets[1]", "api.api_key"]),
        (
            "B1",
            "TOKEN",
            ["webhook_secrets[0]", "linked_accounts[0].token"],
        ),
        (
            "A1",
            "LEAVER_ADMIN_TOKEN",
            ["webhook_secrets[0]", "LEAVER_ADMIN_TOKEN"],
        ),
        (
            "B2",
            "LEAVER_ADMIN_TOKEN",
            ["webhook_secrets[1]", "LEAVER_ADMIN_TOKEN"],
        ),
        (
            "API_B",
            "LEAVER_ADMIN_TOKEN",
            ["api.api_key", "LEAVER_ADMIN_TOKEN"],
        ),
    ] {
        assert_refused(with_shared(first, second), &words);
    }
    // A key may stay as the previous one, and two sources may read one API.
    with_shared("A1", "A2").unwrap();
    with_shared("API_A", "API_B").unwrap();
}

#[test]
fn one_key_for_both_providers_is_refused_with_variables_alone() {
    let variables = [
        "BAMBOOHR_WEBHOOK_SECRET",
        "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
        "MERGE_WEBHOOK_SECRET",
        "MERGE_WEBHOOK_SECRET_PREVIOUS",
    ];
    let folder = Folder::new();
    let file = folder.put("key", &format!("{KEY}\n")).display().to_string();
    for (first, second) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        let values: Vec<String> = (0..4)
            .map(|n| {
                if n == first || n == second {
                    KEY.to_owned()
                } else {
                    format!("{OTHER}-{n}")
                }
            })
            .collect();
        let pairs: Vec<(&str, &str)> = variables
            .into_iter()
            .zip(values.iter().map(String::as_str))
            .collect();
        let words = [variables[first], variables[second]];
        assert_refused(Settings::load(None, &env(&pairs)), &words);
        // The same key in a variable and in a file.
        let twin = format!("{}_FILE", variables[second]);
        let mut pairs = pairs;
        pairs[second] = (&twin, &file);
        assert_refused(Settings::load(None, &env(&pairs)), &words);
    }
}

#[test]
fn keys_that_differ_in_padding_only_are_the_same_key() {
    let folder = Folder::new();
    let padded = folder
        .put("key", &format!("{KEY}\0\0"))
        .display()
        .to_string();
    let refused = Settings::load(
        None,
        &env(&[
            ("BAMBOOHR_WEBHOOK_SECRET", KEY),
            ("MERGE_WEBHOOK_SECRET_FILE", &padded),
        ]),
    );
    assert_refused(
        refused,
        &["BAMBOOHR_WEBHOOK_SECRET", "MERGE_WEBHOOK_SECRET"],
    );
}

#[test]
fn a_known_example_is_no_admin_token() {
    for token in [
        "only-for-trying-it-out",
        "changeme-changeme",
        "your-admin-token-here",
    ] {
        assert_refused(
            load_with_key("", &[("LEAVER_ADMIN_TOKEN", token)]),
            &["LEAVER_ADMIN_TOKEN", "published example"],
        );
    }
}
