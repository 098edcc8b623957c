//! An empty folder in which the shell blocks of one page run, and what they reach from there.
//!
//! `leaver` is the real program on a real database. Programs that no test can run, such as `docker`, are stood in for by a
//! script that records its arguments. `make` and `cargo` are recorded too, and what they name must exist.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::super::pages::{Block, checkout};
use super::super::proxies::free_port;
use crate::support::database::postgres;
use crate::support::process::LEAVER;
use crate::support::{TestApp, scratch};

/// Programs of other machines: recorded, not run.
const RECORDED: [&str; 16] = [
    "apt-get",
    "brew",
    "cargo",
    "docker",
    "git",
    "helm",
    "journalctl",
    "kubectl",
    "make",
    "ngrok",
    "podman",
    "podman-compose",
    "scp",
    "sudo",
    "systemctl",
    "systemd-creds",
];

/// A service that a block starts in the foreground goes on in the background, and the block goes on once it is ready.
const SERVE: &str = r#"#!/bin/bash
for word in "$@"; do
    if [ "$word" = serve ]; then
        "$REAL_LEAVER" "$@" >"$STAGE/serve.log" 2>&1 </dev/null &
        echo $! >>"$STAGE/pids"
        until grep -q "service.start: ready" "$STAGE/serve.log"; do
            kill -0 $! || { cat "$STAGE/serve.log" >&2; exit 3; }
            sleep 0.02
        done
        exit 0
    fi
done
exec "$REAL_LEAVER" "$@"
"#;

/// Ends a block at the first command that fails. `leaver` may find something, which is exit status 1.
const STRICT: &str = r#"
trap 'status=$?
case "$BASH_COMMAND" in *"leaver "*) [ $status -eq 1 ] || exit $status ;; *) exit $status ;; esac' ERR
"#;

/// The folder of one page.
pub(super) struct Stage {
    folder: TempDir,
    bin: TempDir,
    env: Vec<(String, String)>,
    replaced: Vec<(String, String)>,
}

impl Stage {
    /// Makes an empty folder for a page, with the environment of an app.
    pub(super) async fn new(app: &TestApp) -> Self {
        let (folder, bin) = (scratch::folder(), scratch::folder_for_programs());
        let (listen, admin) = (free_port(), free_port());
        program(bin.path(), "leaver", SERVE);
        for name in RECORDED {
            let script = format!("#!/bin/sh\necho \"{name} $*\" >>\"$STAGE/recorded\"\n");
            program(bin.path(), name, &script);
        }
        program(bin.path(), "jq", "#!/bin/sh\nexec cat\n");
        let path = std::env::var_os("PATH").unwrap();
        let mut env: Vec<(String, String)> = app
            .env(&[
                ("LEAVER_LISTEN", &format!("127.0.0.1:{listen}")),
                ("LEAVER_ADMIN_LISTEN", &format!("127.0.0.1:{admin}")),
                ("REAL_LEAVER", LEAVER),
                ("STAGE", bin.path().to_str().unwrap()),
                ("HOME", folder.path().to_str().unwrap()),
            ])
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let postgres = format!("/proc/{}/exe", postgres().await.pid());
        let clients = fs::read_link(postgres).unwrap();
        let clients = clients.parent().unwrap().display();
        let path = format!(
            "{}:{}:{clients}",
            bin.path().display(),
            path.to_str().unwrap()
        );
        env.push(("PATH".to_owned(), path));
        let mut stage = Self {
            folder,
            bin,
            env,
            replaced: vec![],
        };
        for host in ["127.0.0.1", "localhost"] {
            stage = stage
                .with(&format!("{host}:8080"), &format!("127.0.0.1:{listen}"))
                .with(&format!("{host}:8081"), &format!("127.0.0.1:{admin}"));
        }
        stage
    }

    /// Replaces a text of the blocks, such as an address that exists in the reader's network only.
    pub(super) fn with(mut self, from: &str, to: &str) -> Self {
        self.replaced.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Writes a file that the page takes from its reader.
    pub(super) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    /// Returns the folder.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the service with the environment alone, for blocks that need one.
    #[track_caller]
    pub(super) fn serve(&self) {
        let block = Block {
            info: "sh".to_owned(),
            text: "leaver serve".to_owned(),
            line: 0,
        };
        self.run(Path::new("a service"), &block);
    }

    /// Runs a block. Expects that each of its commands succeeds or finds something.
    #[track_caller]
    pub(super) fn run(&self, page: &Path, block: &Block) -> String {
        if block.text.contains("leaver serve") {
            self.stop_services();
        }
        let mut text = block.text.clone();
        for (from, to) in &self.replaced {
            text = text.replace(from, to);
        }
        let output = Command::new("bash")
            .args(["-c", &format!("{STRICT}{text}\nexit 0")])
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let place = format!("{}:{}", page.display(), block.line);
        assert!(
            output.status.success(),
            "{place}: {}\n{text}\n{out}\n{err}",
            output.status
        );
        assert!(!err.contains("panicked"), "{place}: {err}");
        self.check_recorded(&place);
        out.into_owned()
    }

    /// Ends what the blocks have left running.
    fn stop_services(&self) {
        let file = self.bin.path().join("pids");
        for pid in fs::read_to_string(&file).unwrap_or_default().lines() {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL);
        }
        let _ = fs::remove_file(file);
    }

    /// Expects that each recorded `make` and `cargo` names what the checkout has.
    fn check_recorded(&self, place: &str) {
        let file = self.bin.path().join("recorded");
        let recorded = fs::read_to_string(&file).unwrap_or_default();
        for line in recorded.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[0] {
                "make" => {
                    let mut dry = Command::new("make");
                    dry.arg("-n").args(&words[1..]).current_dir(checkout("."));
                    let output = dry.output().unwrap();
                    assert!(output.status.success(), "{place}: {line}: {output:?}");
                }
                "cargo" => check_cargo(place, &words),
                _ => {}
            }
        }
        // The next block starts with an empty record.
        if !recorded.is_empty() {
            fs::remove_file(file).unwrap();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop_services();
    }
}

fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Expects that the example or bench of a `cargo` command exists, and that the file of its tests does.
fn check_cargo(place: &str, words: &[&str]) {
    for pair in words.windows(2) {
        let paths: Vec<PathBuf> = match pair[0] {
            "--example" => vec![
                checkout(&format!("examples/{}.rs", pair[1])),
                checkout(&format!("examples/{}", pair[1])),
            ],
            "--bench" => vec![
                checkout(&format!("benches/{}.rs", pair[1])),
                checkout(&format!("benches/{}", pair[1])),
            ],
            _ => continue,
        };
        assert!(
            paths.iter().any(|path| path.exists()),
            "{place}: {words:?}: none of {paths:?}"
        );
    }
}
