//! The home folder: one identity, one wallet, one ledger.
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

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
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(io_at(&path))?;
        let home = Home(path);
        let mode = fs::metadata(&home.0)
            .map_err(io_at(&home.0))?
            .permissions()
            .mode()
            & 0o777;
        if mode & 0o077 != 0 {
            return Err(HomeError::NotPrivate { path: home.0, mode });
        }
        for folder in [
            home.ledger_dir(),
            home.wallet_dir(),
            home.run_dir(),
            home.logs_dir(),
        ] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(io_at(&folder))?;
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
