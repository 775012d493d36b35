//! The models of a home: pulled and listed with or without a running host.
use std::{
    fs::File,
    io::{self, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use autopilot_inference::store;
use autopilot_openai::OpenAiServer;
use sha2::{Digest, Sha256};

use crate::config::{Config, Model};

pub use autopilot_inference::worker_program;
pub use autopilot_inference::{PullOptions, Source, StoreError, StoredModel};
pub use store::{Pinned, Progress};

/// What a home's model server serves.
#[derive(Clone, Debug)]
pub struct Served {
    /// Its address.
    pub url: String,
    /// The model that jobs would go to, and its context length in tokens (0: not known); or why there is none, and
    /// what to do.
    pub chosen: Result<(String, u32), (String, &'static str)>,
    /// Everything that it offers.
    pub offered: Vec<String>,
}

/// Asks the model server of a home what it serves; `None`: the home has none.
pub async fn served(home: &Path) -> Option<Served> {
    let Model::Server(server) = Config::read(&home.join("config.toml")).ok()?.model? else {
        return None;
    };
    let answer = match server.to_config().and_then(OpenAiServer::new) {
        Ok(asked) => asked
            .offered()
            .await
            .map_err(|error| (error.to_string(), error.next_step())),
        Err(words) => Err((words, "correct [model] in config.toml")),
    };
    let (offered, chosen) = match answer {
        Ok((offered, chosen)) => {
            let chosen = chosen.map(|model| (model.name, model.n_ctx));
            (
                offered,
                chosen.map_err(|error| (error.to_string(), error.next_step())),
            )
        }
        Err(problem) => (Vec::new(), Err(problem)),
    };
    Some(Served {
        url: server.url,
        chosen,
        offered,
    })
}

const BUFFER_BYTES: usize = 1 << 20;

/// `<home>/models`.
pub fn models_dir(home: &Path) -> PathBuf {
    home.join("models")
}

/// Models that can be pulled by their name alone.
///
/// # Errors
/// [`StoreError`] when the manifest can't be read.
pub fn known() -> Result<Vec<Pinned>, StoreError> {
    store::pinned()
}

/// Models of a home that are whole, by name; none where the folder is missing.
///
/// # Errors
/// [`StoreError::File`].
pub fn list(home: &Path) -> Result<Vec<StoredModel>, StoreError> {
    let dir = models_dir(home);
    match dir.is_dir() {
        true => store::ModelStore::open(dir)?.list(),
        false => Ok(Vec::new()),
    }
}

/// Pulls a model into a home. What came before a stop is kept, and the next pull goes on from there.
///
/// # Errors
/// [`StoreError`], each with what to do.
pub async fn pull(
    home: &Path,
    source: &Source,
    options: &PullOptions,
    progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<StoredModel, StoreError> {
    store::ModelStore::open(models_dir(home))?
        .pull(source, options, progress)
        .await
}

/// The name in the store, without `.gguf`, of what an address leads to; none where it names no file.
pub fn name_of(url: &str) -> Option<String> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let (_, path) = rest.split_once('/')?;
    let last = path.split(['?', '#']).next()?.rsplit('/').next()?;
    let name = last.strip_suffix(".gguf").unwrap_or(last);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    (!name.is_empty() && !name.starts_with('.') && name.chars().all(plain)).then(|| name.to_owned())
}

/// A SHA-256 from its 64 hexadecimal digits.
pub fn sha256(digits: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(digits.trim(), &mut digest).ok()?;
    Some(digest)
}

/// A digest as hexadecimal digits.
pub fn hex(digest: [u8; 32]) -> String {
    hex::encode(digest)
}

/// SHA-256 of a file; `progress` gets the bytes read so far. Reads the whole file.
///
/// # Errors
/// The file system's.
pub fn digest_of(path: &Path, mut progress: impl FnMut(u64)) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let (mut hash, mut buffer, mut done) = (Sha256::new(), vec![0; BUFFER_BYTES], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            count => {
                hash.update(&buffer[..count]);
                done += count as u64;
                progress(done);
            }
        }
    }
}
