//! Behind `PgBouncer`: session pooling works as it comes, transaction and statement pooling are refused with the reason.

mod refused;
mod session;
mod switched;

use serde_json::json;

use crate::support::merge_changed;

const DANA: &str = "dana.ruiz@example.com";

/// The reason, as far as it is the same everywhere.
const REFUSAL: [&str; 3] = [
    "a connection pooler shares sessions of Postgres",
    "use the direct URL of Postgres in `database.url`",
    "pool_mode = session",
];

/// A delivery: Dana has left.
fn left() -> String {
    merge_changed(&json!({
        "id": "m-dana", "work_email": DANA, "employment_status": "INACTIVE",
        "termination_date": "2026-11-20T00:00:00Z", "modified_at": "2026-11-21T08:00:00Z",
    }))
    .to_string()
}
