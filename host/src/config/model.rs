//! The model's settings: a file in a worker of our own, or a server.
use std::path::{Path, PathBuf};

use autopilot_openai::ServerConfig;
use serde::{Deserialize, Serialize};

use crate::models::{self, Source};

/// What serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub enum Model {
    /// A file, in a worker of our own: `engine = "file"`, which need not be said.
    File {
        /// GGUF file.
        path: PathBuf,
        /// SHA-256 that it must have, as hexadecimal text.
        sha256: Option<String>,
        /// Where it is fetched from while it is missing in the home's store; needs the digest.
        url: Option<String>,
    },
    /// A server: `engine = "openai"`.
    Server(ModelServer),
}

/// A model that is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name in the store, without `.gguf`.
    pub name: String,
    /// Where it is to be had.
    pub source: Source,
}

/// An OpenAI-compatible server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelServer {
    /// Address: https, or http on this machine.
    pub url: String,
    /// The name it knows the model by; none where it serves one only.
    pub model: Option<String>,
    /// File with its key, mode 0600.
    pub key_file: Option<PathBuf>,
    /// Requests that it is sent at the same time, 1 to 64; the policy's where it is less.
    pub max_in_flight: Option<u32>,
    /// Context length, tokens, where the server does not tell.
    pub context_tokens: Option<u32>,
}

impl Model {
    /// A file, whatever its digest is.
    pub fn file(path: impl Into<PathBuf>) -> Model {
        Model::File {
            path: path.into(),
            sha256: None,
            url: None,
        }
    }

    /// What has to be fetched into the store of a home before it can serve; none where it is here, or nobody said where
    /// it is to be had.
    pub fn missing(&self, home: &Path) -> Option<Missing> {
        let Model::File { path, sha256, url } = self else {
            return None;
        };
        let name = path.file_stem()?.to_str()?.to_owned();
        let in_store = models::models_dir(home).join(format!("{name}.gguf")) == *path;
        (in_store && !path.exists()).then_some(Missing {
            name,
            source: Source::Address {
                url: url.clone()?,
                sha256: sha256.as_deref().and_then(models::sha256),
            },
        })
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Model::File { sha256, url, .. } => match (sha256.as_deref().map(models::sha256), url) {
                (Some(None), _) => Err("the model's sha256 needs 64 hexadecimal digits".to_owned()),
                (None, Some(_)) => Err("a model with a url needs its sha256 as well".to_owned()),
                _ => Ok(()),
            },
            Model::Server(server) => server.to_config().map(drop),
        }
    }
}

impl ModelServer {
    /// The same in the adapter's words.
    ///
    /// # Errors
    /// What makes no sense, in a sentence.
    pub fn to_config(&self) -> Result<ServerConfig, String> {
        let mut config = ServerConfig::new(&self.url)?;
        config.model.clone_from(&self.model);
        config.key_file.clone_from(&self.key_file);
        config.n_ctx = self.context_tokens.unwrap_or(0);
        if let Some(most) = self.max_in_flight {
            if !(1..=64).contains(&most) {
                return Err("the model server's max_in_flight must lie in 1–64".to_owned());
            }
            config.in_flight_max = most;
        }
        Ok(config)
    }
}

/// The table as it is written.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    engine: Option<String>,
    path: Option<PathBuf>,
    sha256: Option<String>,
    url: Option<String>,
    model: Option<String>,
    key_file: Option<PathBuf>,
    max_in_flight: Option<u32>,
    context_tokens: Option<u32>,
}

impl TryFrom<Table> for Model {
    type Error = String;

    fn try_from(table: Table) -> Result<Model, String> {
        let of_server = [
            ("model", table.model.is_some()),
            ("key_file", table.key_file.is_some()),
            ("max_in_flight", table.max_in_flight.is_some()),
            ("context_tokens", table.context_tokens.is_some()),
        ];
        let of_file = [("path", table.path.is_some()), ("sha256", table.sha256.is_some())];
        let stray = |fields: &[(&str, bool)], engine: &str| match fields.iter().find(|(_, there)| *there) {
            Some((field, _)) => Err(format!("[model] with engine = {engine:?} has no {field}")),
            None => Ok(()),
        };
        match table.engine.as_deref().unwrap_or("file") {
            "file" => {
                stray(&of_server, "file")?;
                let path = table
                    .path
                    .ok_or("[model] needs a path, or engine = \"openai\" and a url")?;
                Ok(Model::File {
                    path,
                    sha256: table.sha256,
                    url: table.url,
                })
            }
            "openai" => {
                stray(&of_file, "openai")?;
                Ok(Model::Server(ModelServer {
                    url: table.url.ok_or("[model] with engine = \"openai\" needs a url")?,
                    model: table.model,
                    key_file: table.key_file,
                    max_in_flight: table.max_in_flight,
                    context_tokens: table.context_tokens,
                }))
            }
            other => Err(format!("engine {other:?} is neither \"file\" nor \"openai\"")),
        }
    }
}

impl From<Model> for Table {
    fn from(model: Model) -> Table {
        match model {
            Model::File { path, sha256, url } => Table {
                path: Some(path),
                sha256,
                url,
                ..Table::default()
            },
            Model::Server(server) => Table {
                engine: Some("openai".to_owned()),
                url: Some(server.url),
                model: server.model,
                key_file: server.key_file,
                max_in_flight: server.max_in_flight,
                context_tokens: server.context_tokens,
                ..Table::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<Model, &str>) {
        match (toml::from_str::<Model>(text), expect) {
            (Ok(model), Ok(expect)) => {
                assert_eq!(model, expect);
                let again = toml::to_string(&model).unwrap();
                assert_eq!(toml::from_str::<Model>(&again).unwrap(), model);
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn an_engine_has_its_own_settings_and_no_others() {
        check("path = '/m.gguf'", Ok(Model::file("/m.gguf")));
        let server = ModelServer {
            url: "http://127.0.0.1:8080/v1".into(),
            model: Some("qwen".into()),
            max_in_flight: Some(4),
            ..ModelServer::default()
        };
        let text = "engine = 'openai'\nurl = 'http://127.0.0.1:8080/v1'\nmodel = 'qwen'\nmax_in_flight = 4";
        check(text, Ok(Model::Server(server)));
        check("engine = 'openai'", Err("needs a url"));
        check("engine = 'openai'\nurl = 'u'\npath = 'p'", Err("has no path"));
        check("path = 'p'\nkey_file = 'k'", Err("has no key_file"));
        let unproven: Model = toml::from_str("path = 'p'\nurl = 'https://models.example/p.gguf'").unwrap();
        assert!(unproven.check().unwrap_err().contains("sha256"));
        check("engine = 'vllm'", Err("neither"));
        check("", Err("needs a path"));
        let leaky = Model::Server(ModelServer {
            url: "http://models.example/v1".into(),
            ..ModelServer::default()
        });
        assert!(leaky.check().unwrap_err().contains("http would show prompts"));
    }
}
