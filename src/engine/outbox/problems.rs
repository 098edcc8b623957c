//! Events about problems of sources: one when a problem begins. Which problems last is stored, so that replicas and restarts do
//! not repeat the event.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::{NewEvent, Subject, record, store};
use leaver_core::domain::SourceName;
use leaver_core::events::{EventType, Subscriptions};

/// The kind of a problem. Its name is that of the reason in `/health`, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum ProblemCode {
    /// Nothing arrived for longer than `max_silence`.
    SourceSilent,
    /// The last read of the API was incomplete.
    SyncIncomplete,
    /// The API does not accept the credentials, or not for this read.
    CredentialsRefused,
    /// A webhook at the provider has a problem.
    ProviderWebhookProblem,
}

impl ProblemCode {
    fn as_str(self) -> &'static str {
        self.into()
    }

    fn event(self) -> EventType {
        match self {
            Self::SourceSilent => EventType::SourceSilent,
            Self::SyncIncomplete | Self::CredentialsRefused | Self::ProviderWebhookProblem => {
                EventType::SourceUnhealthy
            }
        }
    }
}

/// A problem that a check found.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// The source.
    pub(crate) source: SourceName,
    /// The kind.
    pub(crate) code: ProblemCode,
    /// The linked account or the webhook that has it. Empty if it is the source's.
    pub(crate) part: String,
    /// When it began, as far as is known.
    pub(crate) since: DateTime<Utc>,
    /// The problem in words. Holds no personal data.
    pub(crate) reason: Option<String>,
}

/// The extent of a check: problems within it that it did not find have ended.
#[derive(Clone, Debug)]
pub(crate) struct Checked<'a> {
    /// The sources.
    pub(crate) sources: &'a [SourceName],
    /// The kinds.
    pub(crate) codes: &'a [ProblemCode],
    /// The linked account; `None` for all parts.
    pub(crate) part: Option<&'a str>,
}

/// Returns whether a destination wants events of one of these kinds.
pub(crate) fn wants_problems(subscriptions: &Subscriptions, codes: &[ProblemCode]) -> bool {
    codes.iter().any(|code| subscriptions.wants(code.event()))
}

/// Records an event for each problem that is new, and forgets those that have ended. Returns whether there was an event. If no
/// destination wants any, it runs no statement.
///
/// # Errors
/// Returns the database's error; the transaction must be rolled back then.
pub(crate) async fn record_problems(
    conn: &mut PgConnection,
    subscriptions: &Subscriptions,
    checked: &Checked<'_>,
    problems: &[Problem],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    if !wants_problems(subscriptions, checked.codes) {
        return Ok(false);
    }
    let begun = store::replace_problems(conn, checked, problems).await?;
    let events = begun.into_iter().filter_map(|position| {
        let problem = problems.get(position)?;
        let data = match problem.code {
            ProblemCode::SourceSilent => json!({ "since": problem.since }),
            _ => json!({
                "code": problem.code.as_str(),
                "part": Some(&problem.part).filter(|part| !part.is_empty()),
                "reason": problem.reason,
                "since": problem.since,
            }),
        };
        let subject = Subject::Source(problem.source.clone());
        Some(NewEvent::new(problem.code.event(), subject, data))
    });
    Ok(record(conn, subscriptions, events, now).await? > 0)
}
