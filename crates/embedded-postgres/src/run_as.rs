//! The user that runs the server. Postgres refuses to run as root and needs a user with a name.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use nix::unistd::{Uid, User, geteuid};

use super::Error;

/// The current user, or the user that root switches to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunAs {
    Current,
    Other { uid: u32, gid: u32 },
}

impl RunAs {
    /// Chooses the user: root switches to `postgres`, which packages of Postgres create, else to `nobody`.
    pub(super) fn choose() -> Result<Self, Error> {
        let us = geteuid();
        if !us.is_root() {
            return named(us).map(|_| Self::Current);
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self::from_user(&user))
            .ok_or_else(|| {
                Error::NoUser("root may not, and neither postgres nor nobody exists".into())
            })
    }

    /// Returns the owner of a cluster, the only user that Postgres accepts for it. Root may choose another user for new clusters.
    pub(super) fn owner_of(data: &Path) -> Result<Self, Error> {
        let owner = fs::metadata(data).map_err(Error::io("read", data))?.uid();
        let user = named(Uid::from_raw(owner))?;
        Ok(if user.uid == geteuid() {
            Self::Current
        } else {
            Self::from_user(&user)
        })
    }

    /// Creates a folder that only this user may enter.
    pub(super) fn own_folder(self, folder: &Path) -> Result<(), Error> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(Error::io("create", folder))?,
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .map_err(Error::io("restrict access to", folder))?;
        match self {
            Self::Current => Ok(()),
            Self::Other { uid, gid } => chown(folder, Some(uid), Some(gid))
                .map_err(Error::io("change the owner of", folder)),
        }
    }

    /// Makes a command run as this user. The standard library also drops root's supplementary groups.
    pub(super) fn apply(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    fn from_user(user: &User) -> Self {
        Self::Other {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }
    }
}

/// Looks up a user by id. Some containers run under an id without a name, which Postgres rejects.
fn named(uid: Uid) -> Result<User, Error> {
    User::from_uid(uid)
        .ok()
        .flatten()
        .ok_or_else(|| Error::NoUser(format!("the user id {uid} has no name")))
}
