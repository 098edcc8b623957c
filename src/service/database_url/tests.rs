//! Which URLs are refused, and how the others are protected.

use super::parse;
use crate::config::DatabaseTls::{Unverified, VerifyFull};
use crate::db::connection::protection::Protection;

const MODES: [&str; 5] = ["disable", "allow", "prefer", "require", "verify-ca"];

fn protection(url: &str) -> Result<Protection, String> {
    let options = parse(url, VerifyFull).map_err(|error| error.to_string())?;
    Ok(Protection::of(&options))
}

#[test]
fn another_machine_needs_a_verified_certificate() {
    for host in [
        "db.example",
        "postgres",
        "host.docker.internal",
        "localhost.",
        "localhost.example",
        "127.1",
        "2130706433",
        "0.0.0.0",
        "10.0.0.7",
        "[2001:db8::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "%6cocalhost",
    ] {
        let url = format!("postgres://app:hush@{host}/app");
        assert_eq!(protection(&url), Ok(Protection::VerifiedTls), "{host}");
        let full = format!("{url}?sslmode=verify-full");
        assert_eq!(protection(&full), Ok(Protection::VerifiedTls), "{host}");
        for mode in MODES {
            for url in [
                format!("{url}?sslmode={mode}"),
                format!("{url}?ssl-mode={mode}"),
                format!("{url}?sslmode=verify-full&sslmode={mode}"),
            ] {
                let error = protection(&url).unwrap_err();
                assert!(
                    error.contains("database.tls")
                        && error.contains(mode)
                        && !error.contains("hush"),
                    "{error}"
                );
                let options = parse(&url, Unverified).unwrap();
                assert_eq!(Protection::of(&options), Protection::Unverified);
            }
        }
    }
}

#[test]
fn loopback_and_sockets_need_no_tls() {
    for address in [
        "localhost/app?",
        "LOCALHOST/app?",
        "127.0.0.1/app?",
        "127.9.8.7/app?",
        "[::1]/app?",
        "db.example/app?hostaddr=127.0.0.1&",
        "db.example/app?host=::1&",
        "localhost/app?host=%2Fvar%2Frun&",
        "%2Fvar%2Frun%2Fpostgresql/app?",
    ] {
        let url = format!("postgres://app:hush@{address}");
        for mode in ["", "sslmode=disable", "sslmode=prefer", "sslmode=allow"] {
            let url = format!("{url}{mode}");
            assert_eq!(protection(&url), Ok(Protection::Local), "{url}");
        }
    }
    let url = "postgres://app:hush@localhost/app?sslmode=verify-full";
    assert_eq!(protection(url), Ok(Protection::VerifiedTls));
    let url = "postgres://app:hush@localhost/app?sslrootcert=/ca.pem";
    assert_eq!(protection(url), Ok(Protection::VerifiedTls));
    for mode in ["require", "verify-ca"] {
        let url = format!("postgres://app:hush@localhost/app?sslmode={mode}");
        assert!(protection(&url).unwrap_err().contains(mode));
    }
}

#[test]
fn the_last_host_decides() {
    for address in [
        "localhost/app?host=db.example",
        "localhost/app?hostaddr=10.0.0.7",
        "localhost/app?host=127.0.0.1&host=db.example",
    ] {
        let url = format!("postgres://app:hush@{address}");
        assert_eq!(protection(&url), Ok(Protection::VerifiedTls), "{url}");
    }
}

#[test]
fn an_address_of_ipv6_has_no_brackets() {
    let options = parse("postgres://app@[::1]:5433/app", VerifyFull).unwrap();
    assert_eq!((options.get_host(), options.get_port()), ("::1", 5433));
}

#[test]
fn an_unknown_parameter_is_named_without_its_value() {
    for parameter in [
        "sslpassword=hush",
        "SSLMODE=hush",
        "channel_binding=hush",
        "a[b]=hush",
    ] {
        let url = format!("postgres://app:hush@db.example/app?{parameter}");
        let error = protection(&url).unwrap_err();
        let name = parameter.split(['=', '[']).next().unwrap();
        assert!(error.contains(name) && !error.contains("hush"), "{error}");
    }
}

#[test]
fn options_for_the_start_up_packet_are_refused() {
    for parameter in ["options=-c%20a.b%3Dhush", "options[a.b]=hush"] {
        let error = protection(&format!("postgres://localhost/app?{parameter}")).unwrap_err();
        assert!(
            error.contains("`options`") && !error.contains("hush"),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_url_of_postgres_is_refused() {
    for url in [
        "",
        "mysql://app:hush@localhost/app",
        "postgres:hush",
        "postgres://app:hush@localhost/app?sslmode=hush",
        "postgres://app:hush@localhost/app?hostaddr=hush",
    ] {
        let error = protection(url).unwrap_err();
        assert!(
            error.contains("postgres://user") && !error.contains("hush"),
            "{error}"
        );
    }
}
