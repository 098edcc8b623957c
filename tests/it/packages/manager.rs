//! A service manager's socket for notifications, as systemd makes one.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::process::WAIT_LIMIT;
use crate::support::scratch;

/// The socket, and the messages that arrived.
pub(super) struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _folder: TempDir,
    messages: Vec<String>,
}

impl Manager {
    pub(super) fn new() -> Self {
        let folder = scratch::folder();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        Self {
            socket,
            path,
            _folder: folder,
            messages: vec![],
        }
    }

    /// The value of `NOTIFY_SOCKET`.
    pub(super) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// Receives until a message has a line that begins so. Returns the message.
    #[track_caller]
    pub(super) fn wait_for(&mut self, line: &str) -> String {
        self.receive_until(line, |messages| {
            let last = messages.last()?;
            has(last, line).then(|| last.clone())
        })
    }

    /// Receives until no message with such a line has arrived for this long.
    #[track_caller]
    pub(super) fn wait_for_silence(&mut self, line: &str, silence: Duration) {
        let deadline = Instant::now() + WAIT_LIMIT;
        let mut last = Instant::now();
        while last.elapsed() < silence {
            assert!(Instant::now() < deadline, "{:#?}", self.messages);
            if self.receive().is_some_and(|message| has(&message, line)) {
                last = Instant::now();
            }
        }
    }

    /// Receives a message, or none within 200 ms.
    fn receive(&mut self) -> Option<String> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        let message = str::from_utf8(&buffer[..length]).unwrap().to_owned();
        self.messages.push(message.clone());
        Some(message)
    }

    /// Receives until the result is there.
    #[track_caller]
    pub(super) fn receive_until<T>(
        &mut self,
        what: &str,
        mut found: impl FnMut(&[String]) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            assert!(
                Instant::now() < deadline,
                "no {what} in {:#?}",
                self.messages
            );
            if self.receive().is_none() {
                continue;
            }
            if let Some(found) = found(&self.messages) {
                return found;
            }
        }
    }

    /// All messages since the start.
    pub(super) fn messages(&self) -> &[String] {
        &self.messages
    }
}

/// Returns whether a message has a line that begins so.
pub(super) fn has(message: &str, line: &str) -> bool {
    message.lines().any(|one| one.starts_with(line))
}
