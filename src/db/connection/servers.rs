//! The servers of a database.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

/// The servers that may be connected to, in order of preference.
#[derive(Clone)]
pub struct Servers {
    options: Arc<[PgConnectOptions]>,
    /// True if a server that accepts no writes is skipped.
    must_write: bool,
    /// Time limit for one server; `None`: only the limits of the callers.
    limit: Option<Duration>,
    /// The position of the server that was connected to last. All connections share it.
    last: Arc<AtomicUsize>,
}

impl Servers {
    /// Creates a list of servers. A list without a server is connected to never.
    #[must_use]
    pub fn new(servers: Vec<PgConnectOptions>, must_write: bool, limit: Option<Duration>) -> Self {
        Self {
            options: servers.into(),
            must_write,
            limit,
            last: Arc::default(),
        }
    }

    /// Returns the options of each server, in order.
    #[must_use]
    pub fn all(&self) -> &[PgConnectOptions] {
        &self.options
    }

    /// Returns true if a server that accepts no writes is skipped.
    #[must_use]
    pub fn must_write(&self) -> bool {
        self.must_write
    }

    /// Replaces the options of each server.
    #[must_use]
    pub fn map(&self, change: impl FnMut(PgConnectOptions) -> PgConnectOptions) -> Self {
        Self {
            options: self.options.iter().cloned().map(change).collect(),
            ..self.clone()
        }
    }

    /// Returns the options of the only server, if its role does not matter.
    pub(crate) fn only(&self) -> Option<&PgConnectOptions> {
        match &*self.options {
            [only] if !self.must_write => Some(only),
            _ => None,
        }
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Returns the positions in the order in which they are tried: the one that was used last, then the others in order.
    pub(super) fn order(&self) -> impl ExactSizeIterator<Item = usize> + use<> {
        let last = self.last.load(Ordering::Relaxed);
        let mut order: Vec<usize> = (0..self.options.len()).collect();
        order.sort_by_key(|position| (*position != last, *position));
        order.into_iter()
    }

    /// Remembers the server that was used.
    pub(super) fn set_last(&self, position: usize) {
        self.last.store(position, Ordering::Relaxed);
    }
}

impl From<PgConnectOptions> for Servers {
    fn from(only: PgConnectOptions) -> Self {
        Self::new(vec![only], false, None)
    }
}

impl From<&PgConnectOptions> for Servers {
    fn from(only: &PgConnectOptions) -> Self {
        only.clone().into()
    }
}

impl From<&Servers> for Servers {
    fn from(servers: &Servers) -> Self {
        servers.clone()
    }
}

/// Lists the servers, without user, password and parameters.
impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.options.iter().map(address).collect();
        f.write_str(&names.join(", "))
    }
}

// The options hold the password.
impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({self})")
    }
}

/// Returns the address of a server.
pub(super) fn address(options: &PgConnectOptions) -> String {
    let port = options.get_port();
    match options.get_socket() {
        Some(socket) => format!("socket {}", socket.display()),
        None if options.get_host().contains(':') => format!("[{}]:{port}", options.get_host()),
        None => format!("{}:{port}", options.get_host()),
    }
}
