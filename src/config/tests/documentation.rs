//! The documented settings load, and the documented defaults are the real ones.

use super::*;
use crate::connect::destinations::Destination;

/// Returns the sources of `config/default.toml` without their leading `#`.
fn documented_sources() -> String {
    let commented = DEFAULTS
        .split_once("# [[sources]]")
        .map(|(_, rest)| format!("# [[sources]]{rest}"))
        .unwrap();
    let uncommented: Vec<&str> = commented
        .lines()
        .map(|line| line.strip_prefix('#').unwrap())
        .collect();
    uncommented.join("\n")
}

const VARIABLES: [(&str, &str); 8] = [
    ("BAMBOOHR_WEBHOOK_SECRET", "hush-bamboohr-key"),
    ("MERGE_WEBHOOK_SECRET", "hush-merge-key-2"),
    ("BAMBOOHR_API_KEY", "hush-3"),
    ("MERGE_API_KEY", "hush-4"),
    ("MERGE_ACCOUNT_TOKEN_ACME", "hush-5"),
    (
        "BUS_WHSEC",
        "whsec_hushhushABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghg=",
    ),
    ("SLACK_TOKEN", "hush-6"),
    ("SMTP_PASSWORD", "hush-7"),
];

#[test]
fn the_defaults_file_loads_as_a_file_too() {
    let built_in = load_with_key("", &[]).unwrap();
    let as_file = load_with_key(DEFAULTS, &[]).unwrap();
    assert_eq!(format!("{built_in:?}"), format!("{as_file:?}"));
}

#[test]
fn the_lists_in_the_defaults_file_load() {
    let settings = load(&documented_sources(), &VARIABLES).unwrap();
    let names: Vec<_> = settings.sources.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["bamboohr", "merge"]);
    let api = source(&settings, "bamboohr").api.as_ref().unwrap();
    assert_eq!(api.company_domain.as_deref(), Some("acme"));
    let names: Vec<_> = settings
        .destinations
        .iter()
        .map(Destination::name)
        .collect();
    assert_eq!(names, ["audit-bus", "it-channel", "it-mail"]);
}

#[test]
fn the_documented_source_settings_are_the_defaults() {
    let documented = load(&documented_sources(), &VARIABLES).unwrap();
    // Only the keys without a default.
    let minimal = "
        [[sources]]
        name = 'bamboohr'
        provider = 'bamboohr'
        webhook_secrets = ['env:BAMBOOHR_WEBHOOK_SECRET']
        tenant = 'acme'
        timezone = 'Europe/Berlin'
        cutoff = '17:30'
        max_silence = '3d'
        api = { company_domain = 'acme', api_key = 'env:BAMBOOHR_API_KEY' }";
    let minimal = load(minimal, &VARIABLES).unwrap();
    assert_eq!(
        format!("{:#?}", source(&documented, "bamboohr")),
        format!("{:#?}", source(&minimal, "bamboohr")),
    );
}

#[test]
fn a_variable_makes_the_same_source_as_a_section() {
    let written = "
        [[sources]]
        name = 'bamboohr'
        provider = 'bamboohr'
        webhook_secrets = ['env:BAMBOOHR_WEBHOOK_SECRET']
        [[sources]]
        name = 'merge'
        provider = 'merge'
        webhook_secrets = ['env:MERGE_WEBHOOK_SECRET']";
    let written = load(written, &VARIABLES).unwrap();
    let made = Settings::load(None, &env(&VARIABLES)).unwrap();
    assert_eq!(
        format!("{:#?}", written.sources),
        format!("{:#?}", made.sources)
    );
}

/// The example of the design document; only the list of fields is shortened.
const DESIGN: &str = r#"
[accounts]                      # the application's own table; these are the defaults
table         = "public.users"
id_column     = "id"
email_column  = "email"
active_column = "is_active"
tenant_column = ""              # when set, an account is only ever matched inside its tenant
single_company = false          # several tenants share one users table without a tenant column
end_sessions  = []              # SQL run in the same transaction, $1 = the ids, as text[]: "DELETE FROM sessions WHERE user_id::text = ANY($1)"
protected     = []              # e-mails that are never deactivated: break-glass, service accounts, owners

