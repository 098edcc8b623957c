//! Checks that several companies cannot reach each other's accounts by oversight.

use std::collections::BTreeSet;

use super::raw::Raw;
use super::{Provenance, SettingsError, Source};
use leaver_core::domain::{Provider, Tenant};

/// Fails if the sources have several tenants, and neither does a column separate them nor do the settings declare one company.
///
/// Names that differ are different tenants, also if they are similar.
pub(super) fn check(
    raw: &Raw,
    sources: &[Source],
    provenance: &Provenance,
) -> Result<(), SettingsError> {
    if raw.accounts.is_single_company() {
        return Ok(());
    }
    let tenants: BTreeSet<&Tenant> = sources
        .iter()
        .flat_map(|source| source.provider_config.tenancy.tenants())
        .collect();
    if tenants.len() > 1 && !raw.accounts.has_tenant_column() {
        let names: Vec<String> = tenants
            .iter()
            .map(|name| format!("{:?}", name.as_str()))
            .collect();
        return Err(provenance.invalid_setting(
            "accounts.tenant_column",
            format!(
                "it is empty, and the sources have {} tenants ({}), so one company could change accounts of another; set it \
                 to the column that holds the company of an account, or set `accounts.single_company = true` if all of them \
                 are one company",
                tenants.len(),
                names.join(", ")
            ),
        ));
    }
    Provider::all().try_for_each(|provider| check_stated(raw, provider, provenance))
}

/// Fails if two sources of a provider leave out their tenant. Each of them is a company, and the default would join them.
fn check_stated(
    raw: &Raw,
    provider: Provider,
    provenance: &Provenance,
) -> Result<(), SettingsError> {
    let sources = raw.sources.iter().enumerate();
    let mut unstated = sources.filter(|(_, source)| {
        source.provider == provider && source.tenant.is_none() && source.linked_accounts.is_empty()
    });
    let (Some((_, first)), Some((position, second))) = (unstated.next(), unstated.next()) else {
        return Ok(());
    };
    let name = &second.name;
    Err(provenance.invalid_setting(
        &format!("sources[{position}] ({name}).tenant"),
        format!(
            "`{}` and `{name}` leave it out, and two {} sources may be two companies; set `tenant` of both, or set \
             `accounts.single_company = true` if all sources are one company",
            first.name,
            provider.display_name()
        ),
    ))
}
