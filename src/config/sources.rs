//! Who sends: from `[[sources]]`, or from the two variables that make one each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use serde::Deserialize;

use super::values::{ConfigDuration, CutoffText, SecretRef, SecretRefs, SilenceText, Zone};
use super::{Environment, Raw, SettingsError, secrets};
use leaver_core::decision::policy::Policy;
use leaver_core::domain::{Provider, SourceName, Tenant, WorkEmail};
use leaver_core::providers::{FieldNames, ProviderConfig, Tenancy};
use leaver_core::signature::{Key, Layout, Scheme};

/// One configured sender.
#[derive(Debug)]
pub struct Source {
    /// Its name, as in the webhook's path.
    pub name: SourceName,
    /// How its deliveries are signed.
    pub scheme: Scheme,
    /// How its bodies read.
    pub provider_config: ProviderConfig,
    /// How its facts are judged.
    pub policy: Policy,
    /// Its API, for what webhooks do not tell.
    pub api: Option<ApiSettings>,
    /// How long it may be silent.
    pub silence_alarm: Option<Duration>,
}

/// A provider's API.
#[derive(Debug)]
pub struct ApiSettings {
    /// Where it is, when not at the provider's own address.
    pub base_url: Option<String>,
    /// BambooHR: the part before `.bamboohr.com`.
    pub company_domain: Option<String>,
    /// The key.
    pub api_key: SecretString,
    /// How often to ask what changed.
    pub poll: Duration,
    /// How often to read everything.
    pub full_sweep: Duration,
    /// Merge: the token of each linked account.
    pub account_tokens: BTreeMap<String, SecretString>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    name: String,
    provider: Provider,
    #[serde(default)]
    webhook_secrets: SecretRefs,
    tenant: Option<String>,
    timezone: Option<Zone>,
    cutoff: Option<CutoffText>,
    silence_alarm: Option<SilenceText>,
    freshness: Option<ConfigDuration>,
    signature_layout: Option<String>,
    fields: Option<RawFields>,
    api: Option<RawApi>,
    #[serde(default)]
    linked_accounts: Vec<RawLinkedAccount>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFields {
    status: Option<Vec<String>>,
    employment_status: Option<Vec<String>>,
    termination_date: Option<Vec<String>>,
    hire_date: Option<Vec<String>>,
    work_email: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApi {
    #[serde(default)]
    base_url: String,
    #[serde(default)]
    company_domain: String,
    api_key: SecretRef,
    poll: Option<ConfigDuration>,
    full_sweep: Option<ConfigDuration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLinkedAccount {
    id: String,
    tenant: String,
    token: Option<SecretRef>,
}

type InvalidSetting<'a> = &'a dyn Fn(&str, String) -> SettingsError;

pub(super) fn resolve(
    raw: &Raw,
    protected: &BTreeSet<WorkEmail>,
    env: &Environment,
    wrong: InvalidSetting<'_>,
) -> Result<Vec<Source>, SettingsError> {
    let mut sources = vec![];
    let mut names = BTreeSet::new();
    for (position, written) in raw.sources.iter().enumerate() {
        let source = one(raw, position, written, protected, env, wrong)?;
        if !names.insert(source.name.clone()) {
            return Err(wrong(
                &format!("sources[{position}].name"),
                format!(
                    "`{}` stands there twice; each source needs a name of its own",
                    source.name
                ),
            ));
        }
        sources.push(source);
    }
    if raw.sources.is_empty() {
        for (name, provider) in [("BAMBOOHR", Provider::BambooHr), ("MERGE", Provider::Merge)] {
            sources.extend(from_variables(raw, name, provider, protected, env, wrong)?);
        }
    }
    Ok(sources)
}

/// `BAMBOOHR_WEBHOOK_SECRET` makes a source `bamboohr`, `MERGE_WEBHOOK_SECRET` one called `merge`.
fn from_variables(
    raw: &Raw,
    prefix: &str,
    provider: Provider,
    protected: &BTreeSet<WorkEmail>,
    env: &Environment,
    wrong: InvalidSetting<'_>,
) -> Result<Option<Source>, SettingsError> {
    let secret = |name: &str| {
        secrets::variable(name, env).map_err(|problem| SettingsError::Secret {
            key: name.to_owned(),
            problem,
        })
    };
    let variable = format!("{prefix}_WEBHOOK_SECRET");
    let previous = format!("{variable}_PREVIOUS");
    let (current, former) = (secret(&variable)?, secret(&previous)?);
    let Some(current) = current else {
        return match former {
            None => Ok(None),
            Some(_) => Err(SettingsError::Secret {
                key: previous,
                problem: format!(
                    "{variable} is not set beside it; set that one too, or unset this one"
                ),
            }),
        };
    };
    let mut keys = vec![key(&variable, &current)?];
    if let Some(former) = former {
        keys.push(key(&previous, &former)?);
    }
    let written = RawSource {
        name: provider.as_str().to_owned(),
        provider,
        webhook_secrets: SecretRefs::default(),
        tenant: None,
        timezone: None,
        cutoff: None,
        silence_alarm: None,
        freshness: None,
        signature_layout: None,
        fields: None,
        api: None,
        linked_accounts: vec![],
    };
    assemble(raw, "sources", &written, keys, protected, env, wrong).map(Some)
}

fn one(
    raw: &Raw,
    position: usize,
    written: &RawSource,
    protected: &BTreeSet<WorkEmail>,
    env: &Environment,
    wrong: InvalidSetting<'_>,
) -> Result<Source, SettingsError> {
    let at = format!("sources[{position}] ({})", written.name);
    if written.webhook_secrets.0.is_empty() {
        return Err(wrong(
            &format!("{at}.webhook_secrets"),
            "at least one is needed, such as [\"env:BAMBOOHR_WEBHOOK_SECRET\"]".to_owned(),
        ));
    }
    let keys = written
        .webhook_secrets
        .0
        .iter()
        .enumerate()
        .map(|(n, place)| {
            let name = format!("{at}.webhook_secrets[{n}]");
            key(&name, &secrets::resolve(&name, &place.0, env)?)
        })
        .collect::<Result<Vec<Key>, _>>()?;
    assemble(raw, &at, written, keys, protected, env, wrong)
}

fn key(name: &str, secret: &SecretString) -> Result<Key, SettingsError> {
    Key::new(secret).map_err(|_| SettingsError::Secret {
        key: name.to_owned(),
        problem: "the secret is empty; with an empty key anybody could sign".to_owned(),
    })
}

fn assemble(
    raw: &Raw,
    at: &str,
    written: &RawSource,
    keys: Vec<Key>,
    protected: &BTreeSet<WorkEmail>,
    env: &Environment,
    wrong: InvalidSetting<'_>,
) -> Result<Source, SettingsError> {
    let name = SourceName::parse(&written.name)
        .map_err(|error| wrong(&format!("{at}.name"), error.to_string()))?;
    let provider = written.provider;
    let only_for = |key: &str, set: bool, owner: Provider| {
        if set && provider != owner {
            Err(wrong(
                &format!("{at}.{key}"),
                format!("it means something for provider = \"{owner}\" only; remove it"),
            ))
        } else {
            Ok(())
        }
    };
    only_for("freshness", written.freshness.is_some(), Provider::BambooHr)?;
    only_for(
        "signature_layout",
        written.signature_layout.is_some(),
        Provider::BambooHr,
    )?;
    only_for("fields", written.fields.is_some(), Provider::BambooHr)?;
    only_for(
        "linked_accounts",
        !written.linked_accounts.is_empty(),
        Provider::Merge,
    )?;

    if written.freshness.is_some_and(|span| span.0.is_zero()) {
        return Err(wrong(
            &format!("{at}.freshness"),
            "it must be at least 1s; with 0 every delivery would be stale".to_owned(),
        ));
    }
    let scheme = match provider {
        Provider::Merge => Scheme::Merge { keys },
        Provider::BambooHr => Scheme::BambooHr {
            keys,
            layout: written
                .signature_layout
                .as_deref()
                .map_or(Ok(Layout::default()), Layout::parse)
                .map_err(|error| wrong(&format!("{at}.signature_layout"), error.to_string()))?,
            freshness: written
                .freshness
                .map_or(Ok(TimeDelta::hours(3)), |span| TimeDelta::from_std(span.0))
                .map_err(|_| {
                    wrong(
                        &format!("{at}.freshness"),
                        "it is longer than any clock runs".to_owned(),
                    )
                })?,
        },
    };
    let tenant = Tenant::new(
        written
            .tenant
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
    );
    let mut tokens = BTreeMap::new();
    let mut tenants = HashMap::new();
    for (n, account) in written.linked_accounts.iter().enumerate() {
        let here = format!("{at}.linked_accounts[{n}]");
        if tenants
            .insert(account.id.clone(), Tenant::new(account.tenant.clone()))
            .is_some()
        {
            return Err(wrong(
                &format!("{here}.id"),
                "this linked account stands there twice".to_owned(),
            ));
        }
        if let Some(place) = &account.token {
            tokens.insert(
                account.id.clone(),
                secrets::resolve(&format!("{here}.token"), &place.0, env)?,
            );
        }
    }
    Ok(Source {
        provider_config: ProviderConfig {
            provider,
            fields: field_names(written.fields.as_ref()),
            tenancy: if tenants.is_empty() {
                Tenancy::One(tenant)
            } else {
                Tenancy::ByLinkedAccount(tenants)
            },
        },
        policy: Policy {
            provider,
            timezone: written.timezone.unwrap_or(raw.policy.timezone).0,
            cutoff: written.cutoff.unwrap_or(raw.policy.cutoff).into(),
            inactive_without_date: raw.policy.inactive_without_date.into(),
            deleted: match provider {
                Provider::BambooHr => raw.policy.deleted.bamboohr.into(),
                Provider::Merge => raw.policy.deleted.merge.into(),
            },
            rehire: raw.policy.rehire.into(),
            can_read: provider == Provider::BambooHr && written.api.is_some(),
            protected: protected.clone(),
        },
        api: match &written.api {
            None => None,
            Some(api) => Some(ApiSettings {
                base_url: Some(api.base_url.clone()).filter(|url| !url.is_empty()),
                company_domain: Some(api.company_domain.clone())
                    .filter(|domain| !domain.is_empty()),
                api_key: secrets::resolve(&format!("{at}.api.api_key"), &api.api_key.0, env)?,
                poll: api.poll.map_or(Duration::from_mins(15), |span| span.0),
                full_sweep: api
                    .full_sweep
                    .map_or(Duration::from_hours(24), |span| span.0),
                account_tokens: tokens,
            }),
        },
        silence_alarm: written.silence_alarm.unwrap_or(raw.policy.silence_alarm).0,
        name,
        scheme,
    })
}

/// A list that is given replaces the default list of that field; the others keep theirs.
fn field_names(written: Option<&RawFields>) -> FieldNames {
    let mut names = FieldNames::default();
    if let Some(fields) = written {
        let lists = [
            (&fields.status, &mut names.status),
            (&fields.employment_status, &mut names.employment_status),
            (&fields.termination_date, &mut names.termination_date),
            (&fields.hire_date, &mut names.hire_date),
            (&fields.work_email, &mut names.work_email),
        ];
        for (given, list) in lists {
            if let Some(given) = given {
                list.clone_from(given);
            }
        }
    }
    names
}
