//! The statements that events take.

use chrono::TimeDelta;

use crate::safeguard::undo::undo_last;
use crate::safeguard::{employ, limits, report};
use crate::scale::Statements;
use crate::support::TestApp;
use crate::support::builder::TestAppBuilder;

/// A count of statements, by their first words.
type Counted = Vec<(String, usize)>;

/// Returns the statements of a delivery that changes accounts, opens holds and trips the safeguard, those of the timer and those
/// of an undo.
async fn statements(wanted: Option<&str>) -> Vec<Vec<String>> {
    let limits = limits((3, 1), (10, 1));
    let limits: Vec<(&str, &str)> = limits.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let app = TestApp::builder().settings(&limits);
    let app = wanted.into_iter().fold(app, TestAppBuilder::wanting);
    let mut app = app.build().await;
    employ(&mut app, 10).await;
    let statements = Statements::default();
    let mut steps = vec![];
    for (people, works) in [(0..2, false), (2..8, false), (2..4, true)] {
        app.advance(TimeDelta::minutes(1));
        let guard = statements.collect();
        report(&mut app, people, works).await;
        drop(guard);
        steps.push(statements.take());
    }
    let guard = statements.collect();
    undo_last(&mut app).await;
    drop(guard);
    steps.push(statements.take());
    steps
}

/// Returns the statements that are in `more` and not in `less`.
fn added(less: &[String], more: &[String]) -> Counted {
    let mut rest = less.to_vec();
    let mut added: Counted = vec![];
    for statement in more {
        if let Some(position) = rest.iter().position(|known| known == statement) {
            rest.swap_remove(position);
        } else if let Some((_, count)) = added.iter_mut().find(|(known, _)| known == statement) {
            *count += 1;
        } else {
            added.push((statement.clone(), 1));
        }
    }
    assert!(rest.is_empty(), "{rest:?}");
    added
}

#[tokio::test]
async fn a_transaction_takes_one_statement_more_for_its_events() {
    let without = statements(None).await;
    let unwanted = statements(Some("source.silent")).await;
    assert_eq!(without, unwanted);
    let with = statements(Some(super::CHANGES)).await;
    for (step, (without, with)) in without.iter().zip(&with).enumerate() {
        let added = added(without, with);
        let inserts: usize = added
            .iter()
            .filter(|(statement, _)| statement.contains("WITH event AS"))
            .map(|(_, count)| count)
            .sum();
        assert_eq!(inserts, 1, "step {step}: {added:?}");
        // A command notifies the service, too.
        let others = added.len() - 1;
        assert!(
            others == 0 || (step == 3 && others == 1),
            "step {step}: {added:?}"
        );
    }
}
