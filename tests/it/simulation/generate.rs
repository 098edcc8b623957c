//! Generates lists of operations. Departures, returns and repetitions are more frequent than the rest.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::ops::{
    Bad, KillPoint, Letter, Obstacle, Op, OpList, Record, Rehire, Says, Signed, Source,
};

/// Who is in a list: a few, so that much happens to each.
const CASTS: [&[Record]; 7] = [
    &[Record::Ana],
    &[Record::Eve],
    &[Record::GusInBamboohr, Record::GusInMerge],
    &[Record::Ben, Record::Dia, Record::Fay],
    &[Record::Hal, Record::Eve],
    &[Record::Dia, Record::GusInMerge, Record::GusInBamboohr],
    &Record::ALL,
];

/// Lists of at most so many operations.
pub(super) fn lists(most: usize) -> impl Strategy<Value = OpList> {
    let rehire = prop_oneof![2 => Just(Rehire::Reactivate), 1 => Just(Rehire::Hold)];
    let ops = prop::collection::vec(op(), most / 2..=most);
    let batch = select(vec![OpList::MANY, 1, 3]);
    (rehire, batch, select(CASTS.to_vec()), ops).prop_map(|(rehire, batch, cast, mut ops)| {
        for of in ops.iter_mut().filter_map(Op::of) {
            let place = Record::ALL.iter().position(|record| record == of);
            *of = cast[place.unwrap_or_default() % cast.len()];
        }
        OpList {
            about: String::new(),
            rehire,
            batch,
            limit: None,
            ops,
        }
    })
}

fn op() -> impl Strategy<Value = Op> {
    let signed = select(vec![Signed::Anew, Signed::AsBefore]);
    let minutes = prop_oneof![
        3 => 1..180_i64,
        2 => Just(1_440),
        2 => 1_440..5_760_i64,
        1 => Just(30 * 1_440),
    ];
    let place = select(vec![
        KillPoint::Claimed,
        KillPoint::Decided,
        KillPoint::Applied,
    ]);
    prop_oneof![
        24 => letter().prop_map(Op::Send),
        8 => (0..40_usize, signed).prop_map(|(nth, signed)| Op::Resend { nth, signed }),
        3 => bad().prop_map(Op::Bad),
        8 => minutes.prop_map(|minutes| Op::Advance { minutes }),
        5 => Just(Op::Work),
        9 => Just(Op::Settle),
        2 => Just(Op::Timer),
        2 => Just(Op::TwoAtWork),
        5 => (place, option::of(letter())).prop_map(|(at, meanwhile)| Op::Kill { at, meanwhile }),
        1 => Just(Op::EndSessions),
        1 => Just(Op::Cut),
        2 => Just(Op::Restore),
        2 => source().prop_map(Op::Rotate),
        1 => Just(Op::KeepHouse),
        3 => (0..4_usize).prop_map(|nth| Op::Approve { nth }),
        2 => (0..4_usize).prop_map(|nth| Op::Reject { nth }),
        2 => record().prop_map(Op::SwitchOn),
        1 => record().prop_map(Op::SwitchOff),
        1 => Just(Op::FixDrift),
        3 => (record(), obstacle()).prop_map(|(of, by)| Op::Obstruct { of, by }),
        2 => record().prop_map(Op::Permit),
        1 => record().prop_map(Op::DeleteAccount),
        2 => record().prop_map(Op::CreateAccount),
        2 => Just(Op::CheckDrift),
        1 => Just(Op::ReleaseTrips),
        1 => Just(Op::RejectTrips),
    ]
}

fn letter() -> impl Strategy<Value = Letter> {
    let minutes_old = prop_oneof![4 => Just(0), 3 => 1..240_i64, 2 => 240..10_000_i64];
    (record(), says(), minutes_old, prop::bool::weighted(0.2)).prop_map(
        |(of, says, minutes_old, form)| Letter {
            of,
            says,
            minutes_old,
            form,
        },
    )
}

fn says() -> impl Strategy<Value = Says> {
    let days = -3..6_i64;
    prop_oneof![
        6 => Just(Says::Works),
        2 => days.clone().prop_map(|days| Says::StillWorks { days }),
        4 => days.clone().prop_map(|days| Says::WorksUntil { days }),
        6 => Just(Says::Left),
        3 => days.clone().prop_map(|days| Says::InactiveFrom { days }),
        1 => Just(Says::Inactive),
        1 => days.prop_map(|days| Says::Begins { days }),
        2 => Just(Says::Removed),
        2 => Just(Says::Changed),
        1 => Just(Says::Renamed),
    ]
}

fn bad() -> impl Strategy<Value = Bad> {
    prop_oneof![
        source().prop_map(Bad::Garbage),
        source().prop_map(Bad::Forged),
        Just(Bad::UnknownSource),
        Just(Bad::Stale),
        Just(Bad::Ignored),
    ]
}

fn obstacle() -> impl Strategy<Value = Obstacle> {
    select(vec![
        Obstacle::Raises,
        Obstacle::RaisesLate,
        Obstacle::Reverts,
        Obstacle::Skips,
        Obstacle::KeepsSessions,
        Obstacle::Hides,
        Obstacle::Locks,
        Obstacle::Refuses,
    ])
}

fn record() -> impl Strategy<Value = Record> {
    select(Record::ALL.to_vec())
}

fn source() -> impl Strategy<Value = Source> {
    select(vec![Source::Bamboohr, Source::Merge])
}
