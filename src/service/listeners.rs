//! The two listeners of a service, `server.listen` and `server.admin_listen`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::api::proxies::TrustedProxies;
use crate::api::server::{self, Drained, ServerLimits, StopSignals};
use crate::api::slots::Slots;
use crate::api::{AppState, admin_router, router};
use crate::base::descriptors;
use crate::base::metrics::Metrics;
use crate::config::Server;

/// Time for requests to the admin listener in flight, which is closed when all else has ended.
const ADMIN_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Bound, but not accepting yet.
pub(super) struct Listeners {
    public: Bound,
    admin: Option<Bound>,
    limits: ServerLimits,
    proxies: TrustedProxies,
}

struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listeners {
    /// Binds both addresses. The error names the address and its settings.
    pub(super) fn bind(settings: &Server) -> anyhow::Result<Self> {
        let public = Bound::new(settings.listen, "server.listen, LEAVER_LISTEN")?;
        let admin = settings
            .admin_listen
            .map(|listen| Bound::new(listen, "server.admin_listen, LEAVER_ADMIN_LISTEN"))
            .transpose()?;
        let mut limits = settings.limits.clone();
        if let Some(descriptors) = descriptors::raise_limit()
            && limits.fit_descriptors(descriptors)
        {
            let connections = limits.max_connections;
            warn!(
                descriptors,
                connections,
                "service.start: fewer connections than `server.max_connections`: the process may open too few files; raise \
                 the limit, such as `LimitNOFILE` or `ulimit -n`"
            );
        }
        Ok(Self {
            public,
            admin,
            limits,
            proxies: settings.trusted_proxies.clone(),
        })
    }

    /// Returns the address for webhooks.
    pub(super) fn address(&self) -> SocketAddr {
        self.public.address
    }

    /// Returns the address for API and metrics, if there is one.
    pub(super) fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|bound| bound.address)
    }

    /// Starts accepting on both.
    pub(super) fn serve(self, state: &Arc<AppState>) -> Serving {
        let serve = |bound: Bound, routes, slots, limits: ServerLimits| {
            let signals = StopSignals::default();
            Listener {
                signals: signals.clone(),
                task: tokio::spawn(server::serve(
                    bound.listener,
                    routes,
                    limits,
                    slots,
                    signals,
                )),
            }
        };
        let slots = |create: fn(usize, TrustedProxies, Arc<Metrics>) -> Arc<Slots>| {
            create(
                self.limits.max_connections,
                self.proxies.clone(),
                Arc::clone(&state.metrics),
            )
        };
        let public = router(Arc::clone(state));
        let public = serve(
            self.public,
            public,
            slots(Slots::public),
            self.limits.clone(),
        );
        let admin = self.admin.map(|admin| {
            let routes = admin_router(Arc::clone(state));
            let limits = ServerLimits {
                drain_timeout: self.limits.drain_timeout.min(ADMIN_DRAIN_TIMEOUT),
                ..self.limits.clone()
            };
            serve(admin, routes, slots(Slots::admin), limits)
        });
        Serving { public, admin }
    }
}

impl Bound {
    fn new(listen: SocketAddr, settings: &str) -> anyhow::Result<Self> {
        let bound = server::listen(listen).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        });
        bound.with_context(|| format!("cannot listen on {listen} ({settings})"))
    }
}

/// The listeners while they accept connections.
pub(super) struct Serving {
    public: Listener,
    admin: Option<Listener>,
}

struct Listener {
    signals: StopSignals,
    task: JoinHandle<Drained>,
}

impl Serving {
    /// Ends each connection of the public listener after its next response. Both listeners accept connections still.
    pub(super) fn leave(&self) {
        self.public.signals.leaving.cancel();
    }

    /// Closes the public listener and waits until all its connections have ended. Returns the admin listener, which still
    /// answers `/health/ready` and `/metrics`.
    pub(super) async fn end_public(self) -> AdminServing {
        self.public.end("webhooks").await;
        AdminServing(self.admin)
    }
}

/// The admin listener, which is closed last.
pub(super) struct AdminServing(Option<Listener>);

impl AdminServing {
    /// Closes the listener and waits until all its connections have ended.
    pub(super) async fn end(self) {
        if let Some(admin) = self.0 {
            admin.end("admin").await;
        }
    }
}

impl Listener {
    async fn end(self, listener: &'static str) {
        self.signals.stop.cancel();
        match self.task.await {
            Ok(Drained { finished, aborted }) => {
                info!(
                    listener,
                    finished, aborted, "service.stop: connections are closed"
                );
            }
            Err(error) => error!(listener, %error, "service.stop: a listener ended with a bug"),
        }
    }
}
