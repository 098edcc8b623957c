//! Section `[traces]`. It has no variables of its own.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

use super::secrets::SecretReader;
use super::values::SecretRef;
use super::{Provenance, SettingsError};

/// Traces for OpenTelemetry.
#[derive(Debug, Clone)]
pub struct TracesSettings {
    /// URL of the collector's HTTP receiver, without a slash at its end.
    pub endpoint: String,
    /// Percentage of traces that are sent.
    pub sample_percent: u32,
    /// Headers of each request, by name.
    pub headers: BTreeMap<String, SecretString>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTraces {
    endpoint: String,
    sample_percent: u32,
    headers: BTreeMap<String, SecretRef>,
}

impl RawTraces {
    /// Returns `None` if traces are off.
    pub(super) fn build(
        self,
        secrets: &SecretReader<'_>,
        provenance: &Provenance,
    ) -> Result<Option<Box<TracesSettings>>, SettingsError> {
        let sample_percent = self.sample_percent;
        if !(1..=100).contains(&sample_percent) {
            let problem = format!("`{sample_percent}` is not a percentage; set it to 1 to 100");
            return Err(provenance.invalid_setting("traces.sample_percent", problem));
        }
        let endpoint = self.endpoint.trim().trim_end_matches('/').to_owned();
        if endpoint.is_empty() {
            return Ok(None);
        }
        let is_url = reqwest::Url::parse(&endpoint).is_ok_and(|url| {
            let is_http = ["http", "https"].contains(&url.scheme());
            let has_user = !url.username().is_empty() || url.password().is_some();
            is_http && !has_user && url.query().is_none() && url.fragment().is_none()
        });
        if !is_url {
            return Err(provenance.invalid_setting(
                "traces.endpoint",
                "it is not a URL without user and query; write it like http://collector.example:4318",
            ));
        }
        let mut headers = BTreeMap::new();
        for (name, reference) in &self.headers {
            let key = format!("traces.headers.{name}");
            if http::HeaderName::try_from(name).is_err() {
                return Err(provenance.invalid_setting(&key, "it is not the name of a header"));
            }
            if let Some(value) = secrets.trace_header(&key, reference)? {
                headers.insert(name.clone(), value);
            }
        }
        Ok(Some(Box::new(TracesSettings {
            endpoint,
            sample_percent,
            headers,
        })))
    }
}
