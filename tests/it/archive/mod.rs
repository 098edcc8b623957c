//! `leaver audit` and `leaver leavers`.

mod audit;
mod leavers;
mod streamed;

use crate::support::TestApp;

/// The period of all tests, and one that is over.
const NOVEMBER: [&str; 4] = ["--from", "2026-11-01", "--to", "2026-11-25"];

/// Makes the database look as if Leaver had been there since January.
async fn installed_in_january(app: &mut TestApp) {
    app.sql("UPDATE leaver._sqlx_migrations SET installed_on = '2026-01-01T00:00:00Z'")
        .await;
}

/// Returns the arguments of a command about November, with more.
fn november<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[command][..], &NOVEMBER, more].concat()
}
