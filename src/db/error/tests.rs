use std::fmt;

use sqlx::error::ErrorKind;

use super::*;

/// An answer of Postgres, made without one.
#[derive(Debug)]
struct Answer {
    code: &'static str,
    message: &'static str,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for Answer {}

impl DatabaseError for Answer {
    fn message(&self) -> &str {
        self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.code))
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

fn answer(code: &'static str, message: &'static str) -> sqlx::Error {
    sqlx::Error::Database(Box::new(Answer { code, message }))
}

#[test]
fn classifies_answers_by_sqlstate() {
    let cases = [
        ("08000", "connection_exception", Class::Outage),
        ("08006", "connection_failure", Class::Outage),
        ("26000", "invalid_sql_statement_name", Class::Outage),
        ("42P05", "duplicate_prepared_statement", Class::Outage),
        ("53100", "disk_full", Class::Outage),
        ("53300", "too_many_connections", Class::Outage),
        ("57P01", "admin_shutdown", Class::Outage),
        ("57P02", "crash_shutdown", Class::Outage),
        ("57P03", "cannot_connect_now", Class::Outage),
        ("25006", "read_only_sql_transaction", Class::Outage),
        ("40001", "serialization_failure", Class::Outage),
        ("40P01", "deadlock_detected", Class::Outage),
        ("55P03", "lock_not_available", Class::Locked),
        ("22P02", "invalid_text_representation", Class::Data),
        ("23505", "unique_violation", Class::Data),
        ("44000", "with_check_option_violation", Class::Data),
        ("54000", "program_limit_exceeded", Class::Data),
        ("P0001", "raise_exception", Class::Data),
        ("28P01", "invalid_password", Class::Permission),
        ("42501", "insufficient_privilege", Class::Permission),
        (
            "0A000",
            "feature_not_supported: a cached plan",
            Class::Other,
        ),
        ("25P02", "in_failed_sql_transaction", Class::Other),
        ("42P01", "undefined_table", Class::Other),
        ("57014", "query_canceled", Class::Other),
    ];
    for (code, name, class) in cases {
        assert_eq!(classify(&answer(code, name)), class, "{code} {name}");
    }
}

#[test]
fn classifies_broken_connections_as_outages() {
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    for error in [
        sqlx::Error::Io(reset),
        sqlx::Error::Protocol("cut off".to_owned()),
        sqlx::Error::PoolTimedOut,
        sqlx::Error::PoolClosed,
        sqlx::Error::WorkerCrashed,
    ] {
        assert_eq!(classify(&error), Class::Outage, "{error}");
    }
    for error in [
        sqlx::Error::RowNotFound,
        sqlx::Error::ColumnNotFound("id".to_owned()),
        sqlx::Error::Decode("not a name".into()),
    ] {
        assert_eq!(classify(&error), Class::Other, "{error}");
    }
}

#[test]
fn classifies_the_database_error_inside_other_errors() {
    let shutdown = answer("57P01", "admin_shutdown");
    let inside = anyhow::Error::new(shutdown).context("cannot start");
    assert_eq!(classify_chain(inside.as_ref()), Class::Outage);
    let without = anyhow::anyhow!("not a database error");
    assert_eq!(classify_chain(without.as_ref()), Class::Other);
}

#[test]
fn recognises_values_that_are_not_of_the_column_type() {
    for code in ["22P02", "22003"] {
        assert!(is_malformed_value(&answer(code, "")), "{code}");
    }
    for code in ["23505", "P0001", "42P01"] {
        assert!(!is_malformed_value(&answer(code, "")), "{code}");
    }
    assert!(!is_malformed_value(&sqlx::Error::RowNotFound));
}

#[test]
fn chains_leave_out_repetitions() {
    let cause = anyhow::anyhow!("the host is unknown");
    let repeating = cause.context("cannot connect: the host is unknown");
    let error = repeating.context("cannot start");
    assert_eq!(
        error_chain(error.as_ref()),
        "cannot start: cannot connect: the host is unknown"
    );
}

#[test]
fn chains_hide_values_of_the_database() {
    let decode = sqlx::Error::Decode("bad value \"ada@example.com\"".into());
    let error = anyhow::Error::new(decode).context("cannot read the roster");
    let text = error_chain(error.as_ref());
    assert_eq!(
        text,
        "cannot read the roster: a row of the database cannot be decoded"
    );
}

#[test]
fn quoted_text_stays_only_if_it_is_an_identifier() {
    let message = r#"column "work_email" rejects "ada@example.com""#;
    assert_eq!(
        redact_quoted_values(message),
        r#"column "work_email" rejects "...""#
    );
}
