//! A child process that ends with its parent. This is the only `unsafe` code: a parent-death signal can be requested
//! only between fork and exec.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use std::{io, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::run_as::RunAs;

/// Isolates a command from our environment and terminal, and makes it end with this process.
pub(super) fn isolate(command: &mut Command, run_as: RunAs, on_parent_death: Signal) {
    command
        // `PG…` variables must not change its behaviour. Messages and times are the same on every machine.
        .env_clear()
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        // Its user may have no access to our working directory.
        .current_dir("/")
        .stdin(Stdio::null())
        // Ctrl-C on the terminal reaches only this process, which then stops the child in order.
        .process_group(0);
    run_as.apply(command);
    set_parent_death_signal(command, on_parent_death);
}

#[cfg(target_os = "linux")]
fn set_parent_death_signal(command: &mut Command, signal: Signal) {
    use nix::errno::Errno;
    use nix::sys::prctl::set_pdeathsig;
    use nix::unistd::getppid;

    let us = Pid::this();
    let request_signal = move || {
        set_pdeathsig(signal)?;
        // If the parent died before the line above, no signal will arrive.
        if getppid() == us {
            Ok(())
        } else {
            Err(Errno::ESRCH.into())
        }
    };
    #[expect(
        unsafe_code,
        reason = "the request must be made in the child after it changed its user, since that change resets it"
    )]
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two system calls, does not
    // allocate, takes no lock and reads only its own copies of two numbers. An `io::Error` from an `Errno` is a number too.
    unsafe {
        command.pre_exec(request_signal);
    }
}

/// Other systems have no such signal: after a kill -9 the server stays and keeps its folder locked.
#[cfg(not(target_os = "linux"))]
fn set_parent_death_signal(_command: &mut Command, _signal: Signal) {}

/// A child process and the thread that started it and waits for its end.
#[derive(Debug)]
pub(super) struct SupervisedChild {
    pid: u32,
    ended: Arc<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    done: Mutex<bool>,
    changed: Condvar,
}

impl SupervisedChild {
    /// Starts a command on a new thread. Linux sends the parent-death signal when the forking *thread* ends, so that thread must
    /// live as long as the child; a pool thread may not.
    pub(super) fn spawn(mut command: Command) -> io::Result<Self> {
        let ended = Arc::new(Ended::default());
        let shared = Arc::clone(&ended);
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new()
            .name("embedded-postgres".to_owned())
            .spawn(move || match command.spawn() {
                Err(error) => drop(sender.send(Err(error))),
                Ok(mut child) => {
                    drop(sender.send(Ok(child.id())));
                    shared.wait_for_end(&mut child);
                }
            })?;
        let pid = receiver
            .recv()
            .map_err(|_| io::Error::other("the thread that starts the child ended"))??;
        Ok(Self { pid, ended })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end and returns whether it came within this time.
    pub(super) fn wait_timeout(&self, limit: Duration) -> bool {
        let (done, _) = self
            .ended
            .changed
            .wait_timeout_while(self.ended.lock(), limit, |done| !*done)
            .unwrap_or_else(PoisonError::into_inner);
        *done
    }

    /// Sends a signal, unless the child has ended: its id may belong to another process then.
    pub(super) fn signal(&self, signal: Signal) {
        let done = self.ended.lock();
        if !*done {
            let _ = kill(Pid::from_raw(self.pid.cast_signed()), signal);
        }
    }
}

impl Ended {
    /// Waits for the end. Reaping frees the process id, so it happens under the lock that `signal` takes.
    #[cfg(target_os = "linux")]
    fn wait_for_end(&self, child: &mut Child) {
        use nix::errno::Errno;
        use nix::sys::wait::{Id, WaitPidFlag, waitid};

        let pid = Pid::from_raw(child.id().cast_signed());
        let without_freeing = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), without_freeing) == Err(Errno::EINTR) {}
        let mut done = self.lock();
        drop(child.wait());
        *done = true;
        self.changed.notify_all();
    }

    /// Other systems cannot wait without reaping, so this polls.
    #[cfg(not(target_os = "linux"))]
    fn wait_for_end(&self, child: &mut Child) {
        loop {
            let mut done = self.lock();
            if !matches!(child.try_wait(), Ok(None)) {
                *done = true;
                self.changed.notify_all();
                return;
            }
            drop(done);
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
