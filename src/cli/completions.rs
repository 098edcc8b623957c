//! `leaver completions`.

use std::process::ExitCode;

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Generator, Shell};

use super::{Cli, output};

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leaver completions bash > ~/.local/share/bash-completion/completions/leaver\n  leaver completions zsh > ~/.zfunc/_leaver\n  leaver completions fish > ~/.config/fish/completions/leaver.fish"
)]
pub(super) struct Completions {
    shell: CompletedShell,
}

/// A shell with a completion script.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum CompletedShell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let shell = match self.shell {
            CompletedShell::Bash => Shell::Bash,
            CompletedShell::Zsh => Shell::Zsh,
            CompletedShell::Fish => Shell::Fish,
        };
        let mut command = Cli::command();
        command.set_bin_name("leaver");
        command.build();
        let mut script = vec![];
        shell.try_generate(&command, &mut script)?;
        output::line!("{}", String::from_utf8(script)?.trim_end());
        Ok(ExitCode::SUCCESS)
    }
}
