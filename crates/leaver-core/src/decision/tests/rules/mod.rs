//! The rules about who has left, for a person linked to an active account.

use super::*;

mod bamboohr;
mod carried_out;
mod merge;
mod past_dates;

const DEACTIVATED: &str = "deactivate 7";
const KEPT: &str = "keep: Employed";
const HELD: &str = "hold: deactivate 7";

fn removed_follows_the_policy(deleted: &Person) {
    for (response, expected) in [
        (OnUncertain::Deactivate, DEACTIVATED),
        (OnUncertain::Hold, HELD),
        (OnUncertain::Ignore, KEPT),
    ] {
        check(
            &deleted.clone().policy(|p| p.deleted = response),
            NOW,
            expected,
        );
    }
    check(&deleted.clone().deleted(false), NOW, KEPT);
}

#[test]
fn leaver_with_deleted_record_is_deactivated() {
    for response in [
        OnUncertain::Deactivate,
        OnUncertain::Hold,
        OnUncertain::Ignore,
    ] {
        let gone = merge()
            .status(Status::Inactive)
            .terminated(on("2026-03-01"))
            .deleted(true);
        check(&gone.policy(|p| p.deleted = response), NOW, DEACTIVATED);
    }
}

#[test]
fn held_deletion_keeps_the_schedule() {
    let leaving = merge()
        .status(Status::Active)
        .terminated(on("2026-03-31"))
        .deleted(true);
    check(
        &leaving,
        NOW,
        "hold: deactivate 7 until 2026-04-01T00:00:00Z",
    );
    check(&leaving, "2026-04-01T00:00:00Z", DEACTIVATED);
    let ignored = leaving.policy(|p| p.deleted = OnUncertain::Ignore);
    check(&ignored, NOW, "keep: Scheduled until 2026-04-01T00:00:00Z");
}

#[test]
fn missing_data_changes_nothing() {
    for unknown in [bamboohr(), merge()] {
        check_reason(&unknown, NOW, KEPT, "missing data");
        let empty = unknown
            .status(None)
            .employment(None)
            .terminated(None)
            .deleted(false);
        check(&empty, NOW, KEPT);
        check(&empty.terminated(on("2026-03-01")), NOW, HELD);
    }
}

#[test]
fn rehire_follows_the_policy() {
    for (rehire, expected) in [
        (Rehire::Hold, "hold: reactivate 7"),
        (Rehire::Reactivate, "reactivate 7"),
        (Rehire::Ignore, KEPT),
    ] {
        for source in [bamboohr(), merge()] {
            let back = source
                .status(Status::Active)
                .terminated(on("2026-01-31"))
                .hired("2026-02-01")
                .deactivated_by_us("2026-02-01T00:00:00Z")
                .policy(|p| p.rehire = rehire);
            check(&back, NOW, expected);
        }
    }
}
