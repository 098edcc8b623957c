use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::memory::Memory;
use super::{Cause, Found, NewestMark, went_back};

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

const DATABASE: Uuid = Uuid::from_u128(7);

fn found(mark: Option<i64>, timeline: i32) -> Found {
    Found {
        database: DATABASE,
        mark,
        timeline: Some(timeline),
        newest: None,
    }
}

#[test]
fn a_new_timeline_alone_is_no_way_back() {
    let memory = Memory::default();
    memory.marked(DATABASE, 5, now(), 0);
    let (remembered, _) = memory.snapshot();
    for mark in [5, 6] {
        assert_eq!(
            went_back(&remembered, &found(Some(mark), 2), &[], now()),
            None
        );
    }
    for mark in [Some(4), None] {
        let back = went_back(&remembered, &found(mark, 1), &[], now());
        assert_eq!(back, Some((Cause::RowsMissing, now())), "{mark:?}");
    }
}

#[test]
fn a_missing_delivery_is_a_way_back_though_the_mark_is_there() {
    let (memory, id) = (Memory::default(), Uuid::from_u128(1));
    memory.marked(DATABASE, 5, now(), 0);
    let at = now() + TimeDelta::seconds(3);
    memory.acknowledged([("merge", id, at)].into_iter());
    let (remembered, acknowledged) = memory.snapshot();
    assert_eq!(remembered.recent(at), [id]);
    let back = went_back(&remembered, &found(Some(5), 2), &[id], at);
    assert_eq!(back, Some((Cause::RowsMissing, at)));
    // The next mark stands for it.
    memory.marked(DATABASE, 6, at, acknowledged);
    assert_eq!(memory.snapshot().0.receipts().count(), 0);
}

#[test]
fn a_delivery_during_a_mark_stays_remembered() {
    let memory = Memory::default();
    let (_, acknowledged) = memory.snapshot();
    memory.acknowledged([("merge", Uuid::from_u128(1), now())].into_iter());
    memory.marked(DATABASE, 1, now(), acknowledged);
    assert_eq!(memory.snapshot().0.receipts().count(), 1);
}

#[test]
fn another_database_is_a_way_back() {
    let memory = Memory::default();
    memory.marked(Uuid::from_u128(8), 5, now(), 0);
    let back = went_back(&memory.snapshot().0, &found(None, 1), &[], now());
    assert_eq!(back, Some((Cause::AnotherDatabase, now())));
}

#[test]
fn without_memory_a_promotion_counts_if_no_process_ran() {
    let remembered = Memory::default().snapshot().0;
    let mut found = found(None, 2);
    for (minutes, timeline, is_back) in [(6, 1, true), (4, 1, false), (600, 2, false)] {
        let at = now() - TimeDelta::minutes(minutes);
        found.newest = Some(NewestMark {
            at,
            timeline: Some(timeline),
        });
        let back = went_back(&remembered, &found, &[], now());
        assert_eq!(back, is_back.then_some((Cause::Timeline, at)));
    }
}
