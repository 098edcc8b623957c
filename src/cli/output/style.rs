//! How this process prints: the width of its terminal, colours, notes. Set once, from the command line and the environment.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;
use terminal_size::{Height, Width, terminal_size_of};

use crate::config::Environment;

/// Width of a drawn table where the terminal has none, in columns.
const DEFAULT_WIDTH: usize = 80;
const RESET: &str = "\u{1b}[0m";

static STYLE: OnceLock<Style> = OnceLock::new();

/// Values of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

impl ColorChoice {
    /// Returns the same choice for the messages of the command-line parser.
    pub(crate) fn of_parser(self) -> clap::ColorChoice {
        match self {
            Self::Auto => clap::ColorChoice::Auto,
            Self::Always => clap::ColorChoice::Always,
            Self::Never => clap::ColorChoice::Never,
        }
    }

    fn applies(self, env: &Environment, is_terminal: bool) -> bool {
        let is_set = |name| env.raw(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && !is_set("NO_COLOR") && env.text("TERM") != Some("dumb"),
        }
    }
}

/// How this process prints.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// No notes.
    pub(crate) is_quiet: bool,
    /// How often `--verbose` is given.
    pub(crate) verbose: u8,
    /// The width of the terminal; `None` where stdout is a pipe or a file.
    pub(crate) width: Option<usize>,
    /// The width of the terminal of stderr.
    pub(crate) err_width: Option<usize>,
    /// Colours on stdout.
    pub(crate) colors: bool,
    /// Colours on stderr.
    pub(crate) err_colors: bool,
}

impl Style {
    /// Returns the style of this process. Without [`configure`], nothing is drawn or coloured.
    pub(crate) fn of_process() -> Self {
        STYLE.get().copied().unwrap_or_default()
    }
}

/// Sets the style of this process. A second call has no effect.
pub(crate) fn configure(env: &Environment, color: ColorChoice, is_quiet: bool, verbose: u8) {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let chosen = env.text("COLUMNS").and_then(|text| text.parse().ok());
    let width = |size: Option<(Width, Height)>| {
        let width = chosen.or_else(|| size.map(|(Width(width), _)| usize::from(width)));
        width.filter(|width| *width > 0).unwrap_or(DEFAULT_WIDTH)
    };
    let of_out = || width(terminal_size_of(&out));
    let of_err = || width(terminal_size_of(&err));
    let style = Style {
        is_quiet,
        verbose,
        width: out.is_terminal().then(of_out),
        err_width: err.is_terminal().then(of_err),
        colors: color.applies(env, out.is_terminal()),
        err_colors: color.applies(env, err.is_terminal()),
    };
    // Only tests call it twice.
    let _ = STYLE.set(style);
}

/// A colour of a state or an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    Red,
    Yellow,
    Green,
}

impl Color {
    /// Returns the colour of a state; `None` for a word that is no state.
    pub(super) fn of_state(text: &str) -> Option<Self> {
        let word = text.split([':', ';', ' ']).next().unwrap_or_default();
        match word {
            "ok" | "processed" | "complete" | "healthy" => Some(Self::Green),
            "warning" | "pending" | "held" | "degraded" => Some(Self::Yellow),
            "ERROR" | "error" | "failed" | "blocked" | "incomplete" | "tripped" | "unavailable" => {
                Some(Self::Red)
            }
            _ => None,
        }
    }

    /// Returns the text in this colour.
    pub(crate) fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Red => 31,
            Self::Yellow => 33,
            Self::Green => 32,
        };
        format!("\u{1b}[{code}m{text}{RESET}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_coloured_unless_the_environment_forbids_it() {
        let none = Environment::default();
        let forbidden = Environment::of([("NO_COLOR", "1")]);
        let empty = Environment::of([("NO_COLOR", "")]);
        let dumb = Environment::of([("TERM", "dumb")]);
        let auto = |env, is_terminal| ColorChoice::Auto.applies(env, is_terminal);
        assert!(auto(&none, true) && auto(&empty, true));
        assert!(!auto(&none, false) && !auto(&forbidden, true) && !auto(&dumb, true));
        assert!(ColorChoice::Always.applies(&forbidden, false));
        assert!(!ColorChoice::Never.applies(&none, true));
    }
}
