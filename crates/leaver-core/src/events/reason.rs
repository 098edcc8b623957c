//! Reasons without values of the HR system. A reason quotes an unknown status between backticks, and shows dates.

/// The text in place of a value.
const VALUE: &str = "…";
/// Quoted parts that are names of settings.
const SETTINGS: [&str; 11] = [
    "accounts.protected",
    "accounts.tenant_column",
    "accounts.where",
    "linked_accounts",
    "api.api_key",
    "api.company_domain",
    "api.token",
    "policy.deleted",
    "policy.inactive_without_date",
    "policy.rehire",
    "safeguard.approval_expires",
];
/// The form of a date: digits stand for `0`.
const DATE: &[u8] = b"0000-00-00";
/// The characters of a time of day after a date.
const TIME: &[u8] = b"0123456789T:.+-Z";

/// Returns a reason with its quoted parts and dates replaced. Names of settings stay.
#[must_use]
pub fn without_values(reason: &str) -> String {
    without_dates(&without_quotes(reason))
}

/// Replaces everything from the first quoted part that is no setting to the last backtick: a value can have backticks itself.
fn without_quotes(reason: &str) -> String {
    let mut from = 0;
    while let Some(opening) = reason.get(from..).and_then(|rest| rest.find('`')) {
        let start = from + opening;
        let inner = reason.get(start + 1..).unwrap_or_default();
        match inner.split_once('`') {
            Some((quoted, _)) if SETTINGS.contains(&quoted) => from = start + quoted.len() + 2,
            _ => {
                let before = reason.get(..start).unwrap_or_default();
                let after = inner.rsplit_once('`').map_or("", |(_, after)| after);
                return format!("{before}{VALUE}{after}");
            }
        }
    }
    reason.to_owned()
}

fn without_dates(reason: &str) -> String {
    let mut shown = String::with_capacity(reason.len());
    let mut rest = reason;
    while let Some(first) = rest.chars().next() {
        if let Some((date, after)) = rest.split_at_checked(DATE.len())
            && is_date(date.as_bytes())
        {
            shown.push_str(VALUE);
            rest = if after.starts_with('T') {
                let is_time = |c: char| c.is_ascii() && TIME.iter().any(|t| char::from(*t) == c);
                after.trim_start_matches(is_time)
            } else {
                after
            };
            continue;
        }
        shown.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    shown
}

fn is_date(text: &[u8]) -> bool {
    text.iter().zip(DATE).all(|(found, expected)| {
        if *expected == b'0' {
            found.is_ascii_digit()
        } else {
            found == expected
        }
    })
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn a_reason_of_an_event_has_no_value() {
        for (reason, expected) in [
            (
                "status is Inactive and employment status is Terminated",
                "status is Inactive and employment status is Terminated",
            ),
            (
                "the status `Jane Doe` is unknown; unknown statuses never count as inactive",
                "the status … is unknown; unknown statuses never count as inactive",
            ),
            (
                "the status `a` Jane `b` is unknown",
                "the status … is unknown",
            ),
            ("the status `Jane", "the status …"),
            (
                "the account is protected (`accounts.protected`)",
                "the account is protected (`accounts.protected`)",
            ),
            (
                "set `api.company_domain` and `api.api_key`; the status `accounts.Doe` is unknown",
                "set `api.company_domain` and `api.api_key`; the status … is unknown",
            ),
            (
                "the termination date 2026-11-24 (Europe/Berlin) has begun",
                "the termination date … (Europe/Berlin) has begun",
            ),
            (
                "leaves at 2026-11-24T09:30:00Z; é 2026-11-2",
                "leaves at …; é 2026-11-2",
            ),
            ("", ""),
        ] {
            assert_eq!(without_values(reason), expected);
        }
    }
}
