//! `leaver man`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::{Cli, output};
use crate::base::build;

/// Write the man pages into a folder, one for each command
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leaver man target/man && man target/man/leaver.1")]
pub(super) struct Man {
    /// Folder; it is made if there is none
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let folder = self.folder;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut root = Cli::command();
        root.build();
        let mut pages = vec![];
        add_pages(&root, "leaver", &mut pages)?;
        for (name, page) in &pages {
            let path = folder.join(format!("{name}.1"));
            fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
        }
        output::line!(
            "{} in {}",
            output::count(pages.len(), "man page"),
            folder.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// Adds the page of a command and those of its subcommands.
fn add_pages(
    command: &clap::Command,
    name: &str,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> anyhow::Result<()> {
    // The date of the build would change the page of a command that did not change.
    let page = clap_mangen::Man::new(command.clone().display_name(name.to_owned()))
        .title(name.to_owned())
        .date("")
        .source(format!("leaver {}", build::VERSION))
        .manual("Leaver");
    let mut bytes = vec![];
    page.render(&mut bytes)?;
    pages.push((name.to_owned(), bytes));
    for inner in command.get_subcommands() {
        if inner.get_name() != "help" {
            add_pages(inner, &format!("{name}-{}", inner.get_name()), pages)?;
        }
    }
    Ok(())
}
