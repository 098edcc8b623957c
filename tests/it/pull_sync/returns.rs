//! Reads that repeat the termination date of an end that was carried out.

use super::*;

const DANA: &str = "dana.1@widgets.example";

#[tokio::test]
async fn a_read_that_repeats_the_date_is_no_rehire() {
    let mut people: Vec<Value> = (1..=2).map(merge_employee).collect();
    people[0]["termination_date"] = "2026-11-23T00:00:00Z".into();
    let merge = SyncTest::merge(people).await;
    let mut people: Vec<Value> = (1..=2).map(bamboohr_employee).collect();
    people[0]["terminationDate"] = "2026-11-23".into();
    let bamboohr = SyncTest::bamboohr(people).await;
    for mut test in [merge, bamboohr] {
        test.sync(SyncMode::Full).await;
        assert!(test.off().await.is_empty());
        test.app.set_clock("2026-11-24T00:00:00Z");
        test.app.run_due().await;
        assert_eq!(test.off().await, [DANA]);
        for _ in 0..2 {
            test.app.advance(TimeDelta::hours(24));
            test.sync(SyncMode::Full).await;
            assert_eq!(test.off().await, [DANA]);
            assert!(test.app.holds().await.is_empty());
        }
    }
}
