//! Keeping an identity: protected by a passphrase or by its folder alone, and restored from its words.
use std::fs;

use bip39::{Language, Mnemonic};

use super::{
    Secrets, SecretsError, keyring, remove,
    seal::{Key, new_passphrase, seal},
};
use crate::home::{Home, write_private};

/// What stands between a reader of the home folder and the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// There is no identity yet.
    None,
    /// The folder's permissions alone: its passphrase lies beside it.
    Folder,
    /// A passphrase that is not in the folder.
    Passphrase,
    /// A random passphrase in the desktop's keyring; the folder names its entry.
    Keyring,
}

impl Protection {
    /// `none`, `folder`, `passphrase` or `keyring`.
    pub fn name(self) -> &'static str {
        match self {
            Protection::None => "none",
            Protection::Folder => "folder",
            Protection::Passphrase => "passphrase",
            Protection::Keyring => "keyring",
        }
    }
}

/// How the identity of a home folder is protected.
pub fn protection(home: &Home) -> Protection {
    match home.identity_file().exists() {
        false => Protection::None,
        true if home.passphrase_file().exists() => Protection::Folder,
        true if home.keyring_file().exists() => Protection::Keyring,
        true => Protection::Passphrase,
    }
}

/// Whether a word, in lower case, is one of the list that mnemonics are made of (BIP39, English).
pub fn is_word(word: &str) -> bool {
    Language::English.find_word(word).is_some()
}

impl Secrets {
    /// Seals the identity under a passphrase that the folder does not hold. The file is replaced whole; only then is
    /// the folder's own passphrase removed, so that a crash between the two leaves an identity that opens.
    ///
    /// # Errors
    /// [`SecretsError::Weak`], [`SecretsError::NotKept`] and those of writing.
    pub fn protect(&self, home: &Home, new: &Key) -> Result<(), SecretsError> {
        let before = keyring::user_of(home);
        let (passphrase, work_factor) = new_passphrase(home, new)?;
        let sealed = seal(&self.words, passphrase, work_factor)?;
        write_private(&home.identity_file(), &sealed)?;
        remove(&home.passphrase_file())?;
        if !matches!(new, Key::Keyring) {
            keyring::unname(home)?;
        }
        before.into_iter().for_each(keyring::forget);
        Ok(())
    }

    /// Seals the identity under a random passphrase that lies in the folder itself: for an unattended start on a
    /// machine whose disk is protected otherwise.
    ///
    /// # Errors
    /// [`SecretsError::AlreadySo`] and those of writing.
    pub fn unprotect(&self, home: &Home) -> Result<(), SecretsError> {
        if protection(home) == Protection::Folder {
            return Err(SecretsError::AlreadySo(
                "the identity is protected by its folder alone already",
            ));
        }
        let before = keyring::user_of(home);
        // A crash in between leaves a file that does not fit, and the old passphrase still opens the identity.
        let (passphrase, work_factor) = new_passphrase(home, &Key::Own)?;
        let sealed = seal(&self.words, passphrase, work_factor)?;
        write_private(&home.identity_file(), &sealed)?;
        keyring::unname(home)?;
        before.into_iter().for_each(keyring::forget);
        Ok(())
    }

    /// Makes the identity of a new home folder from the words of an old one.
    ///
    /// # Errors
    /// [`SecretsError::Occupied`] when anything of an identity is there already, [`SecretsError::NotWords`].
    pub fn restore(home: &Home, words: &str, key: &Key) -> Result<Secrets, SecretsError> {
        let in_wallet = fs::read_dir(home.wallet_dir()).is_ok_and(|mut entries| entries.next().is_some());
        let taken = [home.identity_file(), home.passphrase_file(), home.ledger_file()]
            .into_iter()
            .find(|path| path.exists())
            .or_else(|| in_wallet.then(|| home.wallet_dir()));
        if let Some(path) = taken {
            return Err(SecretsError::Occupied(path));
        }
        let plain = words
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase();
        let words =
            Mnemonic::parse_in_normalized(Language::English, &plain).map_err(|_| SecretsError::NotWords)?;
        Self::keep(home, words, key)
    }
}
