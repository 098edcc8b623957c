//! One `[[sources]]` section as written.

use serde::Deserialize;

use crate::config::values::{ConfigDuration, ConfigTimezone, MaxSilence, SecretRef, SecretRefs};
use leaver_core::decision::policy::Cutoff;
use leaver_core::domain::Provider;
use leaver_core::providers::FieldNames;
use leaver_core::safeguard::SourceMode;
use leaver_core::signature::Layout;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawSource {
    pub(in crate::config) name: String,
    pub(in crate::config) provider: Provider,
    #[serde(default)]
    pub(super) webhook_secrets: SecretRefs,
    pub(in crate::config) tenant: Option<String>,
    pub(super) timezone: Option<ConfigTimezone>,
    pub(super) cutoff: Option<Cutoff>,
    pub(super) max_silence: Option<MaxSilence>,
    pub(super) mode: Option<SourceMode>,
    pub(super) timestamp_tolerance: Option<ConfigDuration>,
    pub(super) signature_layout: Option<Layout>,
    pub(super) fields: Option<RawFields>,
    pub(super) api: Option<RawApi>,
    #[serde(default)]
    pub(in crate::config) linked_accounts: Vec<RawLinkedAccount>,
    #[serde(default)]
    pub(super) ignored_linked_accounts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFields {
    status: Option<Vec<String>>,
    employment_status: Option<Vec<String>>,
    termination_date: Option<Vec<String>>,
    hire_date: Option<Vec<String>>,
    work_email: Option<Vec<String>>,
    job_title: Option<Vec<String>>,
    department: Option<Vec<String>>,
    manager: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawApi {
    #[serde(default)]
    pub(super) base_url: String,
    #[serde(default)]
    pub(super) company_domain: String,
    pub(super) api_key: SecretRef,
    pub(super) sync_interval: Option<ConfigDuration>,
    pub(super) full_sync_interval: Option<ConfigDuration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawLinkedAccount {
    pub(super) id: String,
    pub(super) tenant: String,
    pub(super) token: Option<SecretRef>,
}

impl RawSource {
    /// Makes a source that sets nothing but its name, which is the provider's.
    pub(super) fn of_provider(provider: Provider) -> Self {
        Self {
            name: provider.as_str().to_owned(),
            provider,
            webhook_secrets: SecretRefs::default(),
            tenant: None,
            timezone: None,
            cutoff: None,
            max_silence: None,
            mode: None,
            timestamp_tolerance: None,
            signature_layout: None,
            fields: None,
            api: None,
            linked_accounts: vec![],
            ignored_linked_accounts: vec![],
        }
    }
}

impl RawFields {
    /// Returns the field names: each list given here replaces the default list of that field.
    pub(super) fn over_defaults(&self) -> FieldNames {
        let mut names = FieldNames::default();
        let lists = [
            (&self.status, &mut names.status),
            (&self.employment_status, &mut names.employment_status),
            (&self.termination_date, &mut names.termination_date),
            (&self.hire_date, &mut names.hire_date),
            (&self.work_email, &mut names.work_email),
            (&self.job_title, &mut names.job_title),
            (&self.department, &mut names.department),
            (&self.manager, &mut names.manager),
        ];
        for (given, list) in lists {
            if let Some(given) = given {
                list.clone_from(given);
            }
        }
        names
    }
}
