//! The two listeners of a service, `server.listen` and `server.admin_listen`.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::api::proxies::TrustedProxies;
use crate::api::server::{self, Drained, ServerLimits};
use crate::api::slots::Slots;
use crate::api::{AppState, admin_router, router};
use crate::base::descriptors;
use crate::base::metrics::Metrics;
use crate::config::Server;

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

    /// Starts accepting on both, until `stop`.
    pub(super) fn serve(self, state: &Arc<AppState>, stop: &CancellationToken) -> Serving {
        let serve = |bound: Bound, routes, slots| {
            let (limits, stop) = (self.limits.clone(), stop.clone());
            tokio::spawn(server::serve(bound.listener, routes, limits, slots, stop))
        };
        let slots = |create: fn(usize, TrustedProxies, Arc<Metrics>) -> Arc<Slots>| {
            create(
                self.limits.max_connections,
                self.proxies.clone(),
                Arc::clone(&state.metrics),
            )
        };
        let public = router(Arc::clone(state));
        let mut tasks = vec![serve(self.public, public, slots(Slots::public))];
        if let Some(admin) = self.admin {
            let routes = admin_router(Arc::clone(state));
            tasks.push(serve(admin, routes, slots(Slots::admin)));
        }
        Serving(tasks)
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

/// The tasks that accept connections.
pub(super) struct Serving(Vec<JoinHandle<Drained>>);

impl Serving {
    /// Waits until all connections have ended, after the stop.
    pub(super) async fn ended(self) {
        for task in self.0 {
            match task.await {
                Ok(Drained { finished, aborted }) => {
                    info!(finished, aborted, "service.stop: connections are closed");
                }
                Err(error) => error!(%error, "service.stop: a listener ended with a bug"),
            }
        }
    }
}
