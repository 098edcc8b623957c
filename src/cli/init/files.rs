//! Where the files are, and how they are written: never over another one, and secrets for their owner only.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};

use super::choices::{Choices, ChosenSource, Runner};
use super::document::{self, DATABASE, key_file};
use super::snippets;

/// Permission bits of a secret, of the folder with them, and of a file that all may read.
const SECRET: u32 = 0o600;
const SECRETS: u32 = 0o700;
const PUBLIC: u32 = 0o644;
/// Random bytes in a key.
const KEY_BYTES: usize = 32;

/// The files of one configuration.
pub(super) struct Targets {
    /// The configuration file.
    pub(super) config: PathBuf,
    /// The folder of the secrets.
    pub(super) secrets: PathBuf,
    folder: PathBuf,
}

/// A file, and whether it was there.
pub(super) struct Written {
    pub(super) path: PathBuf,
    pub(super) was_kept: bool,
}

impl Targets {
    /// Returns the files for a configuration file. Its folder must exist.
    pub(super) fn new(config: &Path) -> anyhow::Result<Self> {
        let folder = match config.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        if !folder.is_dir() {
            bail!(
                "there is no folder {}; make it, or name another file with --output",
                folder.display()
            );
        }
        let stem = config
            .file_stem()
            .context("--output names no file; write it like leaver.toml")?;
        let mut secrets = stem.to_owned();
        secrets.push(".secrets");
        Ok(Self {
            config: config.to_owned(),
            secrets: config.with_file_name(secrets),
            folder,
        })
    }

    /// Returns the path of a secret relative to the configuration file.
    pub(super) fn reference(&self, name: &str) -> String {
        let folder = self.secrets.file_name();
        let folder = folder.map_or(self.secrets.as_path(), Path::new);
        folder.join(name).display().to_string()
    }

    /// Returns the path of a secret.
    pub(super) fn secret(&self, name: &str) -> PathBuf {
        self.secrets.join(name)
    }

    /// Returns the file for what runs the service.
    pub(super) fn snippet(&self, runner: Runner) -> PathBuf {
        self.config.with_file_name(match runner {
            Runner::Systemd => "leaver.service",
            Runner::Compose => "leaver.compose.yaml",
        })
    }

    /// Returns the absolute path of a file.
    pub(super) fn absolute(&self, path: &Path) -> String {
        let folder = fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let inner = path.strip_prefix(&self.folder).unwrap_or(path);
        folder.join(inner).display().to_string()
    }

    /// Fails if a file exists that would be replaced.
    pub(super) fn refuse_existing(
        &self,
        url: &SecretString,
        runner: Option<Runner>,
    ) -> anyhow::Result<()> {
        let database = self.secret(DATABASE);
        let is_other = fs::read_to_string(&database)
            .is_ok_and(|present| present.trim() != url.expose_secret());
        let database = is_other.then_some(database);
        let snippet = runner.map(|runner| self.snippet(runner));
        let others = [Some(self.config.clone()), snippet].into_iter().flatten();
        let existing = others.filter(|path| path.symlink_metadata().is_ok());
        let existing: Vec<String> = existing.chain(database).map(|path| shown(&path)).collect();
        if existing.is_empty() {
            return Ok(());
        }
        bail!(
            "{} exists, and nothing was written; name another file with --output, or replace it with --force",
            existing.join(" and ")
        )
    }

    /// Writes all files.
    pub(super) fn write(
        &self,
        url: &SecretString,
        choices: &Choices,
    ) -> anyhow::Result<Vec<Written>> {
        let made = DirBuilder::new().mode(SECRETS).create(&self.secrets);
        if let Err(error) = made
            && !self.secrets.is_dir()
        {
            return Err(error).with_context(|| format!("cannot make {}", self.secrets.display()));
        }
        let mut written = vec![];
        put(
            &self.secret(DATABASE),
            url.expose_secret(),
            SECRET,
            &mut written,
        )?;
        for source in &choices.sources {
            self.add_key(source, &mut written)?;
        }
        if let Some(runner) = choices.runner {
            let text = snippets::render(runner, choices, self);
            put(&self.snippet(runner), &text, PUBLIC, &mut written)?;
        }
        // Last, so that a file that is there is complete.
        let text = document::render(choices, self);
        put(&self.config, &text, PUBLIC, &mut written)?;
        written.rotate_right(1);
        Ok(written)
    }

    /// Writes a new key for a source. One that is there may be the provider's, and stays.
    fn add_key(&self, source: &ChosenSource, written: &mut Vec<Written>) -> anyhow::Result<()> {
        let path = self.secret(&key_file(source));
        if path.exists() {
            written.push(Written {
                path,
                was_kept: true,
            });
            return Ok(());
        }
        let key = random_key()?;
        put(&path, key.expose_secret(), SECRET, written)
    }
}

/// Writes a file in one step: a reader sees the old content or the new one.
fn put(path: &Path, text: &str, mode: u32, written: &mut Vec<Written>) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let draft = path.with_file_name(name);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&draft);
    let put = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    });
    if put.is_err() {
        // It may not be there.
        let _ = fs::remove_file(&draft);
    }
    put.with_context(cannot)?;
    written.push(Written {
        path: path.to_owned(),
        was_kept: false,
    });
    Ok(())
}

/// Returns a path as a person types it.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Makes a key from the random numbers of the operating system, in hex.
fn random_key() -> anyhow::Result<SecretString> {
    let mut bytes = [0; KEY_BYTES];
    let random = rustls::crypto::ring::default_provider().secure_random;
    if random.fill(&mut bytes).is_err() {
        bail!("the operating system has no random numbers");
    }
    Ok(hex::encode(bytes).into())
}
