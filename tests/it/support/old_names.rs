//! Names that some tests still use.
#![expect(dead_code, reason = "not all are used")]
use super::TestApp;
use super::database::Session;
use super::process::{CommandOutput, RunningProcess, RunningService};
pub(crate) type Served = RunningService;
pub(crate) type Running = RunningProcess;
pub(crate) struct Place;
impl Place {
    pub(crate) async fn new(tables: &str) -> TestApp {
        TestApp::builder().tables(tables).unmigrated().build().await
    }
}
impl TestApp {
    pub(crate) async fn with(settings: &[(&str, &str)], tables: &str) -> Self {
        Self::builder()
            .settings(settings)
            .tables(tables)
            .build()
            .await
    }
    pub(crate) async fn configured(file: &str, env: &[(&str, &str)], tables: &str) -> Self {
        Self::builder()
            .config_file(file, env)
            .tables(tables)
            .build()
            .await
    }
    pub(crate) fn leaver(&self, args: &[&str]) -> CommandOutput {
        self.run(args)
    }
}
impl Session {
    pub(crate) async fn settled(&mut self) {
        self.wait_until_processed().await;
    }
}
impl CommandOutput {
    pub(crate) fn good(self) -> Self {
        self.succeeded()
    }
}
impl RunningProcess {
    pub(crate) fn ended(&mut self) -> CommandOutput {
        self.wait()
    }
}
pub(crate) use super::process::run as leaver;
pub(crate) struct Name {
    pub(crate) name: String,
}
impl super::apis::StandIn {
    pub(crate) async fn until_asked(&self, times: usize) {
        self.wait_until_asked(times).await;
    }
}
