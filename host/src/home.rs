//! The home folder: one identity, one wallet, one ledger.
mod resolve;

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

pub use resolve::{NoHome, control_socket, resolve};

/// The longest path of a Unix socket, in bytes (`sockaddr_un` on Linux, without the final zero).
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// Where things lie in a home folder.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

/// Why a home folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The file system says no.
    #[error("{path}: {cause}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The socket's path would be too long.
    #[error(
        "the home folder's path is too long for a socket ({bytes} bytes, at most {MAX_SOCKET_PATH_BYTES}): {path}. Use a shorter one"
    )]
    TooLong {
        /// The socket.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// Others may read it.
    #[error("{path} can be read by others (mode {mode:o}); make it private: chmod 700 {path}")]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl Home {
    /// The folder at `path`, made with mode 0700 where it is missing.
    ///
    /// # Errors
    /// [`HomeError`] when it can't be made, can be read by others, or its sockets would have too long a path.
    pub fn open(path: &Path) -> Result<Home, HomeError> {
        let path = std::path::absolute(path).map_err(io_at(path))?;
        make_private(&path)?;
        let home = Home::look(&path)?;
        for folder in [
            home.ledger_dir(),
            home.wallet_dir(),
            home.run_dir(),
            home.logs_dir(),
        ] {
            make_private(&folder)?;
        }
        Ok(home)
    }

    /// The folder at `path` as it is, with the same conditions as [`Home::open`]. Nothing is made.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn look(path: &Path) -> Result<Home, HomeError> {
        let home = Home(std::path::absolute(path).map_err(io_at(path))?);
        let mode = fs::metadata(&home.0)
            .map_err(io_at(&home.0))?
            .permissions()
            .mode()
            & 0o777;
        if mode & 0o077 != 0 {
            return Err(HomeError::NotPrivate { path: home.0, mode });
        }
        let socket = home.control_socket();
        match socket.as_os_str().len() {
            bytes if bytes > MAX_SOCKET_PATH_BYTES => Err(HomeError::TooLong { path: socket, bytes }),
            _ => Ok(home),
        }
    }

    /// Whether a host was set up at `path`: only looks, makes nothing.
    pub fn is_set_up(path: &Path) -> bool {
        Home(path.to_owned()).config_file().exists()
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Encrypted mnemonic.
    pub fn identity_file(&self) -> PathBuf {
        self.0.join("identity.age")
    }

    /// Passphrase for an unattended start, where the owner chose to keep one here.
    pub fn passphrase_file(&self) -> PathBuf {
        self.0.join("passphrase")
    }

    /// Name of the entry in the desktop's keyring that has the identity's passphrase, where the owner chose that.
    pub fn keyring_file(&self) -> PathBuf {
        self.0.join("keyring")
    }

    /// Whether there is something that a new identity would not fit: a ledger, or what a wallet left.
    pub fn has_data(&self) -> bool {
        let in_wallet = fs::read_dir(self.wallet_dir()).is_ok_and(|mut entries| entries.next().is_some());
        in_wallet || self.ledger_file().exists()
    }

    /// What has to be known before the ledger can be read.
    pub fn config_file(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    fn ledger_dir(&self) -> PathBuf {
        self.0.join("ledger")
    }

    /// The ledger.
    pub fn ledger_file(&self) -> PathBuf {
        self.ledger_dir().join("ledger.sqlite")
    }

    /// The wallet process's own folder.
    pub fn wallet_dir(&self) -> PathBuf {
        self.0.join("wallet")
    }

    /// Sockets.
    pub fn run_dir(&self) -> PathBuf {
        self.0.join("run")
    }

    /// Where the host serves `control/v1`.
    pub fn control_socket(&self) -> PathBuf {
        self.run_dir().join("control.sock")
    }

    /// Where the host says how it is reached over HTTP.
    pub fn control_manifest(&self) -> PathBuf {
        self.run_dir().join("control.json")
    }

    /// Where the wallet process serves `wallet/v1`.
    pub fn wallet_socket(&self) -> PathBuf {
        self.run_dir().join("wallet.sock")
    }

    /// Logs.
    pub fn logs_dir(&self) -> PathBuf {
        Home::logs_of(&self.0)
    }

    /// Logs of the home folder at `path`: only names them.
    pub fn logs_of(path: &Path) -> PathBuf {
        path.join("logs")
    }
}

/// A folder that only its owner can enter, where there is none yet.
fn make_private(folder: &Path) -> Result<(), HomeError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(io_at(folder))
}

/// Who writes a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Nobody ever did.
    Never,
    /// Nobody does now.
    Free,
    /// A running host.
    Held {
        /// Its process, where the lock names it.
        pid: Option<u32>,
    },
}

/// Most that a lock's file may hold, bytes: a number.
const PID_BYTES_MAX: usize = 32;

/// Who holds the ledger's lock at the home folder `path`, told without touching the lock.
///
/// # Errors
/// The kernel's list of locks can't be read.
pub fn writer(path: &Path) -> io::Result<Writer> {
    use std::os::unix::fs::MetadataExt;
    let mut lock = Home(path.to_owned()).ledger_file().into_os_string();
    lock.push(".lock");
    let Ok(metadata) = fs::metadata(&lock) else {
        return Ok(Writer::Never);
    };
    if !is_locked(&fs::read_to_string("/proc/locks")?, metadata.ino()) {
        return Ok(Writer::Free);
    }
    let pid = fs::read(&lock).ok().filter(|text| text.len() <= PID_BYTES_MAX);
    let pid = pid.and_then(|text| String::from_utf8(text).ok()?.trim().parse::<u32>().ok());
    Ok(Writer::Held { pid })
}

/// `/proc/locks` names the inode as `major:minor:inode`.
fn is_locked(locks: &str, inode: u64) -> bool {
    let inode = inode.to_string();
    let of_line = |line: &str| {
        let place = line
            .split_whitespace()
            .find(|word| word.matches(':').count() == 2)?;
        Some(place.rsplit(':').next()? == inode)
    };
    locks.lines().any(|line| of_line(line) == Some(true))
}

/// Writes a private file so that it is there whole or not at all.
///
/// # Errors
/// [`HomeError::Io`].
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    use io::Write;
    let temporary = path.with_extension("part");
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(io_at(path))
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> HomeError {
    move |cause| HomeError::Io {
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_table_is_read_by_inode() {
        let locks =
            "1: FLOCK  ADVISORY  WRITE 4242 fe:00:1234 0 EOF\n2: POSIX  ADVISORY  READ 1 fe:00:99 0 EOF";
        assert!(is_locked(locks, 1234));
        assert!(is_locked(locks, 99));
        assert!(!is_locked(locks, 123));
    }
}
