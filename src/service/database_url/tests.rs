//! Which URLs are refused, and how the others are protected.

use sqlx::postgres::PgConnectOptions;

use super::parse;
use crate::config::DatabaseTls::{self, Unverified, VerifyFull};
use crate::db::connection::protection::Protection;

const MODES: [&str; 5] = ["disable", "allow", "prefer", "require", "verify-ca"];

/// Parses a URL of one server.
fn one(url: &str, tls: DatabaseTls) -> Result<PgConnectOptions, String> {
    let servers = parse(url, tls).map_err(|error| error.to_string())?;
    let [server] = servers.all() else {
        panic!("{servers}");
    };
    Ok(server.clone())
}

fn protection(url: &str) -> Result<Protection, String> {
    Ok(Protection::of(&one(url, VerifyFull)?))
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
                let options = one(&url, Unverified).unwrap();
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
        "%6cocalhost/app?",
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
    let url = "postgres://app:hush@localhost/app?sslrootcert=system";
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
    let options = one("postgres://app@[::1]:5433/app", VerifyFull).unwrap();
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

/// Returns host and port of each server.
fn addresses(text: &str) -> Vec<(String, u16)> {
    let servers = parse(text, VerifyFull).unwrap_or_else(|error| panic!("{text}: {error}"));
    let address = |options: &PgConnectOptions| {
        let socket = options.get_socket().map(|path| path.display().to_string());
        let host = socket.unwrap_or_else(|| options.get_host().to_owned());
        (host, options.get_port())
    };
    servers.all().iter().map(address).collect()
}

#[test]
fn several_hosts_are_kept_in_order() {
    let two = [("a".to_owned(), 1), ("b".to_owned(), 2)];
    for text in [
        "postgres://u:p@a:1,b:2/db",
        "postgresql://u:p@a:1,b:2/db?sslmode=verify-full",
        "postgres://u@/db?host=a,b&port=1,2",
        "postgres://u@x:9/db?host=a%2Cb&port=1%2C2",
        "host=a,b port=1,2 dbname=db",
        "host = 'a,b' port = '1,2'",
        "postgres://a:1,b:2",
        "postgres://a:1,b:2?user=u",
    ] {
        assert_eq!(addresses(text), two, "{text}");
    }
    let same_port = [("a".to_owned(), 7), ("::1".to_owned(), 7)];
    for text in ["host=a,::1 port=7", "postgres://a:7,[::1]:7/db"] {
        assert_eq!(addresses(text), same_port, "{text}");
    }
    let default_port = [("a".to_owned(), 5432), ("b".to_owned(), 2)];
    assert_eq!(addresses("postgres://a,b:2/db"), default_port);
    let replaced = [("10.0.0.1".to_owned(), 5432), ("b".to_owned(), 5432)];
    assert_eq!(addresses("host=a,b hostaddr=10.0.0.1,"), replaced);
}

#[test]
fn each_host_is_protected_on_its_own() {
    let text = "postgres://u:hush@localhost,db.example,10.0.0.1/db?host=";
    let servers = parse(text, VerifyFull).unwrap();
    let protections: Vec<_> = servers.all().iter().map(Protection::of).collect();
    let verified = Protection::VerifiedTls;
    assert_eq!(protections, [Protection::Local, verified, verified]);
    let text = "host=localhost,db.example password=hush sslmode=prefer";
    let error = parse(text, VerifyFull).unwrap_err().to_string();
    assert!(
        error.contains("db.example") && !error.contains("hush"),
        "{error}"
    );
}

#[test]
fn sockets_of_cloud_sql_are_accepted() {
    for (folder, text) in [
        ("/cloudsql/p:r:i", "postgres:///db?host=/cloudsql/p:r:i"),
        (
            "/cloudsql/p:r:i",
            "postgres://u:hush@/db?host=/cloudsql/p:r:i",
        ),
        (
            "/cloudsql/p:r:i",
            "postgres://u:hush@%2Fcloudsql%2Fp%3Ar%3Ai/db",
        ),
        ("/cloudsql/p:r:i", "user=u host=/cloudsql/p:r:i dbname=db"),
        ("/a b/c+d", "postgres://u@/db?host=%2Fa%20b%2Fc+d"),
    ] {
        assert_eq!(addresses(text), [(folder.to_owned(), 5432)], "{text}");
        assert_eq!(protection(text), Ok(Protection::Local), "{text}");
    }
}

#[test]
fn names_and_passwords_have_any_characters() {
    for (text, user, password, database) in [
        ("postgres://u:p%40s%2Fs@h/d", "u", "p@s/s", "d"),
        ("postgres://u:p@s:s@h/d", "u", "p@s:s", "d"),
        ("postgres://u:p#s+s%@h/d", "u", "p#s+s%", "d"),
        ("postgres://u:p?s@h/d", "u", "p?s", "d"),
        ("postgres://a%20b:%25@h/c%2Fd", "a b", "%", "c/d"),
        ("postgres://h/d?user=u&password=p+s%26#", "u", "p+s&#", "d"),
        ("postgres://h/d?user=a@b&password=p@s", "a@b", "p@s", "d"),
        ("host=h user=u password='it''s", "", "", ""),
        (
            r"host=h user=u password='it\'s a \\' dbname=d",
            "u",
            r"it's a \",
            "d",
        ),
        (
            r"host=h user='' user=u password=p\ s=s dbname=d",
            "u",
            "p s=s",
            "d",
        ),
        (
            "host=h user=u password='é=%26' dbname='a b'",
            "u",
            "é=%26",
            "a b",
        ),
    ] {
        if user.is_empty() {
            one(text, VerifyFull).unwrap_err();
            continue;
        }
        let options = one(text, VerifyFull).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found = crate::db::connection::protection::password(&options);
        assert_eq!(found.as_deref(), Some(password), "{text}");
        assert_eq!(options.get_username(), user, "{text}");
        assert_eq!(options.get_database(), Some(database), "{text}");
    }
}

#[test]
fn several_hosts_mean_a_server_that_accepts_writes() {
    for (text, must_write) in [
        ("host=a", false),
        ("host=a,b", true),
        ("host=a,b target_session_attrs=any", false),
        ("host=a target_session_attrs=read-write", true),
        ("postgres://a/db?target_session_attrs=primary", true),
    ] {
        let servers = parse(text, VerifyFull).unwrap();
        assert_eq!(servers.must_write(), must_write, "{text}");
    }
    for value in ["read-only", "standby", "prefer-standby", "hush"] {
        let error = protection(&format!("host=a target_session_attrs={value}")).unwrap_err();
        assert!(
            error.contains("target_session_attrs") && !error.contains("hush"),
            "{error}"
        );
    }
}

#[test]
fn a_parameter_of_libpq_is_applied_or_refused_with_advice() {
    for neutral in [
        "gssencmode=prefer",
        "channel_binding=prefer",
        "load_balance_hosts=disable",
        "client_encoding=UTF8",
        "keepalives=1",
        "ssl_min_protocol_version=TLSv1.2",
        "connect_timeout=5",
        "sslpassword=",
    ] {
        let url = format!("postgres://app:hush@localhost/app?{neutral}");
        assert_eq!(protection(&url), Ok(Protection::Local), "{neutral}");
    }
    for (refused, advice) in [
        ("sslpassword=hush", "openssl pkey"),
        ("service=hush", "database.url"),
        ("passfile=hush", "PGPASSFILE"),
        ("gssencmode=require", "GSSAPI"),
        ("krbsrvname=hush", "GSSAPI"),
        ("channel_binding=require", "verify-full"),
        ("connect_timeout=hush", "seconds"),
        ("keepalives_idle=77777", "remove it"),
        ("keepalives=0", "remove it"),
        ("tcp_user_timeout=77777", "remove it"),
        ("load_balance_hosts=random", "in order"),
        ("client_encoding=LATIN1", "UTF8"),
        ("sslcrl=hush", "revocation"),
        ("ssl_min_protocol_version=TLSv1.3", "TLS 1.2"),
        ("require_auth=hush", "SCRAM"),
        ("requirepeer=hush", "SCRAM"),
        ("sslkeylogfile=hush", "never"),
        ("sslcert=hush", "sslkey"),
        ("sslkey=/hush", "sslcert"),
    ] {
        let (name, value) = refused.split_once('=').unwrap();
        for text in [
            format!("postgres://app:hush@db.example/app?{refused}"),
            format!("host=db.example {name} = '{value}' password=hush"),
        ] {
            let error = protection(&text).unwrap_err();
            assert!(
                error.contains(name) && error.contains(advice),
                "{text}: {error}"
            );
            let is_shown = error.contains("hush") || error.contains("77777");
            assert!(!is_shown, "{text}: {error}");
        }
    }
}

#[test]
fn a_part_of_a_password_is_not_named() {
    for text in [
        "host=h password=correct hush=1",
        "host=h password=correct hush",
        "host=h password=correct horse hush=1",
        "host=h password='correct hush",
        "postgres://h/d?password=correct&hush=1",
        "postgres://h/d?password=correct&hush",
        "postgres://u:correct/hush@h/d",
        "postgres://u:1/hush@h/d",
        "postgres://u:p@h/d?password=a&h%20ush=1",
        "mysql://u:hush@h/d?sslmode=require",
        "postgres://u:hush@h:99999/d",
        "postgres://u:hush@h,/d",
        "postgres://u:hush@h/d?port=1,2",
        "postgres://u:h%00ush@h/d",
        "host=@abstract password=hush",
        "host=a,b hostaddr=::1 password=hush",
    ] {
        let error = protection(text).unwrap_err();
        assert!(
            error.starts_with("database.url: ") && !error.contains("hush"),
            "{text}: {error}"
        );
    }
}

#[test]
fn nothing_shown_of_servers_has_a_secret() {
    let servers = parse("postgres://app:hush@a,[::1],b:6/app", VerifyFull).unwrap();
    let text = format!("{servers} {servers:?}");
    assert!(
        text.starts_with("a:5432, [::1]:5432, b:6") && !text.contains("hush"),
        "{text}"
    );
}
