//! Section `[server]`. Variables: `LEAVER_LISTEN`, `LEAVER_ADMIN_LISTEN`, `LEAVER_PUBLIC_URL`, `LEAVER_ADMIN_TOKEN`,
//! `LEAVER_ADMIN_TOKEN_FILE`.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::secrets::SecretReader;
use super::values::{ByteSize, ConfigDuration, SecretRef};
use super::{Provenance, SettingsError};
use crate::api::auth::AdminToken;
use crate::api::proxies::TrustedProxies;
use crate::api::server::ServerLimits;
use leaver_core::domain::SourceName;

/// The HTTP server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port for webhooks and health.
    pub listen: SocketAddr,
    /// Address and port for API, metrics and health; `None` for no such listener.
    pub admin_listen: Option<SocketAddr>,
    /// URL at which the outside reaches `listen`, without a slash at its end; `None` if it is not set.
    pub public_url: Option<String>,
    /// Path that a proxy leaves in front of `/webhooks`, such as `/leaver`; empty for none.
    pub path_prefix: String,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// Largest sum of all bodies in flight, in bytes; at least `max_body_bytes`.
    pub max_in_flight_bytes: usize,
    /// Time limit for receiving a body.
    pub body_timeout: Duration,
    /// Time limit for storing a delivery.
    pub store_timeout: Duration,
    /// Token for the routes under `/api`; without it they return 404.
    pub admin_token: Option<AdminToken>,
    /// From SIGTERM until the listener closes; `/health/ready` answers 503 meanwhile.
    pub drain_delay: Duration,
    /// Limits of the connections of each listener.
    pub limits: ServerLimits,
    /// Proxies whose headers name the client.
    pub trusted_proxies: TrustedProxies,
}

impl Server {
    /// Returns the URL at which the outside reaches a source; `None` without `public_url`.
    #[must_use]
    pub fn webhook_url(&self, source: &SourceName) -> Option<String> {
        let public_url = self.public_url.as_ref()?;
        Some(format!("{public_url}{}", self.webhook_path(source)))
    }

    /// Returns the path at which the outside reaches a source.
    #[must_use]
    pub fn webhook_path(&self, source: &SourceName) -> String {
        format!("{}/webhooks/{source}", self.path_prefix)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServer {
    listen: String,
    admin_listen: String,
    public_url: String,
    path_prefix: String,
    max_body: ByteSize,
    max_in_flight_bytes: ByteSize,
    body_timeout: ConfigDuration,
    store_timeout: ConfigDuration,
    header_timeout: ConfigDuration,
    idle_timeout: ConfigDuration,
    write_timeout: ConfigDuration,
    max_connections: usize,
    trusted_proxies: Vec<String>,
    drain_delay: ConfigDuration,
    drain_timeout: ConfigDuration,
    admin_token: SecretRef,
}

impl RawServer {
    pub(super) fn build(
        self,
        secrets: &SecretReader<'_>,
        provenance: &Provenance,
    ) -> Result<Server, SettingsError> {
        let (listen, admin_listen) = self.listen_addresses(provenance)?;
        provenance.require_minimum("server.max_connections", self.max_connections >= 1, "1")?;
        provenance.require_minimum(
            "server.max_in_flight_bytes",
            self.max_in_flight_bytes.0 >= self.max_body.0,
            "`server.max_body`",
        )?;
        let timeout = |key, duration| provenance.require_duration(key, duration);
        Ok(Server {
            listen,
            admin_listen,
            public_url: self.public_url(provenance)?,
            path_prefix: self.path_prefix(provenance)?,
            trusted_proxies: self.trusted_proxies(provenance)?,
            max_body_bytes: self.max_body.0,
            max_in_flight_bytes: self.max_in_flight_bytes.0,
            body_timeout: timeout("server.body_timeout", self.body_timeout)?,
            store_timeout: timeout("server.store_timeout", self.store_timeout)?,
            admin_token: secrets.admin_token(&self.admin_token)?,
            drain_delay: self.drain_delay.0,
            limits: ServerLimits {
                max_connections: self.max_connections,
                header_timeout: timeout("server.header_timeout", self.header_timeout)?,
                idle_timeout: timeout("server.idle_timeout", self.idle_timeout)?,
                write_timeout: timeout("server.write_timeout", self.write_timeout)?,
                drain_timeout: self.drain_timeout.0,
            },
        })
    }

    /// Parses addresses and networks.
    fn trusted_proxies(&self, provenance: &Provenance) -> Result<TrustedProxies, SettingsError> {
        let networks = self.trusted_proxies.iter().map(|text| {
            text.trim().parse().map_err(|error| {
                let problem = format!("`{text}`: {error}");
                provenance.invalid_setting("server.trusted_proxies", problem)
            })
        });
        Ok(TrustedProxies::new(networks.collect::<Result<_, _>>()?))
    }

    /// Checks the URL: `http` or `https`, a host, and nothing after the path.
    fn public_url(&self, provenance: &Provenance) -> Result<Option<String>, SettingsError> {
        let text = self.public_url.trim().trim_end_matches('/');
        if text.is_empty() {
            return Ok(None);
        }
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let is_wrong = |c: char| "?#@".contains(c) || c.is_whitespace() || c.is_control();
        match rest {
            Some(rest)
                if !rest.is_empty()
                    && !rest.starts_with(['/', ':'])
                    && !rest.contains(is_wrong) =>
            {
                Ok(Some(text.to_owned()))
            }
            _ => Err(provenance.invalid_setting(
                "server.public_url",
                "it is not a URL without user and query; write it like https://leaver.example.com",
            )),
        }
    }

    /// Checks the prefix and removes a slash at its end.
    fn path_prefix(&self, provenance: &Provenance) -> Result<String, SettingsError> {
        let text = self.path_prefix.trim_end_matches('/');
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        if text.is_empty()
            || (text.starts_with('/') && !text.contains("//") && text.chars().all(is_plain))
        {
            return Ok(text.to_owned());
        }
        Err(provenance.invalid_setting(
            "server.path_prefix",
            "it is not a path of letters, digits and any of -_.~; write it like /leaver",
        ))
    }

    /// Parses both addresses, which must differ. Port 0 means any free port and may stand in both.
    fn listen_addresses(
        &self,
        provenance: &Provenance,
    ) -> Result<(SocketAddr, Option<SocketAddr>), SettingsError> {
        let parse = |key, text: &str, example| {
            text.parse().map_err(|_| {
                let problem = format!("`{text}` is not an address and port such as {example}");
                provenance.invalid_setting(key, problem)
            })
        };
        let listen: SocketAddr = parse("server.listen", &self.listen, "127.0.0.1:8080")?;
        let admin_listen = match self.admin_listen.as_str() {
            "" => None,
            text => Some(parse("server.admin_listen", text, "127.0.0.1:8081")?),
        };
        if admin_listen == Some(listen) && listen.port() != 0 {
            let problem = format!(
                "`{listen}` is also the address of `server.listen`; set another port, or \"\" for no admin listener"
            );
            return Err(provenance.invalid_setting("server.admin_listen", problem));
        }
        Ok((listen, admin_listen))
    }
}
