//! A child process that dies with us. The one place with `unsafe`: only code that runs between fork
//! and exec can ask the kernel for a signal on our death.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use std::{io, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::run_as::RunAs;

/// Cuts a command off from our surroundings, and ties it to our life.
pub(super) fn isolate(command: &mut Command, run_as: RunAs, on_our_death: Signal) {
    command
        // No `PG…` variable of ours shall change what it does, and its messages and times are the
        // same on every machine.
        .env_clear()
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        // Our own folder may be closed to its user.
        .current_dir("/")
        .stdin(Stdio::null())
        // Ctrl-C on the terminal reaches only us, and we stop it in our own time.
        .process_group(0);
    run_as.apply(command);
    signal_on_our_death(command, on_our_death);
}

#[cfg(target_os = "linux")]
fn signal_on_our_death(command: &mut Command, signal: Signal) {
    use nix::errno::Errno;
    use nix::sys::prctl::set_pdeathsig;
    use nix::unistd::getppid;

    let us = Pid::this();
    let ask_the_kernel = move || {
        set_pdeathsig(signal)?;
        // When we died before the line above, no signal will come.
        if getppid() == us {
            Ok(())
        } else {
            Err(Errno::ESRCH.into())
        }
    };
    #[expect(
        unsafe_code,
        reason = "the request must be made in the child, after it changed its user, which would undo it"
    )]
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two
    // plain system calls, allocates nothing, takes no lock and touches no memory but its own copy of
    // two numbers; an `io::Error` made of an `Errno` is a number too.
    unsafe {
        command.pre_exec(ask_the_kernel);
    }
}

/// Elsewhere there is no such signal: after a kill -9 of ours the server stays, and holds its folder.
#[cfg(not(target_os = "linux"))]
fn signal_on_our_death(_command: &mut Command, _signal: Signal) {}

/// A child process with a thread of its own that started it and waits for its end.
#[derive(Debug)]
pub(super) struct SupervisedChild {
    pid: u32,
    ended: Arc<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    yet: Mutex<bool>,
    changed: Condvar,
}

impl SupervisedChild {
    /// Starts a command. The kernel takes the end of the thread that forked for our death, so the
    /// thread that forks is one that lives as long as the child; a thread of a pool would not do.
    pub(super) fn spawn(mut command: Command) -> io::Result<Self> {
        let ended = Arc::new(Ended::default());
        let told = Arc::clone(&ended);
        let (tell, answer) = mpsc::channel();
        thread::Builder::new()
            .name("embedded-postgres".to_owned())
            .spawn(move || match command.spawn() {
                Err(error) => drop(tell.send(Err(error))),
                Ok(mut child) => {
                    drop(tell.send(Ok(child.id())));
                    told.note_the_end_of(&mut child);
                }
            })?;
        let pid = answer
            .recv()
            .map_err(|_| io::Error::other("the thread that starts it ended"))??;
        Ok(Self { pid, ended })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it ended within this time.
    pub(super) fn ends_within(&self, limit: Duration) -> bool {
        let (yet, _) = self
            .ended
            .changed
            .wait_timeout_while(self.ended.lock(), limit, |yet| !*yet)
            .unwrap_or_else(PoisonError::into_inner);
        *yet
    }

    /// Sends a signal unless it has ended, when its id may already be another's.
    pub(super) fn signal(&self, signal: Signal) {
        let yet = self.ended.lock();
        if !*yet {
            let _ = kill(Pid::from_raw(self.pid.cast_signed()), signal);
        }
    }
}

impl Ended {
    /// Waiting for a process frees its id, so it is done under the lock that a signal takes too.
    #[cfg(target_os = "linux")]
    fn note_the_end_of(&self, child: &mut Child) {
        use nix::errno::Errno;
        use nix::sys::wait::{Id, WaitPidFlag, waitid};

        let pid = Pid::from_raw(child.id().cast_signed());
        let without_freeing = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), without_freeing) == Err(Errno::EINTR) {}
        let mut yet = self.lock();
        drop(child.wait());
        *yet = true;
        self.changed.notify_all();
    }

    /// Elsewhere there is no waiting without freeing the id, so we look from time to time.
    #[cfg(not(target_os = "linux"))]
    fn note_the_end_of(&self, child: &mut Child) {
        loop {
            let mut yet = self.lock();
            if !matches!(child.try_wait(), Ok(None)) {
                *yet = true;
                self.changed.notify_all();
                return;
            }
            drop(yet);
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.yet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
