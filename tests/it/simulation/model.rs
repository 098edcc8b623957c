//! The expected state, from the documented rules and without the service's own code. The model reads all facts at once,
//! so it has no order of arrival, no repetition and no crash.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

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
    /// The work e-mail that came along.
    pub(super) address: Option<Address>,
}

/// A work e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// The address of the person's account.
    Own,
    /// One that no account has.
    Unused,
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

/// An end that the service carried out: the last day known then, and when access was given back since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) last_day: Option<NaiveDate>,
    pub(super) returned: Option<DateTime<Utc>>,
}

/// What follows from all that was said of one employee, and from the end that was carried out last.
pub(super) fn verdict(
    source: Source,
    said: &[Statement],
    ended: Option<Ended>,
    now: DateTime<Utc>,
) -> Verdict {
    let by_facts = by_facts(source, said, ended, now);
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

fn by_facts(
    source: Source,
    said: &[Statement],
    ended: Option<Ended>,
    now: DateTime<Utc>,
) -> Verdict {
    let status = newest(said, |facts| facts.status);
    let first_day = newest(said, |facts| facts.first_day).and_then(|(told, _)| told.day());
    let last_day =
        newest(said, |facts| facts.last_day).and_then(|(told, s)| Some((told.day()?, s)));
    let of_end = |day: NaiveDate| ended.filter(|ended| ended.last_day == Some(day));
    let came_back = |day: NaiveDate| {
        let returned = of_end(day).and_then(|ended| ended.returned);
        returned.is_some_and(|at| at >= ends(day))
    };
    // A day before the first day of the present employment belongs to an earlier one, and so does one before a return.
    let present = last_day
        .filter(|(day, _)| first_day.is_none_or(|first| begins(first) > now || first <= *day))
        .filter(|(day, _)| !came_back(*day));
    if let Some((Status::Inactive, inactive)) = status {
        return when_inactive(source, said, inactive, first_day, present, now);
    }
    if let Some((day, announced)) = present {
        if ends(day) > now {
            return Verdict::Leaves {
                at: ends(day),
                works: matches!(status, Some((Status::Active, _))),
            };
        }
        if first_day != Some(next(day)) {
            // It was carried out, or was announced and nothing was said since; otherwise it is a sign without proof.
            let said_after = status.is_some_and(|(_, s)| s.learned >= ends(day));
            let is_proof = of_end(day).is_some_and(|ended| ended.returned.is_none())
                || (announced.learned < ends(day) && !said_after);
            return if is_proof {
                Verdict::Left
            } else {
                Verdict::Ask { at: None }
            };
        }
    }
    match status {
        Some((Status::Active, _)) => Verdict::Works,
        _ => Verdict::Silent,
    }
}

fn when_inactive(
    source: Source,
    said: &[Statement],
    inactive: &Statement,
    first_day: Option<NaiveDate>,
    present: Option<(NaiveDate, &Statement)>,
    now: DateTime<Utc>,
) -> Verdict {
    let ahead = first_day.filter(|day| begins(*day) > now);
    if let (Some((day, _)), Some(first)) = (present, ahead)
        && first == next(day)
    {
        return Verdict::Leaves {
            at: begins(first),
            works: true,
        };
    }
    let terminated = newest(said, |facts| facts.terminated);
    // One from before the first day is of an earlier employment.
    let is_present = |s: &Statement| {
        let begun = first_day.filter(|day| begins(*day) <= now);
        begun.is_none_or(|day| s.as_of >= begins(day))
    };
    if source == Source::Bamboohr && terminated.is_some_and(|(is, s)| is && is_present(s)) {
        return Verdict::Left;
    }
    let Some((day, announced)) = present else {
        return if ahead.is_some() {
            Verdict::Silent
        } else {
            Verdict::Ask { at: None }
        };
    };
    // Said on a day that has begun it means now; said before, it announced the day.
    let said_since = announced.learned.max(inactive.learned) >= begins(day);
    if begins(day) > now || (ends(day) > now && !said_since) {
        return Verdict::Leaves {
            at: ends(day),
            works: false,
        };
    }
    let is_old = inactive.learned - ends(day) > TimeDelta::days(7);
    if is_old && terminated.is_some_and(|(_, s)| s.as_of >= announced.as_of) {
        Verdict::Ask { at: None }
    } else {
        Verdict::Left
    }
}

/// Returns whether the work e-mail that was said last is that of the person's account.
pub(super) fn has_own_address(said: &[Statement]) -> bool {
    newest(said, |facts| facts.address).is_some_and(|(address, _)| address == Address::Own)
}

/// The last day that was said, if there is one.
pub(super) fn last_day(said: &[Statement]) -> Option<NaiveDate> {
    newest(said, |facts| facts.last_day).and_then(|(told, _)| told.day())
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
