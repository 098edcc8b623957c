//! The expected state, from the documented rules and without the service's own code. The model reads all facts at once,
//! so it has no order of arrival, no repetition and no crash.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use super::ops::Source;

/// What one delivery says of one employee, in the words of the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) status: Option<Status>,
    /// BambooHR: whether the employment status is Terminated.
    pub(super) terminated: Option<bool>,
    /// The last day.
    pub(super) last_day: Option<Told>,
    /// The first day.
    pub(super) first_day: Option<Told>,
    /// The record is gone.
    pub(super) removed: bool,
    /// Something changed, and what is not said.
    pub(super) thin: bool,
    /// A work e-mail came along.
    pub(super) address: bool,
}

/// What is said of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Day(NaiveDate),
    /// That there is none.
    NoDay,
}

impl Told {
    pub(super) fn day(self) -> Option<NaiveDate> {
        match self {
            Self::Day(day) => Some(day),
            Self::NoDay => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Pending,
    Inactive,
}

/// Facts with their times.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) facts: Facts,
    /// When it was so.
    pub(super) as_of: DateTime<Utc>,
    /// When it arrived.
    pub(super) learned: DateTime<Utc>,
}

/// What follows for the person's access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Has access.
    Works,
    /// Has left: no access.
    Left,
    /// Access ends at an instant ahead; until then whoever works there has it.
    Leaves { at: DateTime<Utc>, works: bool },
    /// A person is to be asked; access ends at an instant all the same, where one is announced.
    Ask { at: Option<DateTime<Utc>> },
    /// Nothing follows.
    Silent,
}

impl Verdict {
    pub(super) fn works(self) -> bool {
        matches!(self, Self::Works | Self::Leaves { works: true, .. })
    }

    /// When the timer is to look.
    pub(super) fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Leaves { at, .. } => Some(at),
            Self::Ask { at } => at,
            Self::Works | Self::Left | Self::Silent => None,
        }
    }
}

/// What follows from all that was said of one employee.
pub(super) fn verdict(source: Source, said: &[Statement], now: DateTime<Utc>) -> Verdict {
    let by_facts = by_facts(source, said, now);
    let removed = newest(said, |facts| Some(facts.removed));
    if removed.is_some_and(|(removed, _)| removed) && by_facts != Verdict::Left {
        return match source {
            Source::Bamboohr => Verdict::Left,
            Source::Merge => Verdict::Ask { at: by_facts.at() },
        };
    }
    let unread = said.iter().filter(|s| s.facts.thin).map(|s| s.as_of).max();
    let status = newest(said, |facts| facts.status);
    let answered = unread.is_none_or(|at| status.is_some_and(|(_, s)| s.as_of > at));
    if answered || matches!(by_facts, Verdict::Left | Verdict::Leaves { .. }) {
        by_facts
    } else {
        Verdict::Ask { at: None }
    }
}

fn by_facts(source: Source, said: &[Statement], now: DateTime<Utc>) -> Verdict {
    let status = newest(said, |facts| facts.status);
    let terminated = newest(said, |facts| facts.terminated).is_some_and(|(is, _)| is);
    let first_day = newest(said, |facts| facts.first_day).and_then(|(told, _)| told.day());
    let last_day =
        newest(said, |facts| facts.last_day).and_then(|(told, s)| Some((told.day()?, s)));
    if let Some((Status::Inactive, inactive)) = status {
        if first_day.is_some_and(|day| begins(day) > now) {
            // A pre-hire; an end that lies ahead is an end all the same.
            return match last_day {
                Some((day, _)) if begins(day) > now => Verdict::Leaves {
                    at: ends(day),
                    works: false,
                },
                _ => Verdict::Silent,
            };
        }
        if source == Source::Bamboohr && terminated {
            return Verdict::Left;
        }
        let Some((day, announced)) = last_day else {
            return Verdict::Ask { at: None };
        };
        // Said on a day that has begun it means now; said before, it announced the day.
        let said_since = announced.learned.max(inactive.learned) >= begins(day);
        return if ends(day) <= now || (begins(day) <= now && said_since) {
            Verdict::Left
        } else {
            Verdict::Leaves {
                at: ends(day),
                works: false,
            }
        };
    }
    if let Some((day, announced)) = last_day {
        if ends(day) > now {
            return Verdict::Leaves {
                at: ends(day),
                works: matches!(status, Some((Status::Active, _))),
            };
        }
        // A rehire keeps its old date: it counts when it was announced, and no status was said after it.
        let said_after = status.is_some_and(|(_, s)| s.learned >= ends(day));
        let goes_on = first_day == Some(next(day));
        if announced.learned < ends(day) && !said_after && !goes_on {
            return Verdict::Left;
        }
    }
    match status {
        Some((Status::Active, _)) => Verdict::Works,
        _ => Verdict::Silent,
    }
}

/// The newest of the statements that say something of the kind.
fn newest<T>(said: &[Statement], of: impl Fn(&Facts) -> Option<T>) -> Option<(T, &Statement)> {
    let speaking = said.iter().filter(|s| of(&s.facts).is_some());
    let newest = speaking.max_by_key(|s| s.as_of)?;
    Some((of(&newest.facts)?, newest))
}

fn next(day: NaiveDate) -> NaiveDate {
    day + Days::new(1)
}

/// Days are days in UTC here, and access ends with the end of the day.
fn begins(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn ends(day: NaiveDate) -> DateTime<Utc> {
    begins(next(day))
}
