//! The clients of the providers' APIs, from the settings.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::Settings;
use crate::clock::Clock;
use crate::domain::{Provider, SourceName};
use crate::payload::Tenancy;
use crate::pull::{BambooHrAddress, BambooHrApi, Limits, Transport};
use crate::settings::{ApiSettings, Source};

/// The BambooHR companies that can be read; one transport for all, so that they share its budgets.
///
/// # Errors
/// When a source's `api` does not say where it is, or TLS cannot be set up.
pub fn bamboohr_apis(
    settings: &Settings,
    limits: &Limits,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<HashMap<SourceName, BambooHrApi>> {
    let mut apis = HashMap::new();
    let mut transport = None;
    for source in &settings.sources {
        let (Some(api), Provider::BambooHr) = (&source.api, source.policy.provider) else {
            continue;
        };
        let transport: &Transport = match &mut transport {
            Some(transport) => transport,
            empty => empty.insert(
                Transport::new(limits.clone(), Arc::clone(clock))
                    .context("cannot set up TLS for the providers' APIs")?,
            ),
        };
        let Tenancy::One(tenant) = &source.dialect.tenancy else {
            continue;
        };
        let client = BambooHrApi::new(
            bamboohr_address(source, api)?,
            tenant.clone(),
            api.api_key.clone(),
            transport.clone(),
        );
        apis.insert(source.name.clone(), client);
    }
    Ok(apis)
}

/// Where a source's BambooHR is.
///
/// # Errors
/// What is wrong with the setting that says so.
pub fn bamboohr_address(source: &Source, api: &ApiSettings) -> anyhow::Result<BambooHrAddress> {
    let address = match (&api.base_url, &api.company_domain) {
        (Some(url), _) => BambooHrAddress::parse(url),
        (None, Some(company)) => BambooHrAddress::of_company(company),
        (None, None) => {
            return Err(anyhow!(
                "source {}: api.company_domain is missing: the part before .bamboohr.com",
                source.name
            ));
        }
    };
    address.with_context(|| format!("source {}", source.name))
}
