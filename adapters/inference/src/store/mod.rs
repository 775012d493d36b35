//! The model store: GGUF files in one folder, each with the checksum that it was admitted by.
//!
//! A file gets its final name only after it is whole and its SHA-256 is right; before that it is `NAME.part`.
mod error;
mod http;
mod manifest;
mod part;
mod pull;

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

pub use error::StoreError;
pub use manifest::{Pinned, pinned};
pub use pull::{Progress, PullOptions, Source};

/// Ending of the file that holds a model's checksum, in the format of `sha256sum`.
const CHECKSUM_ENDING: &str = "sha256";
const NAME_BYTES_MAX: usize = 200;

/// A folder of models.
#[derive(Clone, Debug)]
pub struct ModelStore {
    dir: PathBuf,
}

/// A model in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredModel {
    /// File name.
    pub name: String,
    /// Where the file is.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 by which it was admitted; `None` for a file that somebody else put there.
    pub sha256: Option<[u8; 32]>,
}

impl ModelStore {
    /// Opens the store, and makes its folder (mode 0700) if it is missing.
    pub fn open(dir: impl Into<PathBuf>) -> Result<ModelStore, StoreError> {
        let dir = dir.into();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|error| StoreError::file(&dir, &error))?;
        Ok(ModelStore { dir })
    }

    /// The folder by the XDG rules: `$XDG_DATA_HOME/autopilot/models`, else `~/.local/share/autopilot/models`.
    /// `None` when neither variable is set.
    pub fn default_dir() -> Option<PathBuf> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
        Some(data.join("autopilot/models"))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All whole models, by name.
    pub fn list(&self) -> Result<Vec<StoredModel>, StoreError> {
        let unreadable = |error: std::io::Error| StoreError::file(&self.dir, &error);
        let mut models = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let is_model = path.extension().is_some_and(|ending| ending == "gguf") && path.is_file();
            if let Some(name) = path
                .file_name()
                .and_then(|name| name.to_str())
                .filter(|_| is_model)
            {
                models.push(self.stored(name)?);
            }
        }
        models.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(models)
    }

    /// The whole model of that name, with or without `.gguf`.
    pub fn find(&self, name: &str) -> Result<StoredModel, StoreError> {
        let name = file_name(name)?;
        match self.dir.join(&name).is_file() {
            true => self.stored(&name),
            false => Err(StoreError::Unknown { name }),
        }
    }

    fn stored(&self, name: &str) -> Result<StoredModel, StoreError> {
        let path = self.dir.join(name);
        let bytes = fs::metadata(&path)
            .map_err(|error| StoreError::file(&path, &error))?
            .len();
        let sha256 = fs::read_to_string(self.checksum_path(name))
            .ok()
            .and_then(|line| {
                let mut digest = [0; 32];
                hex::decode_to_slice(line.split_whitespace().next()?, &mut digest).ok()?;
                Some(digest)
            });
        Ok(StoredModel {
            name: name.to_owned(),
            path,
            bytes,
            sha256,
        })
    }

    fn checksum_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{CHECKSUM_ENDING}"))
    }

    fn part_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.part"))
    }
}

/// A plain file name that ends in `.gguf`, made from what a person or an address says.
fn file_name(name: &str) -> Result<String, StoreError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    let name = if name.ends_with(".gguf") {
        name.to_owned()
    } else {
        format!("{name}.gguf")
    };
    let is_plain = name.len() <= NAME_BYTES_MAX && !name.starts_with('.') && name.chars().all(allowed);
    if is_plain {
        Ok(name)
    } else {
        Err(StoreError::BadName {
            name: name.chars().take(80).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        assert_eq!(file_name("a-1.5b_Q4+x").ok().as_deref(), Some("a-1.5b_Q4+x.gguf"));
        for bad in ["../x", "a/b", ".hidden", "", "a b", &"x".repeat(300)] {
            assert!(file_name(bad).is_err(), "{bad}");
        }
    }
}
