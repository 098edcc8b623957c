//! `leaver serve`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use super::{Config, start_embedded};
use crate::base::clock::SystemClock;
use crate::config::{Environment, Settings};
use crate::demo::example;
use crate::service::telemetry;
use crate::service::{self, Service};

/// Run the service: webhooks, API, workers, timers
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  DATABASE_URL=postgres://app@localhost/app BAMBOOHR_WEBHOOK_SECRET=... leaver serve\n  leaver serve --config /etc/leaver.toml\n  BAMBOOHR_WEBHOOK_SECRET=... leaver serve --embedded"
)]
pub(super) struct Serve {
    #[command(flatten)]
    config: Config,
    /// Run on a private Postgres with example users, each with two sessions; its data stays for the next start
    #[arg(long)]
    embedded: bool,
    /// Wait for pending migrations instead of applying them (`database.migrate = false`)
    #[arg(long)]
    no_migrate: bool,
}

impl Serve {
    pub(super) async fn run(self, env: &Environment) -> anyhow::Result<ExitCode> {
        let mut settings = self.config.load(env)?;
        telemetry::init(&settings.log).context("log.filter (LEAVER_LOG)")?;
        settings.database.migrate &= !self.no_migrate;
        #[cfg(feature = "failpoints")]
        crate::base::failpoints::arm(env.text("FAILPOINTS").unwrap_or_default())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;

        let embedded = if self.embedded {
            let (postgres, options) = start_embedded(env).await?;
            example::create_if_missing(&options, &mut settings.accounts).await?;
            info!(
                url = postgres.url("postgres"),
                version = postgres.version(),
                "embedded.start: running a private Postgres"
            );
            Some((postgres, options))
        } else {
            None
        };
        let source = match &embedded {
            Some((_, options)) => options.into(),
            None => service::connect_source(&settings.database, env)
                .context("no database; `--embedded` starts a private one")?,
        };
        let service = Service::start(&settings, source, Arc::new(SystemClock))?;
        log_secrets(&settings);
        let ended = loop {
            tokio::select! {
                _ = terminate.recv() => break Ok(ExitCode::SUCCESS),
                _ = interrupt.recv() => break Ok(ExitCode::SUCCESS),
                error = service.failed() => break Err(error),
                _ = hangup.recv() => match self.config.load(env) {
                    Ok(newer) => {
                        log_secrets(&newer);
                        service.replace_keys(&newer);
                        if embedded.is_none() {
                            service.replace_database(&newer, env);
                        }
                    }
                    // The current keys stay valid. Without keys, every delivery would get a final 401.
                    Err(error) => error!("service.replace_keys: cannot read the configuration; keeping the current webhook keys and `database.url`: {error:#}"),
                },
            }
        };
        info!("service.stop: draining; a second signal stops at once");
        tokio::select! {
            () = service.stop() => {}
            _ = terminate.recv() => info!("service.stop: stopped at once"),
            _ = interrupt.recv() => info!("service.stop: stopped at once"),
        }
        if let Some((postgres, _)) = embedded {
            tokio::task::spawn_blocking(move || postgres.stop()).await??;
        }
        ended
    }
}

/// Logs the remarks about the secrets.
fn log_secrets(settings: &Settings) {
    for remark in settings.secrets.remarks() {
        let (setting, text) = (&remark.setting, &remark.text);
        if remark.is_warning {
            warn!(setting, "config.secrets: {text}");
        } else {
            info!(setting, "config.secrets: {text}");
        }
    }
}
