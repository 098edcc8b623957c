//! Builds the clients of the providers' APIs from the settings.

use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::Settings;
use crate::base::clock::Clock;
use crate::config::{ApiSettings, Source};
use crate::connect::{
    BambooHrAddress, BambooHrApi, ClientLimits, LinkedAccount, MergeAddress, MergeApi,
    ProviderClient, Transport,
};
use crate::jobs::sync::SyncSource;
use leaver_core::domain::Provider;
use leaver_core::providers::Tenancy;

/// Builds the client of each source with an API. All share one transport, and with it the limits per host and credential.
///
/// # Errors
/// Returns an error if the address of an API is missing or invalid, or if TLS cannot be set up.
pub fn companies(
    settings: &Settings,
    limits: &ClientLimits,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Vec<SyncSource>> {
    if settings.sources.iter().all(|source| source.api.is_none()) {
        return Ok(vec![]);
    }
    let transport = Transport::new(limits.clone(), Arc::clone(clock))
        .context("cannot set up TLS for the providers' APIs")?;
    let readable = settings.sources.iter();
    readable
        .filter_map(|source| source.api.as_ref().map(|api| (source, api)))
        .map(|(source, api)| {
            Ok(SyncSource {
                source: source.name.clone(),
                webhook_url: settings.server.webhook_url(&source.name),
                client: provider_client(source, api, &transport)?,
                sync_interval: api.sync_interval,
                full_sync_interval: api.full_sync_interval,
            })
        })
        .collect()
}

/// Builds the client of one source.
///
/// # Errors
/// Returns an error if the address of the API is missing or invalid.
fn provider_client(
    source: &Source,
    api: &ApiSettings,
    transport: &Transport,
) -> anyhow::Result<ProviderClient> {
    let key = api.api_key.clone();
    let timezone = source.provider_config.timezone;
    let tenancy = &source.provider_config.tenancy;
    let position = source.provider_config.position.clone();
    match address(source, api)? {
        ApiAddress::BambooHr(address) => {
            let Tenancy::One(tenant) = tenancy else {
                return Err(anyhow!("source {}: `tenant` is missing", source.name));
            };
            let client =
                BambooHrApi::new(address, tenant.clone(), timezone, key, transport.clone());
            let client = client.with_position(position);
            Ok(ProviderClient::BambooHr(client))
        }
        ApiAddress::Merge(address) => {
            let client = MergeApi::new(address, key, transport.clone()).with_position(position);
            let accounts = match tenancy {
                Tenancy::One(_) => vec![],
                Tenancy::ByLinkedAccount(tenants) => api
                    .account_tokens
                    .iter()
                    .filter_map(|(id, token)| {
                        Some(LinkedAccount {
                            id: id.clone(),
                            tenant: tenants.get(id)?.clone(),
                            timezone,
                            token: token.clone(),
                        })
                    })
                    .collect(),
            };
            Ok(ProviderClient::Merge(client, accounts))
        }
    }
}

/// Checks the address of a source's API.
///
/// # Errors
/// Returns an error if it is missing or invalid.
pub(crate) fn check_address(source: &Source, api: &ApiSettings) -> anyhow::Result<()> {
    address(source, api).map(drop)
}

/// The address of a source's API, parsed.
enum ApiAddress {
    BambooHr(BambooHrAddress),
    Merge(MergeAddress),
}

// The only `match` on a provider outside `leaver-core`: it selects the client.
fn address(source: &Source, api: &ApiSettings) -> anyhow::Result<ApiAddress> {
    match source.policy.provider {
        Provider::BambooHr => bamboohr_address(source, api).map(ApiAddress::BambooHr),
        Provider::Merge => merge_address(source, api).map(ApiAddress::Merge),
    }
}

fn merge_address(source: &Source, api: &ApiSettings) -> anyhow::Result<MergeAddress> {
    let url = api.base_url.as_deref();
    MergeAddress::parse(url.unwrap_or(MergeAddress::UNITED_STATES))
        .with_context(|| format!("source {}", source.name))
}

fn bamboohr_address(source: &Source, api: &ApiSettings) -> anyhow::Result<BambooHrAddress> {
    let address = match (&api.base_url, &api.company_domain) {
        (Some(url), _) => BambooHrAddress::parse(url),
        (None, Some(company)) => BambooHrAddress::from_company_domain(company),
        (None, None) => {
            return Err(anyhow!(
                "source {}: `api.company_domain` is missing; set it to the part before .bamboohr.com",
                source.name
            ));
        }
    };
    address.with_context(|| format!("source {}", source.name))
}
