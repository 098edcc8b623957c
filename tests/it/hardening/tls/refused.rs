//! Certificates and keys that psql accepts and Leaver refuses. The error names the cause and what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

use super::certificates::Certificate;
use super::connect;
use super::server::{PASSWORD, Server, parameter};
use crate::support::process::wait_until;

/// Made by `openssl x509 -req -signkey` without an extension file, which issues version 1. Valid until 2126.
const VERSION_1: (&str, &str) = (
    include_str!("../../../fixtures/tls/version-1.pem"),
    include_str!("../../../fixtures/tls/version-1.key"),
);
/// The same key, encrypted by `openssl pkcs8 -topk8` and by `openssl ec -aes256`.
const ENCRYPTED: [&str; 2] = [
    include_str!("../../../fixtures/tls/encrypted-pkcs8.key"),
    include_str!("../../../fixtures/tls/encrypted-traditional.key"),
];

/// Returns a certificate that signs itself.
fn self_signed_with(change: impl FnOnce(&mut CertificateParams)) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut params);
    Certificate {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// Returns the error of a connection to a server with this certificate, which the client also has as that of its CA.
async fn error_of(server: &Server, certificate: &Certificate, expected: &str) -> String {
    server.use_certificate(certificate);
    let ca = server.file("own-ca.pem", &certificate.certificate);
    let url = server.url("app", "localhost", &parameter("sslrootcert", &ca));
    // The server reads the files a moment later.
    for _ in 0..400 {
        let error = connect(&url, "verify-full").await.unwrap_err();
        if error.contains(expected) {
            return error;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    connect(&url, "verify-full").await.unwrap_err()
}

#[tokio::test]
async fn a_refused_certificate_is_explained() {
    let server = Server::start(&["localhost".to_owned()]).await;
    let version_1 = Certificate {
        certificate: VERSION_1.0.to_owned(),
        key: VERSION_1.1.to_owned(),
    };
    let ca = self_signed_with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let expired = self_signed_with(|params| params.not_after = date_time_ymd(2024, 1, 1));
    let future = self_signed_with(|params| params.not_before = date_time_ymd(2200, 1, 1));
    let other_name = self_signed_with(|params| {
        params.subject_alt_names = vec![];
        let name = rcgen::DnType::CommonName;
        params.distinguished_name.push(name, "localhost");
    });
    for (certificate, cause, remedy) in [
        (&ca, "certificate of a CA", "CA:FALSE"),
        (&version_1, "X.509 version 1", "version 3"),
        (&expired, "has expired", "renew it"),
        (&future, "not valid yet", "clocks"),
        (&other_name, "names another host", "subjectAltName"),
    ] {
        let error = error_of(&server, certificate, cause).await;
        assert!(
            error.contains(cause) && error.contains(remedy) && error.contains("docs/DATABASE.md"),
            "{cause}: {error}"
        );
        assert!(!error.contains(PASSWORD), "{error}");
    }
}

#[tokio::test]
async fn a_file_for_tls_that_cannot_be_used_is_named() {
    let server = Server::start(&["localhost".to_owned()]).await;
    let own = server.authority.sign(&["with_certificate".to_owned()]);
    let ca = parameter("sslrootcert", &server.authority_file());
    let certificate = server.file("client.pem", &own.certificate);
    let key = server.file("client.key", &own.key);
    let error_of = async |parameters: &[String]| {
        let url = server.url("with_certificate", "localhost", &parameters.join("&"));
        let error = connect(&url, "verify-full").await.unwrap_err();
        assert!(!error.contains(PASSWORD), "{error}");
        error
    };
    let with_key = [
        ca.clone(),
        parameter("sslcert", &certificate),
        parameter("sslkey", &key),
    ];
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = error_of(&with_key).await;
    assert!(
        error.contains("others may read") && error.contains("chmod 600"),
        "{error}"
    );
    for text in ENCRYPTED {
        fs::write(&key, text).unwrap();
        let error = error_of(&with_key).await;
        assert!(
            error.contains("encrypted") && error.contains("openssl pkey"),
            "{error}"
        );
    }
    fs::write(&key, "no key").unwrap();
    assert!(error_of(&with_key).await.contains("no PEM private key"));
    fs::write(&certificate, [0x30, 0x82]).unwrap();
    assert!(error_of(&with_key).await.contains("`sslcert` has no PEM"));
    let missing = parameter("sslrootcert", &server.sockets().join("missing.pem"));
    let error = error_of(&[missing]).await;
    assert!(
        error.contains("missing.pem") && error.contains("sslrootcert"),
        "{error}"
    );
    let alone = [ca, parameter("sslkey", &key)];
    assert!(error_of(&alone).await.contains("set both"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rogue_server_of_a_list_gets_the_password() {
    use super::rogue::{Demand, Rogue};
    let server = Server::start(&["localhost".to_owned()]).await;
    let certificate = super::certificates::self_signed(&["localhost".to_owned()]);
    let ca = parameter("sslrootcert", &server.authority_file());
    for demand in [Demand::Cleartext, Demand::Md5, Demand::ScramThenCleartext] {
        for (shown, parameters) in [(None, ""), (Some(&certificate), ca.as_str())] {
            let rogue = Rogue::start(demand, shown);
            let (first, second) = (rogue.port, server.port);
            let hosts = format!("localhost:{first},localhost:{second}");
            let url = format!("postgres://app:{PASSWORD}@{hosts}/postgres?{parameters}");
            connect(&url, "verify-full").await.unwrap();
            if shown.is_none() {
                // It records each client in a thread of its own.
                wait_until("it was tried", || rogue.clients() > 0);
            }
            rogue.assert_knows_nothing(PASSWORD, &url);
        }
    }
}
