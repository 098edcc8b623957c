//! Checks one source: keys that fit its provider, values in range, secrets that can be resolved.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;

use super::raw::{RawApi, RawFields, RawSource};
use super::{ApiSettings, Source};
use crate::config::policy::RawPolicy;
use crate::config::secrets::SecretReader;
use crate::config::{Provenance, SettingsError};
use leaver_core::decision::policy::Policy;
use leaver_core::domain::{Capabilities, Provider, SourceName, Tenant, WorkEmail};
use leaver_core::providers::{PositionFacts, ProviderConfig, Tenancy};
use leaver_core::safeguard::SourceMode;
use leaver_core::signature::{Key, Scheme};

/// BambooHR's last retry comes after 155 minutes, and a 4xx ends the retries.
const DEFAULT_TOLERANCE: TimeDelta = TimeDelta::hours(3);
const DEFAULT_SYNC_INTERVAL: Duration = Duration::from_mins(15);
const DEFAULT_FULL_SYNC_INTERVAL: Duration = Duration::from_hours(24);

/// Settings that all sources share.
pub(super) struct Context<'a> {
    pub(super) policy: &'a RawPolicy,
    pub(super) mode: SourceMode,
    pub(super) protected: &'a BTreeSet<WorkEmail>,
    pub(super) position: &'a PositionFacts,
    pub(super) secrets: &'a SecretReader<'a>,
    pub(super) provenance: &'a Provenance,
}

/// The linked accounts of a Merge source.
#[derive(Default)]
struct LinkedAccounts {
    tenants: HashMap<String, Tenant>,
    tokens: BTreeMap<String, SecretString>,
}

/// Builds the source of one `[[sources]]` section. Fails without a webhook key.
pub(super) fn parse_source(
    context: &Context<'_>,
    position: usize,
    raw: &RawSource,
) -> Result<Source, SettingsError> {
    let path = format!("sources[{position}] ({})", raw.name);
    if raw.webhook_secrets.0.is_empty() {
        return Err(context.provenance.invalid_setting(
            &format!("{path}.webhook_secrets"),
            "at least one is needed, such as [\"env:BAMBOOHR_WEBHOOK_SECRET\"]",
        ));
    }
    let list = format!("{path}.webhook_secrets");
    let keys = context
        .secrets
        .webhook_keys(&raw.name, &list, &raw.webhook_secrets.0)?;
    build_source(context, &path, raw, keys)
}

/// Builds a source whose keys are known. `path` is the start of the key in error messages.
pub(super) fn build_source(
    context: &Context<'_>,
    path: &str,
    raw: &RawSource,
    keys: Vec<Key>,
) -> Result<Source, SettingsError> {
    reject_without_effect(context, path, raw)?;
    let accounts = linked_accounts(context, path, raw)?;
    let provider = raw.provider;
    let timezone = raw.timezone.unwrap_or(context.policy.timezone).0;
    let can_read = provider.capabilities().has_events_without_values && raw.api.is_some();
    Ok(Source {
        name: SourceName::parse(&raw.name).map_err(|error| {
            context
                .provenance
                .invalid_setting(&format!("{path}.name"), error.to_string())
        })?,
        scheme: scheme(context, path, raw, keys)?,
        provider_config: ProviderConfig {
            provider,
            fields: raw
                .fields
                .as_ref()
                .map(RawFields::over_defaults)
                .unwrap_or_default(),
            tenancy: if accounts.tenants.is_empty() {
                Tenancy::One(Tenant::new(raw.tenant.as_deref().unwrap_or("default")))
            } else {
                Tenancy::ByLinkedAccount(accounts.tenants)
            },
            ignored_accounts: ignored_accounts(context, path, raw)?,
            timezone,
            position: context.position.clone().readable(can_read),
        },
        policy: Policy {
            provider,
            timezone,
            cutoff: raw.cutoff.unwrap_or(context.policy.cutoff),
            inactive_without_date: context.policy.inactive_without_date,
            deleted: context.policy.deleted(provider),
            rehire: context.policy.rehire,
            sources_disagree: context.policy.sources_disagree,
            sync_interval: raw.api.as_ref().and_then(|api| {
                let interval = api.sync_interval.map_or(DEFAULT_SYNC_INTERVAL, |d| d.0);
                TimeDelta::from_std(interval).ok()
            }),
            can_read,
            protected: context.protected.clone(),
        },
        api: match &raw.api {
            None => None,
            Some(api) => api_settings(context, path, raw, api, accounts.tokens)?,
        },
        max_silence: raw.max_silence.unwrap_or(context.policy.max_silence).0,
        mode: raw.mode.unwrap_or(context.mode),
    })
}

/// Returns whether a key has an effect for a provider with these capabilities.
type HasEffect = fn(&Capabilities) -> bool;

