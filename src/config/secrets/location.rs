//! Where the file of a reference `file:PATH` is.

use std::path::Path;

use crate::config::Environment;

/// The folder in which systemd puts the credentials of a unit.
// https://systemd.io/CREDENTIALS/, read 2026-11-27
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Returns the path of a file. A relative one is a credential of systemd with this name, if there is one, else a file below
/// the folder of the configuration file.
pub(super) fn find(path: &str, folder: Option<&Path>, env: &Environment) -> String {
    let written = Path::new(path);
    if written.is_absolute() {
        return path.to_owned();
    }
    let credential = env.text(CREDENTIALS).zip(written.file_name());
    let credential = credential.map(|(folder, name)| Path::new(folder).join(name));
    let found = match (credential.filter(|path| path.exists()), folder) {
        (Some(credential), _) => credential,
        (None, Some(folder)) => folder.join(written),
        (None, None) => written.to_owned(),
    };
    found.display().to_string()
}

/// Returns whether there is something at a reference. Reads no secret. `None` if the text is no reference.
pub(in crate::config) fn leads_to_secret(
    reference: &str,
    folder: Option<&Path>,
    env: &Environment,
) -> Option<bool> {
    if let Some(path) = reference.strip_prefix("file:") {
        return Some(Path::new(&find(path, folder, env)).exists());
    }
    let name = reference.strip_prefix("env:")?;
    Some(env.raw(name).is_some() || env.raw(&format!("{name}_FILE")).is_some())
}
