//! Replays of a few observations through two policies that differ in one setting.

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::*;
use crate::decision::RequestedAction;
use crate::decision::policy::{Cutoff, OnUncertain, Rehire, SourcesDisagree};
use crate::domain::{DateOrInstant, EmployeeId, EmploymentStatus, Fact, Provider, Status};
use crate::safeguard::{Limit, Window};

const NOW: &str = "2026-12-01T12:00:00Z";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn key(source: &str, id: &str) -> EmployeeKey {
    EmployeeKey {
        source: SourceName::parse(source).unwrap(),
        tenant: Tenant::new("acme"),
        employee_id: EmployeeId::new(id),
    }
}

fn rules(change: impl Fn(&mut Policy)) -> Rules {
    let policies = Provider::all().filter_map(|provider| {
        let mut policy = Policy {
            provider,
            timezone: Tz::UTC,
            cutoff: Cutoff::EndOfDay,
            inactive_without_date: OnUncertain::Hold,
            deleted: OnUncertain::Hold,
            rehire: Rehire::Hold,
            sources_disagree: SourcesDisagree::Hold,
            sync_interval: None,
            can_read: false,
            protected: std::collections::BTreeSet::new(),
        };
        change(&mut policy);
        Some((SourceName::parse(provider.as_str()).ok()?, policy))
    });
    Rules {
        policies: policies.collect(),
        limits: Limits::default(),
    }
}

fn replay(change: impl Fn(&mut Policy)) -> Backtest {
    let both = Both {
        present: rules(|_| {}),
        new: rules(change),
    };
    Backtest::new(both, None)
}

#[expect(clippy::unnecessary_wraps, reason = "assigned to optional facts")]
fn fact<T>(value: Option<T>, at: DateTime<Utc>) -> Option<Fact<T>> {
    Some(Fact {
        value,
        as_of: at,
        observed_at: at,
    })
}

/// Observations of one employee.
impl Backtest {
    fn status(&mut self, key: &EmployeeKey, when: &str, status: Status) {
        let when = at(when);
        self.observe(key, when, |known| known.status = fact(Some(status), when));
    }

    fn terminated(&mut self, key: &EmployeeKey, when: &str) {
        let when = at(when);
        self.observe(key, when, |known| {
            known.status = fact(Some(Status::Inactive), when);
            known.employment_status = fact(Some(EmploymentStatus::Terminated), when);
        });
    }

    fn last_day(&mut self, key: &EmployeeKey, when: &str, day: Option<&str>) {
        let when = at(when);
        let day = day.map(|day| DateOrInstant::Day(day.parse().unwrap()));
        self.observe(key, when, |known| known.termination_date = fact(day, when));
    }

    fn done(self) -> Report {
        self.finish(at(NOW), &BTreeMap::new())
    }
}

/// Returns the differences as `employee from..until: present -> new`.
fn shown(report: &Report) -> Vec<String> {
    let time = |at: DateTime<Utc>| at.format("%d %H:%M").to_string();
    let differences = report.differences.iter();
    differences
        .map(|difference| {
            format!(
                "{} {}..{}: {} -> {}",
                difference.key.employee_id,
                time(difference.from),
                difference.until.map_or_else(String::new, time),
                difference.standings.present.as_str(),
                difference.standings.new.as_str(),
            )
        })
        .collect()
}

#[test]
fn one_policy_has_no_difference() {
    let mut replay = replay(|_| {});
    let (dana, max) = (key("bamboohr", "1"), key("merge", "1"));
    replay.status(&dana, "2026-11-01T09:00:00Z", Status::Active);
    replay.last_day(&dana, "2026-11-02T09:00:00Z", Some("2026-11-20"));
    replay.status(&max, "2026-11-03T09:00:00Z", Status::Inactive);
    let report = replay.done();
    assert_eq!((report.observations, report.employees), (3, 2));
    assert_eq!(report.first_at, Some(at("2026-11-01T09:00:00Z")));
    assert_eq!(shown(&report), [""; 0]);
    assert_eq!(report.more_without_access, 0);
}

