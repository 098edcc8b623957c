//! Drives the jobs of the service step by step.

use std::sync::Arc;
use std::time::Duration;

use leaver::jobs::deliveries::Round;
use leaver::jobs::drift::{self, DriftMonitor};
use leaver_core::decision::policy::DriftMode;

use super::states::value_of;
use super::world::{TRIES, World};
use crate::support::TestApp;

impl World {
    pub(super) async fn two_at_work(&mut self) {
        if self.second.is_none() {
            self.second = Some(self.replica().await);
        }
        let second = self.second.as_mut().unwrap();
        tokio::join!(Box::pin(self.app.round()), Box::pin(second.round()));
    }

    /// The worker until it has nothing to do, then the timer.
    pub(super) async fn settle(&mut self) -> Result<(), String> {
        let mut outages = 0;
        for _ in 0..1_000 {
            match self.app.round().await {
                Round::Idle => return self.timer().await,
                Round::Outage if outages < TRIES => {
                    outages += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Round::Outage => return Err("the worker does not reach the database".to_owned()),
                Round::Processed(_) | Round::Postponed | Round::BatchSplit => {}
            }
        }
        Err("the worker does not come to rest".to_owned())
    }

    pub(super) async fn timer(&mut self) -> Result<(), String> {
        self.retried(async |app| app.try_run_due().await).await
    }

    pub(super) async fn run_housekeeping_once(&mut self) -> Result<(), String> {
        self.keeps_house = true;
        let keep = async |app: &mut TestApp| {
            let kept = app.parts.housekeeping.run_once().await;
            kept.map_err(|error| error.to_string())
        };
        self.retried(keep).await
    }

    pub(super) async fn fix_drift(&mut self) -> Result<(), String> {
        let compare = async |app: &mut TestApp| {
            let compared = drift::compare(&app.parts.engine, DriftMode::Fix).await;
            compared.map(drop).map_err(|error| format!("{error:?}"))
        };
        self.retried(compare).await?;
        self.hands.given_back.clear();
        self.hands.touched.clear();
        Ok(())
    }

    /// The periodic comparison. Everything that counts leavers with access shows the number of the report.
    pub(super) async fn check_drift(&mut self) -> Result<(), String> {
        let compare = async |app: &mut TestApp| {
            let engine = Arc::clone(&app.parts.engine);
            let monitor = DriftMonitor::new(engine, DriftMode::Report, Duration::from_secs(1));
            let checked = monitor.check_if_due().await;
            checked.map(drop).map_err(|error| format!("{error:?}"))
        };
        self.retried(compare).await?;
        self.hands.touched.clear();
        let listed = self.drift_report().await?.terminated_with_access.len();
        let health = self.health().await;
        let counted = &health["drift"]["terminated_with_access"];
        let exported = value_of("leaver_drift_terminated_with_access", &self.metrics().await);
        let listed = i64::try_from(listed).ok();
        if counted.as_i64() != listed || exported != listed {
            return Err(format!(
                "drift lists {listed:?} leavers with access, /health {counted}, the gauge {exported:?}"
            ));
        }
        Ok(())
    }

    /// Connections that were broken are found out one by one.
    pub(super) async fn retried(
        &mut self,
        work: impl AsyncFn(&mut TestApp) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut last = Ok(());
        for _ in 0..TRIES {
            last = work(&mut self.app).await;
            if last.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        last
    }
}
