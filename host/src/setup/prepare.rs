//! A home made of a wish. The identity comes first and the configuration last, each whole or not at all: a crash between
//! two steps leaves a home that is still new, and the same call goes on from there.
use std::path::{Path, PathBuf};

use super::{Field, Protect, Serve, SetupError, Wish, standing};
use crate::{
    config::{Chain, Config, Model, Provider, Wallet},
    home::Home,
    models,
    secrets::{Key, Protection, Secrets, SecretsError, protection},
};

/// A home that a host can be started on.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The folder.
    pub home: PathBuf,
    /// What opens its identity.
    pub key: Key,
    /// Its configuration.
    pub config: Config,
    /// Whether the identity was made by this call: its words are nowhere else.
    pub made_identity: bool,
}

/// Makes a home folder, or what is missing of it. Doing it again changes only what is wished differently; an identity
/// that is there stays, whatever happens.
///
/// # Errors
/// [`SetupError`], with the field that it is about. What was made before stays, and the next call goes on.
pub fn prepare(path: &Path, wish: Wish) -> Result<Prepared, SetupError> {
    if let Some(problem) = wish.problems().into_iter().next() {
        return Err(problem);
    }
    if let Some(pid) = standing::served_by(path) {
        let words = format!("a host (pid {pid}) serves this home already: it is set up");
        return Err(SetupError::new(Field::Home, words));
    }
    let home = Home::open(path).map_err(|error| SetupError::new(Field::Home, error.to_string()))?;
    let before = existing(&home)?;
    if let Some(before) = before.as_ref().filter(|before| before.network != wish.network) {
        return Err(SetupError::new(
            Field::Network,
            format!(
                "this home folder is for {}: a network never changes, name another folder for {}",
                before.network, wish.network
            ),
        ));
    }
    let (key, made_identity) = identity(&home, &wish.protect)?;
    let model = model_of(home.path(), &wish.serve);
    let config = merged(before, wish, model);
    config
        .write(&home.config_file())
        .map_err(|error| SetupError::new(Field::Home, error.to_string()))?;
    Ok(Prepared {
        home: home.path().to_owned(),
        key,
        config,
        made_identity,
    })
}

/// The configuration that is there, where one is. One that can't be read is nothing to write over.
fn existing(home: &Home) -> Result<Option<Config>, SetupError> {
    if !home.config_file().exists() {
        return Ok(None);
    }
    let read = Config::read(&home.config_file());
    read.map(Some)
        .map_err(|error| SetupError::new(Field::Home, error.to_string()))
}

/// The identity: opened where there is one, made where there is none.
fn identity(home: &Home, protect: &Protect) -> Result<(Key, bool), SetupError> {
    let failed = |error: SecretsError| SetupError::new(Field::Protection, error.to_string());
    let wished = match protect {
        Protect::Keyring => Key::Keyring,
        Protect::Passphrase(passphrase) => Key::Typed(passphrase.clone()),
        Protect::Folder => Key::Own,
    };
    let before = protection(home);
    if before == Protection::None {
        Secrets::open_or_create(home, &wished).map_err(failed)?;
        return Ok((wished, true));
    }
    match Secrets::open(home, &wished) {
        Ok(_) => Ok((wished, false)),
        // A wish that came to nothing halfway, or a person who thinks again: what opens by itself is protected anew.
        Err(_) if matches!(before, Protection::Folder | Protection::Keyring) => {
            let present = Key::of(home);
            let secrets = Secrets::open(home, &present).map_err(failed)?;
            match protect {
                Protect::Folder => secrets.unprotect(home).map_err(failed)?,
                _ => secrets.protect(home, &wished).map_err(failed)?,
            }
            let again = Secrets::open(home, &wished).map_err(failed)?;
            match secrets.is_same(&again) {
                true => Ok((wished, false)),
                false => Err(failed(SecretsError::Failed(
                    "another identity was read".to_owned(),
                ))),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// The table `[model]` of a choice. A host fetches what is missing.
fn model_of(home: &Path, serve: &Serve) -> Option<Model> {
    let fetched = |name: &str, sha256: String, url: &str| Model::File {
        path: models::models_dir(home).join(format!("{name}.gguf")),
        sha256: Some(sha256),
        url: Some(url.to_owned()),
    };
    match serve {
        Serve::Later => None,
        Serve::File(path) => Some(Model::file(
            std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        )),
        Serve::Server(server) => Some(Model::Server(server.clone())),
        Serve::Pinned(name) => {
            let mut known = models::known().unwrap_or_default().into_iter();
            let pinned = known.find(|model| model.name == *name)?;
            Some(fetched(name, pinned.sha256, &pinned.url))
        }
        Serve::Address { url, sha256 } => Some(fetched(&models::name_of(url)?, models::hex(*sha256), url)),
    }
}

/// What the wish says, over what a person wrote into the file and no form asks for.
fn merged(before: Option<Config>, wish: Wish, model: Option<Model>) -> Config {
    let before = before.unwrap_or_else(|| Config::bare(&wish.network));
    // The check of the wish saw a source; without one there is nothing to put in its place.
    let chain = wish.blocks.unwrap_or(before.chain);
    Config {
        network: wish.network,
        risks_accepted: wish.risks_accepted || before.risks_accepted,
        relays: wish.relays,
        chain: trimmed(chain),
        wallet: Wallet {
            peers: wish.peers,
            trusted_peers_0conf: wish.trusted_0conf,
            ..before.wallet
        },
        model,
        embedding: before.embedding,
        provider: Provider {
            enabled: true,
            price_msat: wish.price_msat,
            ..before.provider
        },
    }
}

fn trimmed(chain: Chain) -> Chain {
    match chain {
        Chain::Esplora { url } => Chain::Esplora {
            url: url.trim().to_owned(),
        },
        Chain::Electrum { url } => Chain::Electrum {
            url: url.trim().to_owned(),
        },
        chain @ Chain::Bitcoind { .. } => chain,
    }
}

/// The configuration of a home with another model; nothing is written.
///
/// # Errors
/// [`SetupError`] of [`Field::Model`] or [`Field::Home`].
pub fn with_model(home: &Home, serve: &Serve) -> Result<Config, SetupError> {
    let wish = Wish {
        serve: serve.clone(),
        ..Wish::of("")
    };
    if let Some(problem) = wish
        .problems()
        .into_iter()
        .find(|problem| problem.field == Field::Model)
    {
        return Err(problem);
    }
    let config = Config::read(&home.config_file());
    let config = config.map_err(|error| SetupError::new(Field::Home, error.to_string()))?;
    Ok(Config {
        model: model_of(home.path(), serve),
        ..config
    })
}