#[test]
fn earlier_cutoff_differs_for_some_hours() {
    let mut replay = replay(|policy| policy.cutoff = Cutoff::At("17:30:00".parse().unwrap()));
    let (past, future) = (key("bamboohr", "1"), key("bamboohr", "2"));
    for (who, day) in [(&past, "2026-11-20"), (&future, "2026-12-24")] {
        replay.status(who, "2026-11-01T09:00:00Z", Status::Active);
        replay.last_day(who, "2026-11-02T09:00:00Z", Some(day));
    }
    let report = replay.done();
    assert_eq!(
        shown(&report),
        [
            "1 20 17:30..21 00:00: access -> ended",
            "2 24 17:30..25 00:00: access -> ended",
        ]
    );
    let reason = &report.differences[0].reasons.new;
    assert!(reason.contains("2026-11-20"), "{reason}");
    assert_eq!(report.more_without_access, 0);
}

#[test]
fn date_that_moves_before_the_end_does_not_differ() {
    let mut replay = replay(|policy| policy.timezone = "America/New_York".parse().unwrap());
    let dana = key("bamboohr", "1");
    replay.status(&dana, "2026-11-01T09:00:00Z", Status::Active);
    replay.last_day(&dana, "2026-11-02T09:00:00Z", Some("2026-11-20"));
    replay.last_day(&dana, "2026-11-10T09:00:00Z", None);
    assert_eq!(shown(&replay.done()), [""; 0]);
}

#[test]
fn later_timezone_keeps_access_longer() {
    let mut replay = replay(|policy| policy.timezone = "America/New_York".parse().unwrap());
    let dana = key("bamboohr", "1");
    replay.status(&dana, "2026-11-01T09:00:00Z", Status::Active);
    replay.last_day(&dana, "2026-11-02T09:00:00Z", Some("2026-11-20"));
    let report = replay.done();
    assert_eq!(shown(&report), ["1 21 00:00..21 05:00: ended -> access"]);
    assert_eq!(report.more_without_access, 0);
}

#[test]
fn deactivating_without_a_date_loses_more() {
    let max = key("merge", "1");
    let mut to_deactivate = replay(|policy| policy.inactive_without_date = OnUncertain::Deactivate);
    to_deactivate.status(&max, "2026-11-01T09:00:00Z", Status::Active);
    to_deactivate.status(&max, "2026-11-02T09:00:00Z", Status::Inactive);
    let report = to_deactivate.done();
    assert_eq!(shown(&report), ["1 02 09:00..: end_held -> ended"]);
    assert_eq!(report.more_without_access, 1);

    let mut to_ignore = replay(|policy| policy.inactive_without_date = OnUncertain::Ignore);
    to_ignore.status(&max, "2026-11-02T09:00:00Z", Status::Inactive);
    to_ignore.status(&max, "2026-11-03T09:00:00Z", Status::Active);
    let report = to_ignore.done();
    assert_eq!(shown(&report), ["1 02 09:00..03 09:00: end_held -> access"]);
    assert_eq!(report.more_without_access, 0);
}

#[test]
fn rehire_differs_when_the_person_returns() {
    let dana = key("bamboohr", "1");
    for (rehire, expected, more) in [
        (Rehire::Reactivate, "1 10 09:00..: return_held -> access", 0),
        (Rehire::Ignore, "1 10 09:00..: return_held -> ended", 0),
    ] {
        let mut replay = replay(|policy| policy.rehire = rehire);
        replay.terminated(&dana, "2026-11-02T09:00:00Z");
        let back = at("2026-11-10T09:00:00Z");
        replay.observe(&dana, back, |known| {
            known.status = fact(Some(Status::Active), back);
            known.employment_status = fact(Some(EmploymentStatus::Other), back);
        });
        let report = replay.done();
        assert_eq!(shown(&report), [expected]);
        assert_eq!(report.more_without_access, more);
    }
}

#[test]
fn return_that_only_the_present_policy_gives_counts() {
    let dana = key("bamboohr", "1");
    let both = Both {
        present: rules(|policy| policy.rehire = Rehire::Reactivate),
        new: rules(|policy| policy.rehire = Rehire::Ignore),
    };
    let mut replay = Backtest::new(both, None);
    replay.terminated(&dana, "2026-11-02T09:00:00Z");
    let back = at("2026-11-10T09:00:00Z");
    replay.observe(&dana, back, |known| {
        known.status = fact(Some(Status::Active), back);
        known.employment_status = fact(Some(EmploymentStatus::Other), back);
    });
    let report = replay.done();
    assert_eq!(shown(&report), ["1 10 09:00..: access -> ended"]);
    assert_eq!(report.more_without_access, 1);
}

