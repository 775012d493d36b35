//! Models: pulled and listed on this machine, warmed and unloaded by the host.
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use autopilot_host::models::{self, Pinned, PullOptions, Served, Source, StoredModel};
use autopilot_proto::control::v1::{ChooseModelReply, ChooseModelRequest, ModelReply, ModelRequest};
use serde::Serialize;

use crate::{
    args::Model,
    connect::{call, call_waiting},
    failure::{Failure, Kind, Outcome},
    output::{Out, bytes, clean_line, fields, table},
    progress::Progress,
    start::Way,
    suggest,
};

/// Longest that a model may take to load at the host, seconds.
const LOAD_BOUND_S: u32 = 300;

#[derive(Serialize)]
struct ModelLine {
    name: String,
    path: PathBuf,
    bytes: u64,
    /// SHA-256 by which it was admitted; empty for a file that somebody else put there.
    sha256: String,
}

#[derive(Serialize)]
struct KnownLine {
    name: String,
    url: String,
    bytes: u64,
    sha256: String,
    licence: String,
}

#[derive(Serialize)]
struct ServerLine {
    url: String,
    /// The one that jobs go to; empty where there is none.
    chosen: String,
    offered: Vec<String>,
    /// Why none is chosen.
    problem: String,
}

impl From<Served> for ServerLine {
    fn from(served: Served) -> ServerLine {
        let (chosen, problem) = match served.chosen {
            Ok((name, _)) => (name, String::new()),
            Err((problem, next)) => (String::new(), format!("{problem}: {next}")),
        };
        ServerLine {
            url: served.url,
            chosen,
            offered: served.offered,
            problem,
        }
    }
}

#[derive(Serialize)]
struct ModelList {
    models: Vec<ModelLine>,
    known: Vec<KnownLine>,
    /// The configured model server.
    server: Option<ServerLine>,
}

impl From<StoredModel> for ModelLine {
    fn from(model: StoredModel) -> ModelLine {
        let sha256 = model.sha256.map(models::hex).unwrap_or_default();
        ModelLine {
            name: model.name,
            path: model.path,
            bytes: model.bytes,
            sha256,
        }
    }
}

impl From<Pinned> for KnownLine {
    fn from(model: Pinned) -> KnownLine {
        let Pinned {
            name,
            url,
            bytes,
            sha256,
            licence,
        } = model;
        KnownLine {
            name,
            url,
            bytes,
            sha256,
            licence,
        }
    }
}

pub async fn model(home: &Path, way: &Way, out: Out, action: Model) -> Outcome {
    match action {
        Model::Pull { source, sha256, name } => pull(home, out, &source, sha256, name).await,
        Model::List => list(home, out).await,
        Model::Choose { model } => choose(home, way, out, model).await,
        Model::Warm => at_host(way, out, "warm").await,
        Model::Unload => at_host(way, out, "unload").await,
        Model::Show => at_host(way, out, "describe").await,
    }
}

/// What a person means: an address, a path that is there or looks like one, or else a name.
fn source(text: &str, sha256: Option<String>) -> Outcome<Source> {
    let sha256 = match sha256 {
        Some(digits) => Some(models::sha256(&digits).ok_or_else(|| {
            Failure::usage("--sha256 takes the 64 hexadecimal digits that sha256sum prints")
        })?),
        None => None,
    };
    let path = Path::new(text);
    if text.contains("://") {
        return Ok(Source::Address {
            url: text.to_owned(),
            sha256,
        });
    }
    if sha256.is_some() {
        return Err(Failure::usage(
            "--sha256 goes with an address; a known name has its own, a file is only copied",
        ));
    }
    match text.contains('/') || path.is_file() {
        true => Ok(Source::File(path.to_owned())),
        false => Ok(Source::Pinned(text.to_owned())),
    }
}

async fn pull(home: &Path, out: Out, text: &str, sha256: Option<String>, name: Option<String>) -> Outcome {
    let source = source(text, sha256)?;
    let options = PullOptions {
        name,
        ..PullOptions::default()
    };
    let mut shown = Progress::new();
    let pulled = models::pull(home, &source, &options, |progress| {
        shown.tell(|| match progress.total_bytes {
            Some(total) => format!("pulling: {} of {}", bytes(progress.have_bytes), bytes(total)),
            None => format!("pulling: {}", bytes(progress.have_bytes)),
        });
        ControlFlow::Continue(())
    });
    let model = tokio::select! {
        model = pulled => model.map_err(|error| unknown(error.into(), home, text))?,
        _ = tokio::signal::ctrl_c() => return Err(models::StoreError::Stopped.into()),
    };
    drop(shown);
    let next = format!("autopilot-headless provider --model {}", model.path.display());
    out.show(&ModelLine::from(model), |model| {
        fields(&[
            ("model", model.name.clone()),
            ("path", model.path.display().to_string()),
            ("size", bytes(model.bytes)),
            ("sha256", model.sha256.clone()),
        ])
    })?;
    out.hint(&next);
    Ok(())
}

