//! The person who runs a command, for the audit log.

use anyhow::Context;
use clap::Args;
use nix::unistd::{User, getuid};

use crate::config::Environment;
use leaver_core::domain::{Actor, CliUser, InvalidActor, Operator};

/// The person who decides.
#[derive(Debug, Args)]
pub(super) struct Person {
    /// Your name in the audit log; default: your login name
    #[arg(long = "as", value_name = "NAME", value_parser = parse_name)]
    name: Option<Operator>,
}

fn parse_name(text: &str) -> Result<Operator, InvalidActor> {
    Operator::parse(text)
}

impl Person {
    /// Returns the user who runs the command.
    pub(super) fn logged_in(env: &Environment) -> anyhow::Result<Actor> {
        Self { name: None }.actor(env)
    }

    /// Returns the actor: the claimed name, and the facts that nobody claims, which are the user id and the machine.
    pub(super) fn actor(&self, env: &Environment) -> anyhow::Result<Actor> {
        let os_user = os_user();
        let name = match (&self.name, sudo_user(env)) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) => name,
            (None, None) => Operator::parse(&os_user).with_context(|| {
                format!("the login name {os_user} cannot stand in the audit log; add --as with your own name")
            })?,
        };
        let host = nix::unistd::gethostname().unwrap_or_default();
        let host = host.to_string_lossy();
        Ok(Actor::Cli(CliUser::new(name, os_user, host)))
    }
}

/// Returns who called sudo. Only root can have been called by it.
fn sudo_user(env: &Environment) -> Option<Operator> {
    let name = env.text("SUDO_USER").filter(|_| getuid().is_root())?;
    Operator::parse(name).ok()
}

/// Returns the login name of the process, or `uid-` and its user id, as in a container without that user.
fn os_user() -> String {
    let user = User::from_uid(getuid()).ok().flatten();
    user.map_or_else(|| format!("uid-{}", getuid()), |user| user.name)
}