#[test]
fn observations_of_one_time_are_decided_together() {
    let max = key("merge", "1");
    let mut replay = replay(|policy| policy.inactive_without_date = OnUncertain::Deactivate);
    replay.status(&max, "2026-11-02T09:00:00Z", Status::Inactive);
    replay.status(&max, "2026-11-02T09:00:00Z", Status::Active);
    assert_eq!(shown(&replay.done()), [""; 0]);
}

#[test]
fn difference_that_ended_before_the_period_is_left_out() {
    let (one, other) = (key("merge", "1"), key("merge", "2"));
    let both = Both {
        present: rules(|_| {}),
        new: rules(|policy| policy.inactive_without_date = OnUncertain::Ignore),
    };
    let mut replay = Backtest::new(both, Some(at("2026-11-04T00:00:00Z")));
    for who in [&one, &other] {
        replay.status(who, "2026-11-02T09:00:00Z", Status::Inactive);
    }
    replay.status(&one, "2026-11-03T09:00:00Z", Status::Active);
    assert_eq!(shown(&replay.done()), ["2 02 09:00..: end_held -> access"]);
}

#[test]
fn unconfigured_source_ends_nothing() {
    let dana = key("bamboohr", "1");
    let both = Both {
        present: rules(|_| {}),
        new: Rules {
            policies: HashMap::new(),
            limits: Limits::default(),
        },
    };
    let mut replay = Backtest::new(both, None);
    replay.terminated(&dana, "2026-11-02T09:00:00Z");
    let report = replay.done();
    assert_eq!(shown(&report), ["1 02 09:00..: ended -> access"]);
    assert!(report.differences[0].reasons.new.contains("not configured"));
}

/// Ends `count` employees, one a minute or all at once, of a company of `size`.
fn trips_of(count: u32, size: u32, minutes: i64) -> Vec<Trip> {
    let mut replay = replay(|policy| policy.inactive_without_date = OnUncertain::Deactivate);
    for n in 0..size {
        let who = key("merge", &n.to_string());
        replay.status(&who, "2026-11-01T09:00:00Z", Status::Active);
    }
    for n in 0..count {
        let when = at("2026-11-02T09:00:00Z") + TimeDelta::minutes(minutes * i64::from(n));
        let who = key("merge", &n.to_string());
        replay.observe(&who, when, |known| {
            known.status = fact(Some(Status::Inactive), when);
        });
    }
    let report = replay.done();
    assert_eq!(report.trips.present, []);
    report.trips.new
}

#[test]
fn limit_trips_at_the_next_change() {
    assert_eq!(trips_of(5, 60, 1), []);
    let trips = trips_of(6, 60, 1);
    assert_eq!(trips.len(), 1);
    let trip = &trips[0];
    assert_eq!(trip.action, RequestedAction::Deactivate);
    assert_eq!(trip.at, at("2026-11-02T09:05:00Z"));
    assert_eq!(trip.exceeded.window, Window::Hour);
    assert_eq!((trip.exceeded.changes, trip.exceeded.limit), (6, 5));
    assert_eq!(trip.exceeded.population, 60);
}

#[test]
fn batch_counts_as_a_whole() {
    assert_eq!(trips_of(10, 200, 0), []);
    let trips = trips_of(60, 200, 0);
    assert_eq!(trips.len(), 1);
    assert_eq!(
        (trips[0].exceeded.changes, trips[0].exceeded.limit),
        (60, 10)
    );
}

#[test]
fn windows_slide_and_start_again_after_a_trip() {
    // One in 15 minutes: 4 within an hour, and the 11th within a day.
    let trips = trips_of(22, 60, 15);
    let windows: Vec<Window> = trips.iter().map(|trip| trip.exceeded.window).collect();
    assert_eq!(windows, [Window::Day, Window::Day]);
    assert_eq!(trips[0].at, at("2026-11-02T11:30:00Z"));
}

#[test]
fn accounts_outside_the_replay_raise_the_limit() {
    let both = Both {
        present: rules(|_| {}),
        new: Rules {
            limits: Limits {
                hour: Limit {
                    floor: 0,
                    percent: 50,
                },
                ..Limits::default()
            },
            ..rules(|_| {})
        },
    };
    for (others, expected) in [(0, 1), (1, 0)] {
        let mut replay = Backtest::new(both.clone(), None);
        replay.terminated(&key("bamboohr", "1"), "2026-11-02T09:00:00Z");
        let others = BTreeMap::from([(Tenant::new("acme"), others)]);
        let report = replay.finish(at(NOW), &others);
        assert_eq!(report.trips.new.len(), expected);
        assert_eq!(report.trips.present.len(), 0);
    }
}
