//! Several companies on one users table: refused, unless a column separates them or they are declared to be one.

use super::*;

const COLUMN: &str = "[accounts]\ntenant_column = \"company\"\n";
const ONE_COMPANY: &str = "[accounts]\nsingle_company = true\n";
/// A key for each source, by its name.
const KEYS: [(&str, &str); 4] = [
    ("K_hr", "first-key-of-the-tests-7d1c"),
    ("K_merge", "second-key-of-the-tests-9e2b"),
    ("K_a", "third-key-of-the-tests-4f3a"),
    ("K_b", "fourth-key-of-the-tests-1c8d"),
];

fn source_of(name: &str, provider: &str, more: &str) -> String {
    format!(
        "[[sources]]\nname = \"{name}\"\nprovider = \"{provider}\"\nwebhook_secrets = [\"env:K_{name}\"]\n{more}\n"
    )
}

fn load_sources(text: &str) -> Result<Settings, SettingsError> {
    load(text, &KEYS)
}

/// Returns the ways in which two companies can be configured.
fn two_companies() -> Vec<String> {
    let accounts = "linked_accounts = [{ id = \"a\", tenant = \"acme\" }, { id = \"b\", tenant = \"globex\" }]";
    let listed = "linked_accounts = [{ id = \"b\", tenant = \"globex\" }]";
    vec![
        source_of("merge", "merge", accounts),
        source_of("hr", "bamboohr", "tenant = \"acme\"") + &source_of("merge", "merge", listed),
        source_of("hr", "bamboohr", "") + &source_of("merge", "merge", listed),
        source_of("hr", "bamboohr", "tenant = \"acme\"") + &source_of("merge", "merge", ""),
        source_of("a", "bamboohr", "tenant = \"acme\"")
            + &source_of("b", "bamboohr", "tenant = \"globex\""),
        source_of("a", "bamboohr", "tenant = \"acme\"") + &source_of("b", "bamboohr", ""),
        source_of("a", "merge", "tenant = \"acme\"") + &source_of("b", "merge", listed),
        // No guess: these may be two companies, and may be one.
        source_of("a", "bamboohr", "tenant = \"Acme\"")
            + &source_of("b", "bamboohr", "tenant = \"acme\""),
        source_of("a", "bamboohr", "tenant = \"acme\"")
            + &source_of("b", "bamboohr", "tenant = \"acme \""),
    ]
}

#[test]
fn several_tenants_need_a_column_or_a_declaration() {
    for text in two_companies() {
        let words = [
            "accounts.tenant_column",
            "2 tenants",
            "accounts.single_company = true",
        ];
        assert_refused(load_sources(&text), &words);
        for way_out in [COLUMN, ONE_COMPANY] {
            let loaded = load_sources(&format!("{way_out}{text}"));
            loaded.unwrap_or_else(|error| panic!("{way_out}{text}: {error}"));
        }
    }
}

#[test]
fn variables_declare_them_too() {
    let text = &two_companies()[0];
    for (variable, value) in [
        ("LEAVER__ACCOUNTS__TENANT_COLUMN", "company"),
        ("LEAVER__ACCOUNTS__SINGLE_COMPANY", "true"),
    ] {
        load(text, &[&KEYS[..], &[(variable, value)]].concat()).unwrap();
    }
    let not_declared = [("LEAVER__ACCOUNTS__SINGLE_COMPANY", "false")];
    let loaded = load(text, &[&KEYS[..], &not_declared].concat());
    assert_refused(loaded, &["tenant_column"]);
}

#[test]
fn one_tenant_needs_neither() {
    let acme = "tenant = \"acme\"";
    let listed =
        "linked_accounts = [{ id = \"a\", tenant = \"acme\" }, { id = \"b\", tenant = \"acme\" }]";
    for text in [
        source_of("hr", "bamboohr", ""),
        source_of("merge", "merge", listed),
        source_of("hr", "bamboohr", acme) + &source_of("merge", "merge", listed),
        source_of("hr", "bamboohr", "") + &source_of("merge", "merge", ""),
        source_of("a", "bamboohr", acme) + &source_of("b", "bamboohr", acme),
    ] {
        load_sources(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

#[test]
fn two_sources_of_a_provider_must_state_their_tenants() {
    for provider in ["bamboohr", "merge"] {
        let text = source_of("a", provider, "") + &source_of("b", provider, "");
        let words = ["sources[1] (b).tenant", "`a` and `b`", "single_company"];
        assert_refused(load_sources(&text), &words);
        // The column alone would join both under the default name.
        assert_refused(load_sources(&format!("{COLUMN}{text}")), &words);
        load_sources(&format!("{ONE_COMPANY}{text}")).unwrap();
    }
}
