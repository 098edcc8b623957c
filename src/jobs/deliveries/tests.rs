use super::*;

#[test]
fn a_failure_before_the_claim_names_no_delivery() {
    let failed = BatchFailure::before_claim(sqlx::Error::PoolTimedOut);
    assert!(failed.claimed.is_empty());
    assert!(failed.failure.is_outage());
}

#[test]
fn a_panic_is_not_an_outage() {
    let failure = Failure::from(crate::base::panics::Panicked);
    assert!(!failure.is_outage());
    assert!(failure.to_string().starts_with("a bug: "), "{failure}");
}
