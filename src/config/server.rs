//! Section `[server]`. Variables: `LEAVER_LISTEN`, `LEAVER_ADMIN_TOKEN`, `LEAVER_ADMIN_TOKEN_FILE`.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::values::{ByteSize, ConfigDuration, SecretRef};
use super::{Environment, Provenance, SettingsError, secrets};
use crate::api::admin::AdminToken;
use crate::api::connections;

/// The HTTP server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
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
    /// Limits of connections.
    pub connections: connections::Limits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServer {
    listen: String,
    max_body: ByteSize,
    max_in_flight_bytes: ByteSize,
    body_timeout: ConfigDuration,
    store_timeout: ConfigDuration,
    header_timeout: ConfigDuration,
    idle_timeout: ConfigDuration,
    write_timeout: ConfigDuration,
    max_connections: usize,
    drain_timeout: ConfigDuration,
    admin_token: SecretRef,
}

impl RawServer {
    pub(super) fn build(
        self,
        env: &Environment,
        provenance: &Provenance,
    ) -> Result<Server, SettingsError> {
        let listen = self.listen.parse().map_err(|_| {
            provenance.invalid_setting(
                "server.listen",
                format!(
                    "`{}` is not an address and port such as 127.0.0.1:8080",
                    self.listen
                ),
            )
        })?;
        provenance.require_minimum("server.max_connections", self.max_connections >= 1, "1")?;
        provenance.require_minimum(
            "server.max_in_flight_bytes",
            self.max_in_flight_bytes.0 >= self.max_body.0,
            "`server.max_body`",
        )?;
        let timeout = |key, duration| provenance.require_duration(key, duration);
        Ok(Server {
            listen,
            max_body_bytes: self.max_body.0,
            max_in_flight_bytes: self.max_in_flight_bytes.0,
            body_timeout: timeout("server.body_timeout", self.body_timeout)?,
            store_timeout: timeout("server.store_timeout", self.store_timeout)?,
            admin_token: secrets::admin_token(&self.admin_token.0, env)?,
            connections: connections::Limits {
                max_connections: self.max_connections,
                header_timeout: timeout("server.header_timeout", self.header_timeout)?,
                idle_timeout: timeout("server.idle_timeout", self.idle_timeout)?,
                write_timeout: timeout("server.write_timeout", self.write_timeout)?,
                drain_deadline: self.drain_timeout.0,
            },
        })
    }
}
