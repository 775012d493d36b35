//! The command line of the identity.
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Yes;

/// The passphrase comes from a file or a prompt, never from an argument.
#[derive(Debug, Args)]
pub struct Passphrase {
    /// File with the passphrase of the identity (its first line; mode 600). Without it, it is asked for.
    #[arg(
        long,
        env = "AUTOPILOT_PASSPHRASE_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub passphrase_file: Option<PathBuf>,
}

/// The passphrase from now on.
#[derive(Debug, Args)]
pub struct NewPassphrase {
    /// File with the new passphrase (its first line; mode 600). Without it, it is asked for.
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Identity {
    /// The public key as people pass it on (npub), and how the identity is kept.
    Show,
    /// Shows the words that everything is derived from: on a terminal after a yes, or into a new private file.
    Backup {
        /// File for the words; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        passphrase: Passphrase,
        #[command(flatten)]
        yes: Yes,
    },
    /// Protects the identity by a passphrase that is not in the home folder.
    Protect {
        /// By a random one in the desktop's keyring, which nobody has to type.
        #[arg(long, conflicts_with = "new_passphrase_file")]
        keyring: bool,
        #[command(flatten)]
        new: NewPassphrase,
    },
    /// Gives the passphrase up: from then on only the folder's permissions protect the identity.
    Unprotect {
        #[command(flatten)]
        passphrase: Passphrase,
        #[command(flatten)]
        yes: Yes,
    },
    /// Another passphrase.
    ChangePassphrase {
        #[command(flatten)]
        passphrase: Passphrase,
        #[command(flatten)]
        new: NewPassphrase,
    },
    /// Makes the identity of an empty home folder from the words of an old one. Words bring back keys, not channels.
    Restore {
        /// File with the words. Without it, they are asked for.
        #[arg(long, value_name = "FILE")]
        words_file: Option<PathBuf>,
        /// File with a passphrase to protect it by. Without it, the folder alone protects it.
        #[arg(
            long,
            env = "AUTOPILOT_PASSPHRASE_FILE",
            hide_env_values = true,
            value_name = "FILE"
        )]
        passphrase_file: Option<PathBuf>,
    },
}
