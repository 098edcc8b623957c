//! The user that the server runs as. Postgres refuses to run as root, and needs a user with a name.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use nix::unistd::{Uid, User, geteuid};

use super::Error;

/// Ourselves, or the user that root steps down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunAs {
    Ourselves,
    Other { uid: u32, gid: u32 },
}

impl RunAs {
    /// Root becomes `postgres`, which a package of Postgres makes, or else `nobody`.
    pub(super) fn choose() -> Result<Self, Error> {
        let us = geteuid();
        if !us.is_root() {
            return named(us).map(|_| Self::Ourselves);
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self::from_user(&user))
            .ok_or_else(|| Error::NoUser("root may not, and neither postgres nor nobody is".into()))
    }

    /// The owner of a cluster, the only one that Postgres accepts for it. It stays the same when root
    /// would choose another today.
    pub(super) fn owner_of(data: &Path) -> Result<Self, Error> {
        let owner = fs::metadata(data).map_err(Error::io("read", data))?.uid();
        let user = named(Uid::from_raw(owner))?;
        Ok(if user.uid == geteuid() {
            Self::Ourselves
        } else {
            Self::from_user(&user)
        })
    }

    /// Makes a folder that only this user may enter.
    pub(super) fn own_folder(self, folder: &Path) -> Result<(), Error> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(Error::io("make", folder))?,
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .map_err(Error::io("close", folder))?;
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => {
                chown(folder, Some(uid), Some(gid)).map_err(Error::io("give away", folder))
            }
        }
    }

    /// Lets a command run as this user. The standard library also drops root's other groups.
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

/// Some containers run under a number without a name, which Postgres does not accept.
fn named(uid: Uid) -> Result<User, Error> {
    User::from_uid(uid)
        .ok()
        .flatten()
        .ok_or_else(|| Error::NoUser(format!("the user id {uid} has no name")))
}
