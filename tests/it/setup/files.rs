//! Where the file of a reference to a secret is.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::process::{CommandOutput, run};
use crate::support::scratch;

const CONFIG: &str =
    "[[sources]]\nname = \"hr\"\nprovider = \"bamboohr\"\nwebhook_secrets = [\"file:keys/hr\"]\n";

struct Place {
    folder: TempDir,
    config: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = scratch::folder();
        for name in ["keys", "credentials"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let config = folder.path().join("leaver.toml");
        std::fs::write(&config, CONFIG).unwrap();
        Self { folder, config }
    }

    fn put(&self, name: &str, key: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, key).unwrap();
        path.display().to_string()
    }

    /// Signs with the key, from the folder in which the tests run.
    fn sign(&self, env: &[(&str, &str)]) -> CommandOutput {
        let config = self.config.to_str().unwrap();
        let args = [
            "send",
            "--config",
            config,
            "--source",
            "hr",
            "--left",
            "ana@example.com",
            "--print",
        ];
        run(&args, env)
    }
}

#[test]
fn a_relative_reference_begins_at_the_folder_of_the_configuration() {
    let place = Place::new();
    let missing = place.folder.path().join("keys/hr").display().to_string();
    place.sign(&[]).failed(&[&missing]);
    place.put("keys/hr", "a key of sixteen bytes");
    place.sign(&[]).succeeded();
}

#[test]
fn a_credential_of_systemd_counts_before_the_file() {
    let place = Place::new();
    let credentials = place
        .folder
        .path()
        .join("credentials")
        .display()
        .to_string();
    let env = [("CREDENTIALS_DIRECTORY", credentials.as_str())];
    place.put("keys/hr", "a key of sixteen bytes");
    place.sign(&env).succeeded();
    let credential = place.put("credentials/hr", "");
    place.sign(&env).failed(&[&credential, "is empty"]);
    place.put("credentials/hr", "another key of sixteen bytes");
    place.sign(&env).succeeded();
}
