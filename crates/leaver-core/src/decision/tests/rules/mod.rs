//! The table "who has left", row for row, for somebody linked to an active account.

use super::*;

mod bamboohr;
mod merge;

const LEFT: &str = "deactivate 7";
const HERE: &str = "keep: StillHere";
const ASKED: &str = "hold: deactivate 7";

fn removed_follows_the_policy(removed: &Someone) {
    for (response, expected) in [
        (OnUncertain::Deactivate, LEFT),
        (OnUncertain::Hold, ASKED),
        (OnUncertain::Ignore, HERE),
    ] {
        check(
            &removed.clone().policy(|p| p.deleted = response),
            NOW,
            expected,
        );
    }
    check(&removed.clone().removed(false), NOW, HERE);
}

#[test]
fn whoever_has_left_is_deactivated_whatever_the_policy_says_of_removed_records() {
    for response in [
        OnUncertain::Deactivate,
        OnUncertain::Hold,
        OnUncertain::Ignore,
    ] {
        let gone = merge()
            .status(Status::Inactive)
            .terminated(on("2026-03-01"))
            .removed(true);
        check(&gone.policy(|p| p.deleted = response), NOW, LEFT);
    }
}

#[test]
fn a_removed_record_that_is_asked_about_keeps_its_schedule() {
    let leaving = merge()
        .status(Status::Active)
        .terminated(on("2026-03-31"))
        .removed(true);
    check(
        &leaving,
        NOW,
        "hold: deactivate 7 until 2026-04-01T00:00:00Z",
    );
    check(&leaving, "2026-04-01T00:00:00Z", LEFT);
    let ignored = leaving.policy(|p| p.deleted = OnUncertain::Ignore);
    check(&ignored, NOW, "keep: Waiting until 2026-04-01T00:00:00Z");
}

#[test]
fn absence_is_not_a_fact() {
    for nobody in [bamboohr(), merge()] {
        check_because(&nobody, NOW, HERE, "absence is not a fact");
        let empty = nobody
            .status(None)
            .employment(None)
            .terminated(None)
            .removed(false);
        check(&empty, NOW, HERE);
        // A date that had passed when we learned it says nothing by itself.
        check(&empty.terminated(on("2026-03-01")), NOW, HERE);
    }
}

#[test]
fn active_again_after_we_deactivated_follows_the_policy() {
    for (rehire, expected) in [
        (Rehire::Hold, "hold: reactivate 7"),
        (Rehire::Reactivate, "reactivate 7"),
        (Rehire::Ignore, HERE),
    ] {
        for source in [bamboohr(), merge()] {
            let back = source
                .status(Status::Active)
                .terminated(on("2026-01-31"))
                .deactivated_by_us("2026-02-01T00:00:00Z")
                .policy(|p| p.rehire = rehire);
            check(&back, NOW, expected);
        }
    }
}
