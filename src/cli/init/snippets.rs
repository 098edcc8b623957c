//! The systemd unit, and the file for docker compose.

use nix::unistd::{getgid, getuid};

use super::choices::{Choices, Runner};
use super::document::{DATABASE, key_file};
use super::files::Targets;

/// Returns the text of the file.
pub(super) fn render(runner: Runner, choices: &Choices, targets: &Targets) -> String {
    match runner {
        Runner::Systemd => unit(choices, targets),
        Runner::Compose => compose(targets),
    }
}

/// A unit whose user exists only while it runs. systemd, which is root, hands it the configuration and the secrets.
fn unit(choices: &Choices, targets: &Targets) -> String {
    let program = std::env::current_exe()
        .unwrap_or_default()
        .display()
        .to_string();
    // The unit sees no homes and a /tmp of its own.
    let is_seen = ["/usr/", "/opt/"]
        .iter()
        .any(|folder| program.starts_with(folder));
    let program = if is_seen {
        program
    } else {
        "/usr/local/bin/leaver".to_owned()
    };
    let mut credentials = vec![("leaver.toml".to_owned(), targets.absolute(&targets.config))];
    let secrets = choices.sources.iter().map(key_file);
    for name in std::iter::once(DATABASE.to_owned()).chain(secrets) {
        let path = targets.absolute(&targets.secret(&name));
        credentials.push((name, path));
    }
    let credentials: Vec<String> = credentials
        .iter()
        .map(|(name, path)| format!("LoadCredential={name}:{}", escaped(path)))
        .collect();
    format!(
        "\
# Written by `leaver init`. To install it, with the program at {program}:
#   sudo cp {unit} /etc/systemd/system/leaver.service
#   sudo systemctl daemon-reload
#   sudo systemctl enable --now leaver
# A secret that you add to the configuration needs a LoadCredential line with the name of its file.

[Unit]
Description=Leaver ends the access of people who left the company
After=network-online.target postgresql.service
Wants=network-online.target

[Service]
ExecStart={exec} serve --config %d/leaver.toml
{credentials}
DynamicUser=yes
Restart=always
RestartSec=2
TimeoutStopSec=45
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProcSubset=pid
RestrictRealtime=yes
RestrictSUIDSGID=yes
UMask=0077
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
",
        unit = targets.absolute(&targets.snippet(Runner::Systemd)),
        exec = escaped(&program),
        credentials = credentials.join("\n"),
    )
}

/// Returns a path as a unit spells it, in which `%` begins a specifier.
fn escaped(path: &str) -> String {
    path.replace('%', "%%")
}

fn compose(targets: &Targets) -> String {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let name = |path: &std::path::Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let (config, secrets) = (name(&targets.config), name(&targets.secrets));
    let user = if uid == 0 {
        format!("    # Run once: chown -R 65532:65532 {secrets}\n    user: \"65532:65532\"\n")
    } else {
        format!("    # The owner of the files in {secrets}\n    user: \"{uid}:{gid}\"\n")
    };
    format!(
        "\
# Written by `leaver init`. Build the image in a checkout with `docker build -t leaver .`, then run:
#   docker compose -f {file} up -d
# In a container `localhost` is the container itself: the URL in {secrets}/{DATABASE} must name the host of the database.
services:
  leaver:
    image: leaver
    command: [\"serve\", \"--config\", \"/etc/leaver/{config}\"]
{user}    volumes:
      - \"./{config}:/etc/leaver/{config}:ro\"
      - \"./{secrets}:/etc/leaver/{secrets}:ro\"
    ports:
      - \"127.0.0.1:8080:8080\" # webhooks
      - \"127.0.0.1:8081:8081\" # API and metrics
    restart: unless-stopped
    stop_grace_period: 45s
    read_only: true
    cap_drop: [ALL]
    security_opt: [\"no-new-privileges:true\"]
",
        file = name(&targets.snippet(Runner::Compose)),
    )
}
