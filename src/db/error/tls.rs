//! Explains errors of TLS. Several kinds of certificates that psql accepts are refused here.

/// Parts of the texts of rustls and sqlx, and the cause with what to do.
const EXPLANATIONS: [(&str, &str); 13] = [
    (
        "CaUsedAsEndEntity",
        "the server uses the certificate of a CA (CA:TRUE) as its own; issue a server certificate with CA:FALSE, signed by that CA",
    ),
    (
        "UnsupportedCertVersion",
        "the server's certificate is of X.509 version 1; issue it again as version 3, with a `subjectAltName`",
    ),
    (
        "certificate expired",
        "the server's certificate has expired; renew it and reload Postgres",
    ),
    (
        "certificate not valid yet",
        "the server's certificate is not valid yet; compare the clocks of both machines",
    ),
    (
        "not valid for name",
        "the server's certificate names another host; connect by a name in its `subjectAltName`, or issue it for this one. Its common name does not count",
    ),
    (
        "UnknownIssuer",
        "no known CA has signed the server's certificate; set sslrootcert=PATH in `database.url` to the certificate of your CA",
    ),
    (
        "SignatureAlgorithm",
        "the server's certificate uses an outdated signature or key; issue it again with SHA-256 and ECDSA, or RSA of 2048 bits or more",
    ),
    (
        "BadSignature",
        "the server's certificate is not signed by the CA that it names; check `sslrootcert`",
    ),
    (
        "server does not support TLS",
        "set `ssl = on` in postgresql.conf",
    ),
    (
        "no keys found pem file",
        "the client key is encrypted or not PEM; decrypt it with `openssl pkey -in FILE -out plain.key`",
    ),
    (
        "fatal alert: UnknownCA",
        "the server does not know the CA of the client certificate; check `sslcert`, and `ssl_ca_file` of the server",
    ),
    (
        "fatal alert: CertificateRequired",
        "the server requires a client certificate; set `sslcert` and `sslkey` in `database.url`",
    ),
    (
        "peer is incompatible",
        "the server offers no TLS 1.2 or 1.3; raise its `ssl_max_protocol_version` or upgrade it",
    ),
];

/// Adds the cause and what to do to an error of TLS. Other texts stay as they are.
pub(super) fn explained(text: String) -> String {
    let found = EXPLANATIONS.iter().find(|(part, _)| text.contains(part));
    match found {
        Some((_, explanation)) => {
            format!("{text}: {explanation}; see \"TLS to Postgres\" in docs/DATABASE.md")
        }
        None => text,
    }
}
