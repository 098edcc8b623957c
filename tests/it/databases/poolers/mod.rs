//! Behind PgBouncer: session pooling works as it comes, transaction and statement pooling are refused with the reason.

mod refused;
mod session;
mod switched;

/// The reason, as far as it is the same everywhere.
const REFUSAL: [&str; 3] = [
    "a connection pooler shares sessions of Postgres",
    "use the direct URL of Postgres in `database.url`",
    "pool_mode = session",
];
