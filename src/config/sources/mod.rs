//! Sections `[[sources]]`. Without one, `BAMBOOHR_WEBHOOK_SECRET` and `MERGE_WEBHOOK_SECRET` make a source each;
//! `..._PREVIOUS` beside them is a second key, and every variable has a `..._FILE` twin.

mod build;
mod raw;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::SecretString;

use self::build::{Context, build_source, parse_source};
pub(super) use self::raw::RawSource;
use super::secrets::SecretReader;
use super::{Provenance, Raw, SettingsError};
use leaver_core::decision::policy::Policy;
use leaver_core::domain::{Provider, SourceName, WorkEmail};
use leaver_core::providers::{PositionFacts, ProviderConfig};
use leaver_core::safeguard::SourceMode;
use leaver_core::signature::Scheme;

/// One configured sender of webhooks.
#[derive(Debug)]
pub struct Source {
    /// Name; the last part of the webhook's path.
    pub name: SourceName,
    /// How its deliveries are signed, with the keys that are in the scope of the command.
    pub scheme: Scheme,
    /// How its bodies are parsed.
    pub provider_config: ProviderConfig,
    /// How its facts become decisions.
    pub policy: Policy,
    /// The provider's API; without it the source is never read. `None` also if it is not in the scope of the command.
    pub api: Option<ApiSettings>,
    /// How long it may send nothing before health is degraded; `None` for no limit.
    pub max_silence: Option<Duration>,
    /// The mode in which it starts when it is first seen.
    pub mode: SourceMode,
}

/// A provider's API.
#[derive(Debug)]
pub struct ApiSettings {
    /// URL, if it is not the provider's own.
    pub base_url: Option<String>,
    /// BambooHR only: the part of the address before `.bamboohr.com`.
    pub company_domain: Option<String>,
    /// The API key.
    pub api_key: SecretString,
    /// Time between two reads of the employees that changed.
    pub sync_interval: Duration,
    /// Time between two reads of all employees.
    pub full_sync_interval: Duration,
    /// Merge only: the token of each linked account, by the account's id.
    pub account_tokens: BTreeMap<String, SecretString>,
}

/// Builds the sources from the `[[sources]]` sections, or from the variables if there is no section.
pub(super) fn build(
    raw: &Raw,
    protected: &BTreeSet<WorkEmail>,
    position: &PositionFacts,
    secrets: &SecretReader<'_>,
    provenance: &Provenance,
) -> Result<Vec<Source>, SettingsError> {
    let context = Context {
        policy: &raw.policy,
        mode: raw.safeguard.mode,
        protected,
        position,
        secrets,
        provenance,
    };
    if raw.sources.is_empty() {
        return Provider::all()
            .filter_map(|provider| source_from_variables(&context, provider).transpose())
            .collect();
    }
    let mut sources = vec![];
    let mut names = BTreeSet::new();
    for (position, raw) in raw.sources.iter().enumerate() {
        let source = parse_source(&context, position, raw)?;
        if !names.insert(source.name.clone()) {
            return Err(provenance.invalid_setting(
                &format!("sources[{position}].name"),
                format!(
                    "`{}` is used twice; each source needs a name of its own",
                    source.name
                ),
            ));
        }
        sources.push(source);
    }
    Ok(sources)
}

/// Builds a source from `<PROVIDER>_WEBHOOK_SECRET` and `<PROVIDER>_WEBHOOK_SECRET_PREVIOUS`. Returns `None` if neither
/// is set. Fails if only the previous one is set.
fn source_from_variables(
    context: &Context<'_>,
    provider: Provider,
) -> Result<Option<Source>, SettingsError> {
    let secrets = context.secrets;
    let variable = format!("{}_WEBHOOK_SECRET", provider.as_str().to_uppercase());
    let previous = format!("{variable}_PREVIOUS");
    if !secrets.is_set(&variable) {
        if !secrets.is_set(&previous) {
            return Ok(None);
        }
        return Err(SettingsError::Secret {
            key: previous,
            problem: format!("{variable} is not set; set it too, or unset this one"),
        });
    }
    let keys = secrets.webhook_keys_of_variables(provider.as_str(), &[&variable, &previous])?;
    let raw = RawSource::of_provider(provider);
    build_source(context, "sources", &raw, keys).map(Some)
}
