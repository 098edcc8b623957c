//! The program on a pseudo terminal.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use nix::pty::{Winsize, openpty};

use super::process::{CommandOutput, command};

/// Runs a command whose stdout and stderr are one terminal of this width. All that it shows is in `out`.
#[track_caller]
pub(crate) fn run_on_terminal(args: &[&str], env: &[(&str, &str)], width: u16) -> CommandOutput {
    let size = Winsize {
        ws_row: 50,
        ws_col: width,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pair = openpty(Some(&size), None).unwrap();
    let mut program = command(args, env);
    program
        .stdin(Stdio::null())
        .stdout(pair.slave.try_clone().unwrap())
        .stderr(pair.slave);
    let mut child = program.spawn().unwrap();
    // Its copies of the terminal would keep the other end open.
    drop(program);
    let mut shown = vec![];
    // Linux reports the end of the last process on a terminal as an error.
    let _ = File::from(pair.master).read_to_end(&mut shown);
    CommandOutput {
        code: child.wait().unwrap().code(),
        out: String::from_utf8(shown).unwrap().replace("\r\n", "\n"),
        err: String::new(),
    }
}
