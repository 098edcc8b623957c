//! Smallest values with which the service can work.

use std::time::Duration;

use super::values::ConfigDuration;
use super::{Provenance, SettingsError};

/// A timeout or interval below this is a mistake, not a choice.
const MIN_DURATION: Duration = Duration::from_millis(1);

impl Provenance {
    /// Fails unless `is_enough`; the error names the key and the smallest valid value.
    pub(super) fn require_minimum(
        &self,
        key: &str,
        is_enough: bool,
        minimum: &str,
    ) -> Result<(), SettingsError> {
        if is_enough {
            Ok(())
        } else {
            Err(self.invalid_setting(key, format!("it must be at least {minimum}")))
        }
    }

    /// Returns the duration. Fails if it is shorter than 1 ms.
    pub(super) fn require_duration(
        &self,
        key: &str,
        duration: ConfigDuration,
    ) -> Result<Duration, SettingsError> {
        self.require_minimum(key, duration.0 >= MIN_DURATION, "1ms")?;
        Ok(duration.0)
    }
}
