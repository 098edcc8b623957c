//! A delivery by which a provider reports that a person left, for trying the service.

use chrono::{DateTime, Days, Utc};
use sha2::{Digest, Sha256};

use super::{ProviderConfig, bamboohr, merge};
use crate::domain::Provider;

/// The person, and when the provider reports it.
pub(super) struct Departure<'a> {
    pub(super) email: &'a str,
    /// Made from the e-mail, so that a second delivery is about the same employee.
    pub(super) employee_id: String,
    pub(super) last_day: String,
    pub(super) now: DateTime<Utc>,
}

/// Returns the body of a delivery by which the provider of a source reports that the person with this e-mail left. `None` if
/// the source has no company yet: a made-up delivery would determine it.
#[must_use]
pub fn departure(config: &ProviderConfig, email: &str, now: DateTime<Utc>) -> Option<String> {
    let digest = Sha256::digest(email.to_lowercase());
    let number = digest
        .iter()
        .take(4)
        .fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    // Two days ago is past in every time zone.
    let last_day = now.date_naive().checked_sub_days(Days::new(2))?;
    let departure = Departure {
        email,
        employee_id: format!("9{number:010}"),
        last_day: last_day.to_string(),
        now,
    };
    match config.provider {
        Provider::BambooHr => Some(bamboohr::departure(&config.fields, &departure)),
        Provider::Merge => merge::departure(&config.tenancy, &departure),
        #[cfg(test)]
        Provider::Toy => None,
    }
}
