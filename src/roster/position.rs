//! Merges the facts about the position, which are keyed hashes.

use super::{Effect, Times, merge_fact};
use leaver_core::domain::{Employee, Fact, Facts, HashedText, PositionFact, PostedText, is_older};

/// Merges the facts about the position.
pub(super) fn merge(employee: &mut Employee, facts: &Facts, at: Times) -> Effect {
    let Some(posted) = &facts.position else {
        return Effect::Unchanged;
    };
    let merged = PositionFact::ALL.iter().map(|fact| {
        let known = employee.position.get_mut(*fact);
        merge_text(known, posted.get(*fact), at)
    });
    merged.max().unwrap_or(Effect::Unchanged)
}

fn merge_text(known: &mut Option<Fact<HashedText>>, posted: &PostedText, at: Times) -> Effect {
    let as_of = posted.as_of.map_or(at.as_of, |as_of| as_of.max(at.as_of));
    let at = Times {
        as_of: as_of.min(at.observed_at),
        ..at
    };
    // Hashes of different keys have no order, so the new one replaces one of the same moment.
    let has_other_key = known.as_ref().is_some_and(|fact| {
        let values = fact.value.as_ref().zip(posted.value.value());
        let differs = values.is_some_and(|(known, posted)| !known.has_same_key(posted));
        differs && !is_older(at.as_of, fact.as_of)
    });
    if has_other_key {
        *known = None;
    }
    merge_fact(known, &posted.value, at)
}
