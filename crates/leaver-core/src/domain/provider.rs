//! The providers whose webhooks Leaver understands, and what each of them can do.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, IntoEnumIterator, IntoStaticStr};

/// Who signs a source's deliveries and defines the format of their bodies.
///
/// A new provider is a new variant. Every `match` on it is exhaustive, so the compiler lists the places to extend.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumIter,
    IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Provider {
    /// BambooHR, an HR system.
    BambooHr,
    /// Merge, an API in front of many HR systems.
    Merge,
    /// Proves in tests that the steps in `CONTRIBUTING.md` are complete.
    #[cfg(test)]
    Toy,
}

impl Provider {
    /// Iterates over all providers.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    /// Returns the word used in the configuration and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the name as the provider writes it.
    #[must_use]
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::BambooHr => "BambooHR",
            Self::Merge => "Merge",
            #[cfg(test)]
            Self::Toy => "Toy",
        }
    }
}

/// What a provider sends, signs and offers over its API.
///
/// Code outside the provider folders asks these flags and never compares providers.
/// `Provider::capabilities` returns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags are independent of each other"
)]
pub struct Capabilities {
    /// The signature covers the time of sending, so old deliveries can be rejected.
    pub signs_timestamp: bool,
    /// Some webhooks name a change without its values, which then have to be read over the API.
    pub has_events_without_values: bool,
    /// Deliveries list the fields that changed.
    pub lists_changed_fields: bool,
    /// Customers choose the names under which the webhook posts fields.
    pub has_custom_field_names: bool,
    /// `EmploymentStatus::Terminated` is reported, with a fixed meaning.
    pub reports_employment_status: bool,
    /// Future hires have the status `Inactive` until their first day.
    pub future_hires_are_inactive: bool,
    /// One source serves several companies, each with an account id and an access token of its own.
    pub has_linked_accounts: bool,
    /// The API lists who changed since a time, without values.
    pub lists_changed_employees: bool,
    /// The API returns pages of whole records.
    pub has_bulk_reads: bool,
    /// The API creates and lists webhooks, and has a log of their deliveries.
    pub manages_webhooks: bool,
    /// A deleted record means that the person left: the default of `policy.deleted`.
    pub deletion_means_departure: bool,
    /// Minutes between the first attempt at a delivery and the last retry.
    pub last_retry_after_minutes: u32,
}
