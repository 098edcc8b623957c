//! One company never reaches the accounts of another.

mod refused;

use crate::support::{BAMBOOHR_KEY, MERGE_KEY};

/// The variables that the configurations below name.
const KEYS: [(&str, &str); 3] = [
    ("KEY_A", BAMBOOHR_KEY),
    ("KEY_B", "6f0c9a3e7b1d42868e94c0d7a2f63b16"),
    ("KEY_M", MERGE_KEY),
];

/// A linked account of company acme.
const LINKED_A: &str = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b";
/// A linked account of company globex.
const LINKED_B: &str = "22222222-2222-4333-8444-555555555555";

/// Two linked accounts of one source.
const LINKED: &str = r#"
[[sources]]
name = "merge"
provider = "merge"
webhook_secrets = ["env:KEY_M"]
linked_accounts = [
    { id = "5b0f3a9e-1c2d-4e3f-8a4b-6c7d8e9f0a1b", tenant = "acme" },
    { id = "22222222-2222-4333-8444-555555555555", tenant = "globex" },
]
"#;

/// Two sources of one provider.
const BAMBOOHR_TWICE: &str = r#"
[[sources]]
name = "acme"
provider = "bamboohr"
tenant = "acme"
webhook_secrets = ["env:KEY_A"]
[[sources]]
name = "globex"
provider = "bamboohr"
tenant = "globex"
webhook_secrets = ["env:KEY_B"]
"#;

/// One source of each provider.
const BOTH_PROVIDERS: &str = r#"
[[sources]]
name = "acme"
provider = "bamboohr"
tenant = "acme"
webhook_secrets = ["env:KEY_A"]
[[sources]]
name = "merge"
provider = "merge"
webhook_secrets = ["env:KEY_M"]
linked_accounts = [{ id = "22222222-2222-4333-8444-555555555555", tenant = "globex" }]
"#;

/// The ways in which the documentation configures two companies.
const TWO_COMPANIES: [(&str, &str); 3] = [
    ("linked accounts", LINKED),
    ("two sources", BAMBOOHR_TWICE),
    ("both providers", BOTH_PROVIDERS),
];
