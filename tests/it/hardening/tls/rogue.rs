//! A server that is not the operator's and asks for the password.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificates::Certificate;

/// How it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    Cleartext,
    Md5,
    /// SCRAM, without knowledge of the password; then in clear text.
    ScramThenCleartext,
    /// Not at the first connection, and in clear text at the others.
    NothingThenCleartext,
}

/// A running server. It records what it is sent, decrypted.
pub(super) struct Rogue {
    pub(super) port: u16,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Rogue {
    /// Listens on all addresses. With a certificate it accepts TLS, else it answers that it has none.
    pub(super) fn start(demand: Demand, certificate: Option<&Certificate>) -> Self {
        Self::start_on(0, demand, certificate)
    }

    /// Does the same on a port.
    pub(super) fn start_on(port: u16, demand: Demand, certificate: Option<&Certificate>) -> Self {
        let config = certificate.map(config);
        let listener = TcpListener::bind(("::", port))
            .or_else(|_| TcpListener::bind(("0.0.0.0", port)))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(vec![]));
        let record = Arc::clone(&received);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (config, record) = (config.clone(), Arc::clone(&record));
                // The other side may end at any moment.
                std::thread::spawn(move || drop(attend(stream, number, demand, config, &record)));
            }
        });
        Self { port, received }
    }

    /// Returns the number of connections whose start-up packet it has seen.
    pub(super) fn clients(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// Panics if it has received the password, or an md5 hash.
    #[track_caller]
    pub(super) fn assert_knows_nothing(&self, password: &str, what: &str) {
        for bytes in self.received.lock().unwrap().iter() {
            let text = String::from_utf8_lossy(bytes);
            assert!(
                !text.contains(password) && !text.contains("md5"),
                "{what}: {text:?}"
            );
        }
    }

    /// Returns true if it has received the password.
    pub(super) fn knows(&self, password: &str) -> bool {
        let received = self.received.lock().unwrap();
        let mut texts = received.iter().map(|bytes| String::from_utf8_lossy(bytes));
        texts.any(|text| text.contains(password))
    }
}

fn config(certificate: &Certificate) -> Arc<ServerConfig> {
    let chain = CertificateDer::from_pem_slice(certificate.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    Arc::new(config)
}

type Received = Mutex<Vec<Vec<u8>>>;

fn attend(
    mut stream: TcpStream,
    number: usize,
    demand: Demand,
    config: Option<Arc<ServerConfig>>,
    record: &Received,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut first = packet(&mut stream)?;
    let is_ssl_request = first == 80_877_103_u32.to_be_bytes();
    if is_ssl_request && let Some(config) = config {
        stream.write_all(b"S")?;
        let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        let first = packet(&mut stream)?;
        return demand_password(stream, first, number, demand, record);
    }
    if is_ssl_request {
        stream.write_all(b"N")?;
        first = packet(&mut stream)?;
    }
    demand_password(stream, first, number, demand, record)
}

fn demand_password(
    mut stream: impl Read + Write,
    startup: Vec<u8>,
    number: usize,
    demand: Demand,
    record: &Received,
) -> std::io::Result<()> {
    let slot = {
        let mut received = record.lock().unwrap();
        received.push(startup);
        received.len() - 1
    };
    match demand {
        Demand::Md5 => authentication(&mut stream, 5, b"salt")?,
        Demand::NothingThenCleartext if number == 0 => {
            authentication(&mut stream, 0, b"")?;
            stream.write_all(b"Z\0\0\0\x05I")?;
        }
        Demand::Cleartext | Demand::NothingThenCleartext => {
            authentication(&mut stream, 3, b"")?;
        }
        Demand::ScramThenCleartext => {
            authentication(&mut stream, 10, b"SCRAM-SHA-256\0\0")?;
            let first = message(&mut stream)?;
            let text = String::from_utf8_lossy(&first).into_owned();
            let nonce = text.split("r=").nth(1).unwrap_or_default();
            let salt = base64::engine::general_purpose::STANDARD.encode(b"sixteen bytes ok");
            let first = format!("r={nonce}more,s={salt},i=4096");
            authentication(&mut stream, 11, first.as_bytes())?;
            let proof = message(&mut stream)?;
            record.lock().unwrap()[slot].extend(proof);
            authentication(&mut stream, 3, b"")?;
        }
    }
    // One answer is enough. The client gets no reply, and the connection ends.
    let mut bytes = [0; 4_096];
    let read = stream.read(&mut bytes)?;
    record.lock().unwrap()[slot].extend_from_slice(&bytes[..read]);
    Ok(())
}

fn authentication(stream: &mut impl Write, code: u32, rest: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(8 + rest.len()).unwrap();
    stream.write_all(&[b"R", &length.to_be_bytes()[..], &code.to_be_bytes(), rest].concat())?;
    stream.flush()
}

/// Reads a message without its kind and its length.
fn message(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    stream.read_exact(&mut [0])?;
    packet(stream)
}

fn packet(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length).saturating_sub(4).min(65_536);
    let mut body = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut body)?;
    Ok(body)
}
