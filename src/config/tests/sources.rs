//! Sections `[[sources]]`: their keys, and which keys fit which provider.

use super::*;
use leaver_core::decision::policy::{Cutoff, OnUncertain};

fn bamboohr(name: &str, more: &str) -> String {
    format!(
        "[[sources]]\nname = \"{name}\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"env:K-{name}\"]\n{more}\n"
    )
}

fn merge(name: &str, more: &str) -> String {
    bamboohr(name, more).replace("bamboohr\"\n", "merge\"\n")
}

fn load_sources(text: &str) -> Result<Settings, SettingsError> {
    let names = ["here", "tokyo", "merge", "hr", "m", "HR Europe", ""];
    let keys = names.map(|name| (format!("K-{name}"), format!("{KEY}-{name}")));
    let pairs: Vec<(&str, &str)> = keys.iter().map(|(n, k)| (n.as_str(), k.as_str())).collect();
    load(text, &pairs)
}

#[test]
fn secret_variables_are_ignored_beside_sections() {
    let settings = load(
        &merge("hr", ""),
        &[("K-hr", KEY), ("BAMBOOHR_WEBHOOK_SECRET", OLD_KEY)],
    );
    let settings = settings.unwrap();
    assert_eq!(settings.sources.len(), 1);
    assert_eq!(settings.sources[0].name.as_str(), "hr");
}

#[test]
fn a_source_overrides_the_policy() {
    let text = format!(
        "[accounts]\nsingle_company = true\n[policy]\ntimezone = \"Europe/Berlin\"\ncutoff = \"start_of_day\"\n\
         [policy.deleted]\nbamboohr = \"hold\"\nmerge = \"deactivate\"\n{}{}{}",
        bamboohr("here", ""),
        bamboohr(
            "tokyo",
            "timezone = \"Asia/Tokyo\"\ncutoff = \"17:30\"\ntenant = \"jp\""
        ),
        merge("merge", "cutoff = \"end_of_day\""),
    );
    let settings = load_sources(&text).unwrap();
    let policy = |name| &source(&settings, name).policy;
    assert_eq!(policy("here").timezone, chrono_tz::Europe::Berlin);
    assert_eq!(policy("here").cutoff, Cutoff::StartOfDay);
    assert_eq!(policy("here").deleted, OnUncertain::Hold);
    assert_eq!(policy("tokyo").timezone, chrono_tz::Asia::Tokyo);
    assert_eq!(
        policy("tokyo").cutoff,
        Cutoff::At("17:30:00".parse().unwrap())
    );
    assert_eq!(policy("merge").timezone, chrono_tz::Europe::Berlin);
    assert_eq!(policy("merge").cutoff, Cutoff::EndOfDay);
    assert_eq!(policy("merge").deleted, OnUncertain::Deactivate);
    let tenant = |name| match &source(&settings, name).provider_config.tenancy {
        Tenancy::One(tenant) => tenant.as_str().to_owned(),
        Tenancy::ByLinkedAccount(_) => panic!("one tenant was configured"),
    };
    assert_eq!(
        (tenant("here").as_str(), tenant("tokyo").as_str()),
        ("default", "jp")
    );
}

#[test]
fn a_bamboohr_source_sets_signature_and_field_names() {
    let text = bamboohr(
        "hr",
        "timestamp_tolerance = \"4h\"\nsignature_layout = \"timestamp.body\"\nfields = { status = [\"Status (HR)\"] }",
    );
    let settings = load_sources(&text).unwrap();
    let options = settings.sources[0].scheme.timestamp_options();
    let (layout, tolerance) = options.unwrap();
    assert_eq!(layout, Layout::TimestampDotBody);
    assert_eq!(tolerance.num_hours(), 4);
    let fields = &settings.sources[0].provider_config.fields;
    assert_eq!(fields.status, ["Status (HR)"]);
    assert_eq!(fields.work_email, ["workEmail", "Work Email"]);
}

#[test]
fn linked_accounts_map_to_tenants() {
    let text = merge(
        "merge",
        "linked_accounts = [{ id = \"5b0f\", tenant = \"acme\" }, { id = \"77aa\", tenant = \"umbra\" }]",
    );
    let text = format!("[accounts]\ntenant_column = \"company\"\n{text}");
    let settings = load_sources(&text).unwrap();
    let Tenancy::ByLinkedAccount(tenants) = &settings.sources[0].provider_config.tenancy else {
        panic!("linked accounts were configured");
    };
    assert_eq!(tenants["5b0f"], Tenant::new("acme"));
    assert_eq!(tenants["77aa"], Tenant::new("umbra"));
}

#[test]
fn a_key_of_the_other_provider_is_rejected() {
    for (text, key, owner) in [
        (
            merge("m", "timestamp_tolerance = \"3h\""),
            "timestamp_tolerance",
            "bamboohr",
        ),
        (
            merge("m", "signature_layout = \"body+timestamp\""),
            "signature_layout",
            "bamboohr",
        ),
        (
            merge("m", "fields = { status = [\"Status\"] }"),
            "fields",
            "bamboohr",
        ),
        (
            bamboohr(
                "m",
                "linked_accounts = [{ id = \"5b0f\", tenant = \"acme\" }]",
            ),
            "linked_accounts",
            "merge",
        ),
    ] {
        assert_refused(
            load_sources(&text),
            &[
                "leaver.toml: ",
                &format!("sources[0] (m).{key}"),
                &format!("provider = \"{owner}\""),
                "remove it",
            ],
        );
    }
}

#[test]
fn an_invalid_source_is_rejected_by_name() {
    for (text, words) in [
        (
            bamboohr("hr", "") + &merge("hr", ""),
            ["sources[1]", "`hr`", "twice"],
        ),
        (
            bamboohr("HR Europe", ""),
            ["sources[0]", ".name", "a-z, 0-9"],
        ),
        (bamboohr("", ""), ["sources[0]", ".name", "a-z, 0-9"]),
        (
            bamboohr("hr", "timezone = \"Berlin\""),
            ["sources[0]", ".timezone", "\"Europe/Berlin\""],
        ),
        (
            bamboohr("hr", "cutoff = \"5 pm\""),
            ["sources[0]", ".cutoff", "\"17:30\""],
        ),
        (
            bamboohr("hr", "timestamp_tolerance = \"3\""),
            ["sources[0]", ".timestamp_tolerance", "\"3h\""],
        ),
        (
            bamboohr("hr", "timestamp_tolerance = \"0s\""),
            ["sources[0] (hr)", ".timestamp_tolerance", "at least"],
        ),
        (
            bamboohr("hr", "signature_layout = \"body\""),
            ["sources[0]", ".signature_layout", "timestamp.body"],
        ),
        (
            merge(
                "m",
                "linked_accounts = [{ id = \"5b0f\", tenant = \"a\" }, { id = \"5b0f\", tenant = \"b\" }]",
            ),
            ["sources[0] (m)", ".linked_accounts[1].id", "twice"],
        ),
        (
            bamboohr("hr", "").replace("\"bamboohr\"", "\"workday\""),
            ["sources[0]", ".provider", "`merge`"],
        ),
        (
            bamboohr("hr", "").replace("[\"env:K-hr\"]", "[]"),
            ["sources[0] (hr)", ".webhook_secrets", "at least one"],
        ),
        (
            "[[sources]]\nname = \"hr\"".to_owned(),
            ["sources[0]", "missing", "`provider`"],
        ),
        (
            "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"".to_owned(),
            ["sources[0] (hr)", ".webhook_secrets", "at least one"],
        ),
    ] {
        assert_refused(load_sources(&text), &words);
    }
}
