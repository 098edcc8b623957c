//! Releases of trips: what is listed, what is carried out, and what waits.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use leaver::base::clock::Clock as _;
use leaver::engine::accounts::AccountsTable;
use leaver::engine::previews::DigestError;
use leaver::engine::safeguard::trips::{self, Listed, Member, Released, TripError};
use tracing_subscriber::layer::SubscriberExt;

use super::limits::{app_with_limits, employ, held, inactive, report};
use super::shadow::start;
use crate::scale::Statements;
use crate::support::{TestApp, ada};

/// How long a list can be confirmed, by default.
pub(super) const EXPIRES: TimeDelta = TimeDelta::hours(24);

pub(crate) async fn list(app: &mut TestApp, trip: i64) -> Result<Listed, TripError> {
    let now = app.clock.now();
    let policies = app.parts.engine.policies.clone();
    let conn = &mut app.session.conn;
    let table = AccountsTable::inspect(conn, &app.settings.accounts)
        .await
        .unwrap();
    trips::preview(conn, &table, &policies, trip, &ada(), now).await
}

pub(crate) async fn release(
    app: &mut TestApp,
    trip: i64,
    digest: &str,
) -> Result<Released, TripError> {
    let now = app.clock.now();
    let policies = app.parts.engine.policies.clone();
    let conn = &mut app.session.conn;
    let table = AccountsTable::inspect(conn, &app.settings.accounts)
        .await
        .unwrap();
    trips::release(conn, &table, &policies, trip, digest, EXPIRES, &ada(), now).await
}

/// Returns an app with a limit of three, of whose people these have tripped the safeguard: trip 1.
pub(super) async fn tripped(people: usize, leavers: std::ops::Range<usize>) -> TestApp {
    let mut app = app_with_limits((3, 1), (10, 1)).await;
    employ(&mut app, people).await;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, leavers, false).await;
    app.advance(TimeDelta::minutes(1));
    app
}

async fn trips(app: &mut TestApp) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', id, state, closed_by) FROM leaver.trips ORDER BY id";
    app.lines(sql).await
}

#[tokio::test]
async fn a_release_carries_out_what_the_list_has() {
    let mut app = tripped(10, 0..5).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 5));
    let listed = list(&mut app, 1).await.unwrap();
    assert_eq!(listed.members.len(), 5);
    for member in &listed.members {
        assert_eq!(
            (&member.skipped, member.cause.as_deref()),
            (&None, Some("webhook"))
        );
        assert!(!member.reason.contains("safeguard"), "{member:?}");
    }

    let released = release(&mut app, 1, &listed.digest).await.unwrap();
    assert_eq!(
        (
            released.changed.len(),
            released.skipped.len(),
            released.waiting
        ),
        (5, 0, 0)
    );
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (5, 0));
    assert_eq!(trips(&mut app).await, ["1 released cli:ada"]);
    assert_eq!(
        app.lines("SELECT DISTINCT state || ' ' || closed_by FROM leaver.holds")
            .await,
        ["approved cli:ada"]
    );
    assert_eq!(
        app.lines("SELECT DISTINCT concat_ws(' ', cause, counted, batch_id) FROM leaver.changes")
            .await,
        [format!("release f {}", released.batch)]
    );
    let audit = app.audit_in_full().await;
    assert_eq!(
        audit
            .iter()
            .filter(|line| line.starts_with("deactivated") && line.ends_with(" cli:ada"))
            .count(),
        5
    );
    assert!(
        audit.contains(&"released - - cli:ada".to_owned()),
        "{audit:?}"
    );
    assert_eq!(app.count("SELECT count(*) FROM sessions").await, 10);
}

#[tokio::test]
async fn a_digest_that_is_wrong_used_or_old_changes_nothing() {
    let mut app = tripped(10, 0..5).await;
    let digest = list(&mut app, 1).await.unwrap().digest;
    let wrong = release(&mut app, 1, "0000-0000-0000-0000").await;
    assert!(
        matches!(wrong, Err(TripError::Digest(DigestError::Unknown(_)))),
        "{wrong:?}"
    );
    app.advance(EXPIRES);
    let old = release(&mut app, 1, &digest).await;
    assert!(
        matches!(old, Err(TripError::Digest(DigestError::Expired(_)))),
        "{old:?}"
    );
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 5));

    // The list is shown again.
    assert_eq!(list(&mut app, 1).await.unwrap().digest, digest);
    release(&mut app, 1, &digest).await.unwrap();
    let used = release(&mut app, 1, &digest).await;
    assert!(
        matches!(used, Err(TripError::Digest(DigestError::Used(_)))),
        "{used:?}"
    );
    let closed = list(&mut app, 1).await;
    assert!(
        matches!(closed, Err(TripError::Closed { .. })),
        "{closed:?}"
    );
    let unknown = list(&mut app, 7).await;
    assert!(matches!(unknown, Err(TripError::Unknown(7))), "{unknown:?}");
}

#[tokio::test]
async fn somebody_reinstated_meanwhile_keeps_access() {
    let mut app = tripped(10, 0..5).await;
    let digest = list(&mut app, 1).await.unwrap().digest;
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 2..3, true).await;
    let released = release(&mut app, 1, &digest).await.unwrap();
    assert_eq!((released.changed.len(), released.skipped.len()), (4, 1));
    let why = released.skipped[0].skipped.as_deref().unwrap();
    assert!(why.contains("newer facts"), "{why}");
    assert!(app.is_active("person2@example.com").await);
    assert_eq!(inactive(&mut app).await, 4);
    assert_eq!(trips(&mut app).await, ["1 released cli:ada"]);
}