[policy]
timezone  = "UTC"               # IANA name; a source can override
cutoff    = "end_of_day"        # or "start_of_day", or "17:30"
inactive_without_date = "hold"  # Merge INACTIVE with no termination date: hold | deactivate | ignore
deleted   = { bamboohr = "deactivate", merge = "hold" }
rehire    = "hold"              # hold | reactivate | ignore
max_silence = "off"             # a source that sends nothing for longer degrades health

[drift]
mode = "report"                 # report | fix
interval = "1h"

[inbox]
failed_retention = "7d"
retention = "90d"

[worker]
batch_size = 500
concurrency = 2
batch_bytes = "32MiB"
poll_interval = "1s"
max_attempts = 10

[[sources]]
name = "bamboohr"
provider = "bamboohr"
webhook_secrets = ["env:BAMBOOHR_WEBHOOK_SECRET"]
tenant = "acme"
timestamp_tolerance = "3h"                # how far X-BambooHR-Timestamp may be from now, either way
signature_layout = "body+timestamp"   # BambooHR's own; "timestamp.body" for senders that sign that way
fields = { status = ["status", "Status"] }
api = { company_domain = "acme", api_key = "env:BAMBOOHR_API_KEY", sync_interval = "15m", full_sync_interval = "24h" }   # base_url when it is not BambooHR's own

[[sources]]
name = "merge"
provider = "merge"
webhook_secrets = ["env:MERGE_WEBHOOK_SECRET"]
api = { base_url = "https://api.merge.dev/api/hris/v1", api_key = "env:MERGE_API_KEY", sync_interval = "15m", full_sync_interval = "24h" }
linked_accounts = [ { id = "uuid", tenant = "acme", token = "env:MERGE_ACCOUNT_TOKEN_ACME" } ]  # empty: any, one tenant
"#;

#[test]
fn the_design_example_loads_and_equals_the_defaults() {
    let example = load(DESIGN, &VARIABLES).unwrap();
    let defaults = Settings::load(None, &env(&VARIABLES)).unwrap();
    assert_eq!(example.accounts, defaults.accounts);
    let sections = |settings: &Settings| {
        let Settings {
            drift,
            inbox,
            worker,
            ..
        } = settings;
        format!("{drift:?} {inbox:?} {worker:?}")
    };
    assert_eq!(sections(&example), sections(&defaults));
    for name in ["bamboohr", "merge"] {
        let (shown, default) = (source(&example, name), source(&defaults, name));
        let mut policy = default.policy.clone();
        // The only parts of the policy that depend on `api`.
        policy.can_read = name == "bamboohr";
        policy.sync_interval = shown.policy.sync_interval;
        assert_eq!(format!("{:?}", shown.policy), format!("{policy:?}"));
        assert_eq!(
            format!("{:?}", shown.scheme),
            format!("{:?}", default.scheme)
        );
        assert_eq!(shown.provider_config.fields, default.provider_config.fields);
    }
    let api = source(&example, "merge").api.as_ref().unwrap();
    assert_eq!(
        api.base_url.as_deref(),
        Some("https://api.merge.dev/api/hris/v1")
    );
    assert_eq!(api.account_tokens["uuid"].expose_secret(), "hush-5");
    assert_eq!(
        (api.sync_interval, api.full_sync_interval),
        (Duration::from_mins(15), Duration::from_hours(24))
    );
}

#[test]
fn the_defaults_file_documents_each_variable() {
    for variable in [
        "LEAVER_LISTEN",
        "LEAVER_ADMIN_LISTEN",
        "LEAVER_LOG",
        "LEAVER_LOG_FORMAT",
        "LEAVER_CONFIG",
        "LEAVER_ADMIN_TOKEN",
        "LEAVER_ADMIN_TOKEN_FILE",
        "LEAVER__ACCOUNTS__TABLE",
    ] {
        assert!(DEFAULTS.contains(variable), "{variable} is not documented");
    }
    let settings = load_with_key("", &[("LEAVER__ACCOUNTS__TABLE", "app.users")]).unwrap();
    assert_eq!(settings.accounts.table, "app.users");
}
