//! Certificates of an authority that exists for one test.

use std::net::IpAddr;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A certificate and its key as PEM.
pub(super) struct Certificate {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// An authority.
pub(super) struct Authority {
    pub(super) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// Signs a certificate for these names and addresses.
    pub(super) fn sign(&self, names: &[String]) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        let common_name = rcgen::DnType::CommonName;
        params
            .distinguished_name
            .push(common_name, names[0].as_str());
        Certificate {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// Returns a certificate for these names that no authority has signed.
pub(super) fn self_signed(names: &[String]) -> Certificate {
    let signed = rcgen::generate_simple_self_signed(names).unwrap();
    Certificate {
        certificate: signed.cert.pem(),
        key: signed.signing_key.serialize_pem(),
    }
}

/// Returns an address of this machine that is not loopback. No packet is sent.
pub(super) fn outer_address() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