#[tokio::test]
async fn holds_approved_or_rejected_meanwhile_are_skipped() {
    let mut app = tripped(10, 0..5).await;
    let listed = list(&mut app, 1).await.unwrap();
    let (approved, rejected) = (listed.members[0].hold, listed.members[1].hold);
    app.approve(approved, None).await.unwrap();
    app.reject(rejected).await.unwrap();
    let released = release(&mut app, 1, &listed.digest).await.unwrap();
    let skipped: Vec<_> = released
        .skipped
        .iter()
        .map(|member| (member.hold, member.skipped.clone().unwrap()))
        .collect();
    assert_eq!(
        skipped,
        [
            (
                approved,
                "it was approved since the list was shown".to_owned()
            ),
            (
                rejected,
                "it was rejected since the list was shown".to_owned()
            )
        ]
    );
    assert_eq!(inactive(&mut app).await, 4);
    assert!(app.is_active("person1@example.com").await);
}

#[tokio::test]
async fn members_that_joined_later_wait_and_keep_the_trip_open() {
    let mut app = tripped(10, 0..5).await;
    let digest = list(&mut app, 1).await.unwrap().digest;
    report(&mut app, 5..7, false).await;
    let released = release(&mut app, 1, &digest).await.unwrap();
    assert_eq!((released.changed.len(), released.waiting), (5, 2));
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (5, 2));
    assert_eq!(trips(&mut app).await, ["1 open"]);

    let rest = list(&mut app, 1).await.unwrap();
    assert_eq!(rest.members.len(), 2);
    assert_ne!(rest.digest, digest);
    release(&mut app, 1, &rest.digest).await.unwrap();
    assert_eq!(inactive(&mut app).await, 7);
    assert_eq!(trips(&mut app).await, ["1 released cli:ada"]);
}

#[tokio::test]
async fn after_a_release_the_next_leaver_passes() {
    let mut app = tripped(10, 0..5).await;
    let digest = list(&mut app, 1).await.unwrap().digest;
    release(&mut app, 1, &digest).await.unwrap();
    for n in 5..8 {
        app.advance(TimeDelta::minutes(1));
        report(&mut app, n..n + 1, false).await;
    }
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (8, 0));
    app.advance(TimeDelta::minutes(1));
    report(&mut app, 8..9, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (8, 1));
    assert_eq!(trips(&mut app).await, ["1 released cli:ada", "2 open"]);
}

#[tokio::test]
async fn a_source_in_shadow_mode_is_skipped_and_planned() {
    let mut app = tripped(10, 0..5).await;
    start(&mut app).await;
    let listed = list(&mut app, 1).await.unwrap();
    let shown = |members: &[Member]| -> BTreeSet<String> {
        let skipped = members.iter().filter_map(|member| member.skipped.clone());
        skipped.collect()
    };
    let in_shadow_mode = ["the source is in shadow mode, so the change is only planned".to_owned()];
    assert_eq!(shown(&listed.members), in_shadow_mode.clone().into());
    let released = release(&mut app, 1, &listed.digest).await.unwrap();
    assert_eq!((released.changed.len(), released.skipped.len()), (0, 5));
    assert_eq!(shown(&released.skipped), in_shadow_mode.into());
    assert_eq!(app.count("SELECT count(*) FROM leaver.plan").await, 5);
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (0, 0));
}

#[tokio::test]
async fn the_windows_start_after_all_changes_so_far() {
    let mut app = tripped(10, 0..3).await;
    report(&mut app, 3..5, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (3, 2));
    // The clock of the person's host is behind.
    app.advance(TimeDelta::minutes(-10));
    super::reject::reject(&mut app, 1).await.unwrap();
    app.advance(TimeDelta::minutes(10));
    report(&mut app, 5..8, false).await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (6, 0));
}

#[tokio::test]
async fn an_account_that_the_database_keeps_is_named_as_skipped() {
    let mut app = tripped(10, 0..5).await;
    app.refuse_to_change(&[2], "P0001").await;
    let digest = list(&mut app, 1).await.unwrap().digest;
    let released = release(&mut app, 1, &digest).await.unwrap();
    assert_eq!((released.changed.len(), released.is_blocked), (4, true));
    let skipped = &released.skipped[0];
    assert_eq!(skipped.account_id.as_deref(), Some("2"));
    let why = skipped.skipped.as_deref().unwrap();
    assert!(
        why.starts_with("the database did not change the account"),
        "{why}"
    );

    // The timer tries again, within the limits.
    app.allow_changes().await;
    app.advance(TimeDelta::hours(2));
    app.run_due().await;
    assert_eq!((inactive(&mut app).await, held(&mut app).await), (5, 0));
}

#[tokio::test]
async fn a_release_of_many_takes_as_many_statements_as_one_of_few() {
    let mut counted = vec![];
    for leavers in [10, 60] {
        let mut app = tripped(80, 0..leavers).await;
        let digest = list(&mut app, 1).await.unwrap().digest;
        let statements = Statements::default();
        let subscriber = tracing_subscriber::registry().with(statements.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        let released = release(&mut app, 1, &digest).await.unwrap();
        drop(guard);
        assert_eq!(released.changed.len(), leavers);
        counted.push(statements.take());
    }
    assert_eq!(counted[0], counted[1]);
}
