//! A Postgres that listens on addresses, with passwords and TLS.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use embedded_postgres::Embedded;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::certificates::{Authority, Certificate};
use crate::support::database::{kept_in, start_postgres};
use crate::support::process::wait_until;
use crate::support::scratch;

/// The password of all roles.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// The rules of `pg_hba.conf`: the role names the method.
const HBA: &str = "
local   all all           trust
hostssl all with_certificate all cert
host    all in_clear_text all password
host    all hashed        all md5
host    all trusted       all trust
host    all all           all scram-sha-256
";

/// A running server on a port of its own, with a certificate of `authority`.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(super) authority: Authority,
    folder: tempfile::TempDir,
    data: PathBuf,
    process: Option<Child>,
}

impl Server {
    /// Starts it. Its certificate is for these names and addresses.
    pub(crate) async fn start(names: &[String]) -> Self {
        let folder = scratch::folder();
        let embedded = start_postgres(kept_in(folder.path())).await;
        let program = fs::read_link(format!("/proc/{}/exe", embedded.pid())).unwrap();
        let major = embedded.version().split('.').next().unwrap().to_owned();
        prepare_roles(&embedded).await;
        tokio::task::spawn_blocking(move || embedded.stop().unwrap())
            .await
            .unwrap();

        let authority = Authority::new();
        let data = folder.path().join(format!("pg{major}"));
        fs::write(data.join("pg_hba.conf"), HBA).unwrap();
        fs::write(data.join("ca.pem"), &authority.certificate).unwrap();
        let Certificate { certificate, key } = authority.sign(names);
        fs::write(data.join("server.pem"), certificate).unwrap();
        fs::write(data.join("server.key"), key).unwrap();
        let owner = fs::metadata(&data).unwrap();
        for name in ["ca.pem", "server.pem", "server.key"] {
            let path = data.join(name);
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(folder.path().join("ca.pem"), &authority.certificate).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut command = Command::new(program);
        command
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path().join("sock"))
            .args(["-p", &port.to_string(), "-c", "listen_addresses=*"])
            .args(["-c", "ssl=on", "-c", "ssl_cert_file=server.pem"])
            .args(["-c", "ssl_key_file=server.key", "-c", "ssl_ca_file=ca.pem"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/");
        if nix::unistd::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let process = command.spawn().unwrap();
        wait_until("Postgres is ready", || {
            let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            pid_file.lines().nth(7).map(str::trim) == Some("ready")
        });
        Self {
            port,
            authority,
            folder,
            data,
            process: Some(process),
        }
    }

    /// Returns the path of the authority's certificate.
    pub(super) fn authority_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Returns the folder of its sockets.
    pub(super) fn sockets(&self) -> PathBuf {
        self.folder.path().join("sock")
    }

    /// Writes a file that a client reads.
    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Returns the URL of a role at a host, with further parameters.
    pub(crate) fn url(&self, role: &str, host: &str, parameters: &str) -> String {
        let port = self.port;
        format!("postgres://{role}:{PASSWORD}@{host}:{port}/postgres?{parameters}")
    }

    /// Replaces its certificate. The server reads it a moment later.
    pub(super) fn use_certificate(&self, certificate: &Certificate) {
        let process = self.process.as_ref().unwrap();
        let data = &self.data;
        fs::write(data.join("server.pem"), &certificate.certificate).unwrap();
        fs::write(data.join("server.key"), &certificate.key).unwrap();
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap());
        kill(pid, Signal::SIGHUP).unwrap();
    }

    /// Stops it at once.
    pub(super) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap());
        // It may have ended.
        let _ = kill(pid, Signal::SIGQUIT);
        process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn prepare_roles(embedded: &Embedded) {
    use sqlx::ConnectOptions as _;
    let options = embedded.connect_options("postgres");
    let mut conn = options.connect().await.unwrap();
    let mut statements = String::new();
    for (role, encryption) in [
        ("app", "scram-sha-256"),
        ("in_clear_text", "scram-sha-256"),
        ("hashed", "md5"),
        ("trusted", "scram-sha-256"),
        ("with_certificate", "scram-sha-256"),
    ] {
        let create = format!(
            "SET password_encryption = '{encryption}'; CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{PASSWORD}';"
        );
        statements += &create;
    }
    statements += "CREATE TABLE public.users (id bigint PRIMARY KEY, email text NOT NULL, is_active boolean NOT NULL DEFAULT true);";
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&mut conn)
        .await
        .unwrap();
}

/// Returns a path as the value of a parameter.
pub(super) fn parameter(name: &str, path: &Path) -> String {
    let bytes = path.to_str().unwrap().bytes();
    let query: Vec<String> = bytes.map(|byte| format!("%{byte:02X}")).collect();
    format!("{name}={}", query.concat())
}