/// With the name that was probably meant.
fn unknown(failure: Failure, home: &Path, given: &str) -> Failure {
    let known = models::known()
        .unwrap_or_default()
        .into_iter()
        .map(|model| model.name);
    let here = models::list(home)
        .unwrap_or_default()
        .into_iter()
        .map(|model| model.name);
    suggest::model(failure, given, &known.chain(here).collect::<Vec<_>>())
}

async fn list(home: &Path, out: Out) -> Outcome {
    let models = models::list(home)?.into_iter().map(ModelLine::from).collect();
    let known = models::known()?.into_iter().map(KnownLine::from).collect();
    let server = models::served(home).await.map(ServerLine::from);
    out.show(
        &ModelList {
            models,
            known,
            server,
        },
        |list| {
            let row = |model: &ModelLine| {
                let sha256 = if model.sha256.is_empty() {
                    "not checked"
                } else {
                    &model.sha256
                };
                vec![
                    model.name.clone(),
                    bytes(model.bytes),
                    sha256.to_owned(),
                    model.path.display().to_string(),
                ]
            };
            let rows: Vec<_> = list.models.iter().map(row).collect();
            let mut text = match rows.is_empty() {
                true => "No model here: autopilotctl model pull NAME, ADDRESS or PATH.".to_owned(),
                false => table(&["model", "size", "sha256", "path"], &rows),
            };
            if let Some(server) = &list.server {
                let marked = |name: &String| match *name == server.chosen {
                    true => vec![clean_line(name), "jobs go to it".to_owned()],
                    false => vec![clean_line(name), String::new()],
                };
                let rows: Vec<_> = server.offered.iter().map(marked).collect();
                text += &format!(
                    "\n\n{}",
                    table(&[&format!("served by {}", server.url), ""], &rows)
                );
                if !server.problem.is_empty() {
                    text += &format!("\n{}", clean_line(&server.problem));
                }
            }
            if !list.known.is_empty() {
                let row =
                    |model: &KnownLine| vec![model.name.clone(), bytes(model.bytes), model.licence.clone()];
                let rows: Vec<_> = list.known.iter().map(row).collect();
                text += &format!("\n\n{}", table(&["can be pulled", "size", "licence"], &rows));
            }
            text
        },
    )
}

async fn choose(home: &Path, way: &Way, out: Out, wished: String) -> Outcome {
    let path = Path::new(&wished);
    let model = match wished.contains('/') || path.is_file() {
        true => std::path::absolute(path).map_err(|error| Failure::usage(error.to_string()))?,
        false => path.to_owned(),
    };
    let request = ChooseModelRequest {
        model: model.display().to_string(),
        dry_run: false,
    };
    let chosen = call(way.host().await?.choose_model(request)).await;
    let reply = chosen.map_err(|failure| unknown(failure, home, &wished))?;
    out.show(&reply, |reply: &ChooseModelReply| {
        let when = match reply.effect.as_str() {
            "now" => "serves once no job runs",
            "once-fetched" => "is being fetched, and serves then; `autopilotctl status` says how far it is",
            _ => "serves from the host's next start on",
        };
        format!("{} {when}.", clean_line(&reply.name))
    })
}

async fn at_host(way: &Way, out: Out, action: &str) -> Outcome {
    let mut client = way.host().await?;
    let request = ModelRequest {
        action: action.to_owned(),
    };
    let reply = call_waiting(LOAD_BOUND_S, client.model(request)).await?;
    out.show(&reply, |reply: &ModelReply| {
        let context = if reply.n_ctx > 0 {
            format!("{} tokens", reply.n_ctx)
        } else {
            String::new()
        };
        let memory = if reply.memory_bytes > 0 {
            bytes(reply.memory_bytes)
        } else {
            String::new()
        };
        let at_a_time = match reply.in_flight_max {
            0 => String::new(),
            count => format!("{count} jobs"),
        };
        fields(&[
            ("state", reply.state.clone()),
            ("model", reply.name.clone()),
            ("sha256", reply.digest.clone()),
            ("context", context),
            ("at a time", at_a_time),
            ("memory", memory),
            ("runtime", reply.runtime.clone()),
            ("device", reply.device.clone()),
            ("problem", clean_line(&reply.problem)),
        ])
    })?;
    match reply.state == "none" && action == "warm" {
        true => Err(Failure::new(Kind::Refused, "no-model", reply.problem)
            .next("a provider's home folder names its model in config.toml; `autopilotctl doctor` shows it")),
        false => Ok(()),
    }
}
