//! Options of every command, before and after its name: `--config`, `--quiet`, `--verbose`, `--color`. Parses the arguments.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, ValueEnum};

use super::output::{self, ColorChoice, OutputError};
use super::sources::WrongUse;
use super::{Cli, Config, wrong_usage};
use crate::config::{Environment, Log, LogFormat};
use crate::service::telemetry;
use leaver_core::domain::printable;

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    #[command(flatten)]
    config: Config,
    /// Print no notes, only the result and errors; `serve` logs warnings and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Log to stderr what the command does; -vv logs more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Colour states and errors; auto: on a terminal without `NO_COLOR`
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto"
    )]
    color: ColorChoice,
}

impl Globals {
    /// Sets how this process prints and logs. `serve` and `demo` start the log themselves, with `log`.
    pub(super) fn apply(&self, env: &Environment, starts_log: bool) -> anyhow::Result<()> {
        output::configure(env, self.color, self.quiet, self.verbose);
        // The parser compares the options of one side of the command only.
        ensure!(
            !self.quiet || self.verbose == 0,
            WrongUse::new("--quiet and --verbose exclude each other; leave one out")
        );
        if starts_log || self.verbose == 0 {
            return Ok(());
        }
        let filter = format!("warn,{}", filter_of(self.verbose));
        let format = LogFormat::Text;
        telemetry::init(
            &Log { filter, format },
            output::Style::of_process().err_colors,
        )
        .context("cannot start the log")
    }
}

/// Starts the log of a command that logs without `--verbose`. `quiet` is its filter with `--quiet`; the first `-v` counts as `least`.
pub(crate) fn start_log(log: &Log, quiet: &str, least: u8) -> anyhow::Result<()> {
    let style = output::Style::of_process();
    let filter = match (style.is_quiet, style.verbose) {
        (true, _) => quiet.to_owned(),
        (false, 0) => log.filter.clone(),
        (false, verbose) => {
            format!(
                "{},{}",
                log.filter,
                filter_of(verbose.saturating_add(least - 1))
            )
        }
    };
    let format = log.format;
    telemetry::init(&Log { filter, format }, style.err_colors).context("log.filter (LEAVER_LOG)")
}

fn filter_of(verbose: u8) -> &'static str {
    match verbose {
        1 => "leaver=info,leaver_core=info",
        _ => "leaver=debug,leaver_core=debug",
    }
}

/// Parses the arguments of the process, or prints the help, the version or the mistake and returns the exit status.
pub(super) fn parse(env: &Environment) -> Result<Cli, ExitCode> {
    let written: Vec<OsString> = std::env::args_os().collect();
    let color = color_of(&written);
    let mistake = match parse_from(&written, color) {
        Ok(cli) => return Ok(cli),
        Err(mistake) => mistake,
    };
    output::configure(env, color, false, 0);
    let shown: Vec<OsString> = written.iter().map(printable_argument).collect();
    if shown == written {
        return Err(print(&mistake));
    }
    // The message quotes an argument, which may be a copy of a text that somebody else wrote.
    if let Err(mistake) = parse_from(&shown, color) {
        return Err(print(&mistake));
    }
    output::problem("error: an argument has a control character or an invisible one; leave it out");
    Err(wrong_usage())
}

fn parse_from(args: &[OsString], color: ColorChoice) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().color(color.of_parser());
    let mut matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|mistake| mistake.format(&mut command))
}

/// Prints a message of the parser: the help and the version on stdout, a mistake on stderr.
fn print(mistake: &clap::Error) -> ExitCode {
    let printed = mistake.print().and_then(|()| std::io::stdout().flush());
    let code = match printed {
        Err(error) if !mistake.use_stderr() => OutputError::from(error).report(),
        _ => u8::try_from(mistake.exit_code()).unwrap_or(2),
    };
    ExitCode::from(code)
}

/// Returns the value of `--color` without the parser, whose own messages it applies to.
fn color_of(args: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let joined = words
        .iter()
        .filter_map(|word| word.strip_prefix("--color="));
    let apart = words.windows(2).filter_map(|pair| match pair {
        ["--color", value] => Some(*value),
        _ => None,
    });
    let value = joined.chain(apart).last().unwrap_or_default();
    ColorChoice::from_str(value, false).unwrap_or_default()
}

fn printable_argument(argument: &OsString) -> OsString {
    printable(&argument.to_string_lossy()).into_owned().into()
}
