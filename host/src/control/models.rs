//! What could serve on this machine, and what is to.
use autopilot_core::input::Command;
use autopilot_events::pb as facts;
use autopilot_proto::control::v1 as pb;
use tonic::Status;

use super::{Service, errors, views::basis};
use crate::{
    config::{Config, Model},
    fetching::supply,
    models,
    serving::Serving,
    setup::{self, Choice, Fetched, From, Serve},
};

impl Service {
    pub(super) async fn answer_models(&self, _: pb::ModelsRequest) -> Result<pb::ModelsReply, Status> {
        let home = self.home.clone();
        let (machine, choices, chosen) = apart(move || {
            let machine = setup::machine(home.path());
            let choices = setup::models(home.path(), &machine).map_err(unreadable)?;
            let config = Config::read(&home.config_file()).map_err(unreadable)?;
            Ok((machine, choices, config.model))
        })
        .await?;
        Ok(pb::ModelsReply {
            cpu: machine.cpu,
            cores: machine.cores,
            memory_bytes: machine.memory_bytes.unwrap_or(0),
            disk_bytes: machine.disk_bytes.unwrap_or(0),
            models: choices
                .into_iter()
                .map(|choice| line(choice, chosen.as_ref()))
                .collect(),
        })
    }

    /// Judged, written down for the next start, and recorded; then fetched where it is missing, and served.
    pub(super) async fn answer_choose_model(
        &self,
        request: pb::ChooseModelRequest,
    ) -> Result<pb::ChooseModelReply, Status> {
        let (home, wished) = (self.home.clone(), request.model);
        let (name, config) = apart(move || {
            let choices = setup::models(home.path(), &setup::machine(home.path())).map_err(unreadable)?;
            let (name, serve) = pick(choices, wished)?;
            let config = setup::with_model(&home, &serve);
            Ok((name, config.map_err(|error| errors::invalid(error.sentence))?))
        })
        .await?;
        let Some(model) = config.model.clone() else {
            return Err(errors::invalid("a model has to be named"));
        };
        let missing = model.missing(self.home.path()).is_some();
        let change = Command::ChooseModel(facts::ModelChosen {
            name: name.clone(),
            sha256: digest(&model),
            source: match (&model, missing) {
                (Model::Server(_), _) => "server",
                (Model::File { .. }, true) => "fetch",
                (Model::File { .. }, false) => "file",
            }
            .to_owned(),
        });
        self.rehearse(change.clone()).await?;
        let live = matches!(
            (&self.outside.model, &model),
            (Some(Serving::Worker(_)), Model::File { .. })
        );
        let effect = match (live, missing) {
            (true, true) => "once-fetched",
            (true, false) => "now",
            (false, _) => "next-start",
        };
        if !request.dry_run {
            config.write(&self.home.config_file()).map_err(unreadable)?;
            self.command(change).await?;
            self.outside.fetching.stop();
            tokio::spawn(supply(self.outside.clone(), self.home.clone(), model));
        }
        Ok(pb::ChooseModelReply {
            basis: Some(self.look(|engine| basis(engine, "local")).await?),
            name,
            effect: effect.to_owned(),
        })
    }
}

/// Files are read beside everything else.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Status::internal(error.to_string())))
}

fn unreadable(error: impl std::fmt::Display) -> Status {
    errors::coded(tonic::Code::Internal, "file", error.to_string())
}

/// A choice by its name, or a file by its path.
fn pick(choices: Vec<Choice>, wished: String) -> Result<(String, Serve), Status> {
    let known = choices.into_iter().find(|choice| choice.name == wished);
    match known {
        Some(choice) => match choice.why_not {
            Some(why) => Err(errors::coded(
                tonic::Code::FailedPrecondition,
                "model-too-large",
                format!("{wished} can't serve here: {why}"),
            )),
            None => Ok((choice.name, choice.serve)),
        },
        None if wished.starts_with('/') => Ok((wished.clone(), Serve::File(wished.into()))),
        None => Err(errors::not_found(format!(
            "{wished:?} is neither a model of the list nor the absolute path of a file"
        ))),
    }
}

fn line(choice: Choice, chosen: Option<&Model>) -> pb::ModelChoice {
    let chosen = match (&choice.serve, chosen) {
        (Serve::File(file), Some(Model::File { path, .. })) => file == path,
        (Serve::Pinned(name), Some(Model::File { path, .. })) => {
            path.file_stem().is_some_and(|stem| stem == name.as_str())
        }
        (Serve::Server(_), Some(Model::Server(_))) => true,
        _ => false,
    };
    let (source, place, licence) = match choice.from {
        From::Here(path) => ("file", path.display().to_string(), String::new()),
        From::Fetch { licence } => ("fetch", String::new(), licence),
        From::Server(url) => ("server", url, String::new()),
    };
    pb::ModelChoice {
        name: choice.name,
        source: source.to_owned(),
        place,
        licence,
        bytes: choice.bytes,
        need_bytes: choice.need_bytes,
        why_not: choice.why_not.unwrap_or_default(),
        recommended: choice.recommended,
        chosen,
    }
}

fn digest(model: &Model) -> Vec<u8> {
    match model {
        Model::File { sha256, .. } => sha256.as_deref().and_then(models::sha256),
        Model::Server(_) => None,
    }
    .map(|digest| digest.to_vec())
    .unwrap_or_default()
}

/// How far a model is that is on its way.
pub(super) fn fetch((name, fetched): (String, Fetched)) -> pb::ModelFetch {
    let left_s = fetched.left_s();
    let problem = fetched.ended.and_then(Result::err);
    pb::ModelFetch {
        name,
        have_bytes: fetched.have_bytes,
        total_bytes: fetched.total_bytes.unwrap_or(0),
        bytes_per_s: fetched.bytes_per_s,
        left_s,
        again: problem.as_ref().is_some_and(|problem| problem.resumable),
        problem: problem.map(|problem| problem.sentence).unwrap_or_default(),
    }
}