/// Fails if a key is set that has no effect for the source's provider.
fn reject_without_effect(
    context: &Context<'_>,
    path: &str,
    raw: &RawSource,
) -> Result<(), SettingsError> {
    let keys: [(&str, bool, HasEffect); 5] = [
        (
            "timestamp_tolerance",
            raw.timestamp_tolerance.is_some(),
            |capabilities| capabilities.signs_timestamp,
        ),
        (
            "signature_layout",
            raw.signature_layout.is_some(),
            |capabilities| capabilities.signs_timestamp,
        ),
        ("fields", raw.fields.is_some(), |capabilities| {
            capabilities.has_custom_field_names
        }),
        (
            "linked_accounts",
            !raw.linked_accounts.is_empty(),
            |capabilities| capabilities.has_linked_accounts,
        ),
        (
            "ignored_linked_accounts",
            !raw.ignored_linked_accounts.is_empty(),
            |capabilities| capabilities.has_linked_accounts,
        ),
    ];
    for (key, is_set, has_effect) in keys {
        if is_set && !has_effect(raw.provider.capabilities()) {
            let providers: Vec<String> = Provider::all()
                .filter(|provider| has_effect(provider.capabilities()))
                .map(|provider| format!("provider = \"{provider}\""))
                .collect();
            return Err(context.provenance.invalid_setting(
                &format!("{path}.{key}"),
                format!(
                    "it has an effect only with {}; remove it",
                    providers.join(" or ")
                ),
            ));
        }
    }
    Ok(())
}

fn scheme(
    context: &Context<'_>,
    path: &str,
    raw: &RawSource,
    keys: Vec<Key>,
) -> Result<Scheme, SettingsError> {
    let invalid = |problem: &str| {
        context
            .provenance
            .invalid_setting(&format!("{path}.timestamp_tolerance"), problem)
    };
    let tolerance = match raw.timestamp_tolerance {
        None => DEFAULT_TOLERANCE,
        Some(duration) if duration.0.is_zero() => {
            return Err(invalid(
                "it must be at least 1s; with 0 every delivery would be too old",
            ));
        }
        Some(duration) => TimeDelta::from_std(duration.0).map_err(|_| invalid("it is too long"))?,
    };
    let layout = raw.signature_layout.unwrap_or_default();
    Ok(Scheme::new(raw.provider, keys, layout, tolerance))
}

fn linked_accounts(
    context: &Context<'_>,
    path: &str,
    raw: &RawSource,
) -> Result<LinkedAccounts, SettingsError> {
    let mut accounts = LinkedAccounts::default();
    for (n, account) in raw.linked_accounts.iter().enumerate() {
        let path = format!("{path}.linked_accounts[{n}]");
        let tenant = Tenant::new(account.tenant.clone());
        if accounts
            .tenants
            .insert(account.id.clone(), tenant)
            .is_some()
        {
            return Err(context.provenance.invalid_setting(
                &format!("{path}.id"),
                "this linked account is listed twice; remove one of the two",
            ));
        }
        if let Some(reference) = &account.token {
            let token = context.secrets.account_token(
                &raw.name,
                raw.provider,
                raw.api.is_some(),
                &format!("{path}.token"),
                reference,
            )?;
            let token = token.map(|token| (account.id.clone(), token));
            accounts.tokens.extend(token);
        }
    }
    Ok(accounts)
}

/// Collects the linked accounts of other applications. Fails if one of them is listed as a company too.
fn ignored_accounts(
    context: &Context<'_>,
    path: &str,
    raw: &RawSource,
) -> Result<HashSet<String>, SettingsError> {
    let ignored: HashSet<String> = raw.ignored_linked_accounts.iter().cloned().collect();
    match raw
        .linked_accounts
        .iter()
        .position(|account| ignored.contains(&account.id))
    {
        None => Ok(ignored),
        Some(position) => Err(context.provenance.invalid_setting(
            &format!("{path}.linked_accounts[{position}].id"),
            "this linked account is in `ignored_linked_accounts` as well; remove one of the two",
        )),
    }
}

/// Returns `None` if the API key is not in the scope of the command.
fn api_settings(
    context: &Context<'_>,
    path: &str,
    raw: &RawSource,
    api: &RawApi,
    account_tokens: BTreeMap<String, SecretString>,
) -> Result<Option<ApiSettings>, SettingsError> {
    let non_empty = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let setting = format!("{path}.api.api_key");
    let api_key = context
        .secrets
        .api_key(&raw.name, raw.provider, &setting, &api.api_key)?;
    Ok(api_key.map(|api_key| ApiSettings {
        base_url: non_empty(&api.base_url),
        company_domain: non_empty(&api.company_domain),
        api_key,
        sync_interval: api.sync_interval.map_or(DEFAULT_SYNC_INTERVAL, |d| d.0),
        full_sync_interval: api
            .full_sync_interval
            .map_or(DEFAULT_FULL_SYNC_INTERVAL, |d| d.0),
        account_tokens,
    }))
}
