//! The model that works on jobs: what this machine bears, and another one at a press.
use autopilot_proto::control::v1::{ChooseModelReply, ChooseModelRequest, ModelChoice, ModelsReply, ModelsRequest};
use iced::{Alignment, Task, widget::{column, row}};

use super::super::{Action, Scene, Wish, frame};
use crate::{
    design::{Element, Tone, caption, chip, heading, space, toned},
    face::Answer,
    shell::toast::Toast,
    words::{gib, machine},
};

/// Its part of the pane.
#[derive(Debug, Default)]
pub(super) struct Models {
    known: Option<Answer<ModelsReply>>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// What could serve.
    Got(Answer<ModelsReply>),
    /// Another one shall, by its name.
    Choose(String),
    /// It will, or not.
    Chosen(Answer<ChooseModelReply>),
}

impl Models {
    pub(super) fn ask(scene: &Scene<'_>) -> Task<Message> {
        let asked = scene.face.ask(|mut host| async move { host.models(ModelsRequest {}).await });
        asked.map(Message::Got)
    }

    pub(super) fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Got(answer) => {
                self.known = Some(answer);
                Action::none()
            }
            Message::Choose(model) => {
                let request = ChooseModelRequest { model, dry_run: false };
                let asked = scene.face.ask(move |mut host| async move { host.choose_model(request).await });
                asked.map(Message::Chosen).into()
            }
            Message::Chosen(Ok(reply)) => {
                let when = match reply.effect.as_str() {
                    "now" => "serves once no job runs",
                    "once-fetched" => "is fetched, and serves then",
                    _ => "serves from the next start on",
                };
                let said = Toast::good(format!("{} {when}", reply.name));
                Action::from(Models::ask(scene)).and(Wish::Say(said))
            }
            Message::Chosen(Err(trouble)) => Action::wish(Wish::Say(Toast::bad(trouble.sentence))),
        }
    }

    pub(super) fn view(&self) -> Element<'_, Message> {
        let title = heading("Model");
        match &self.known {
            None => column![title, caption("Looking at this machine …")].spacing(space::S).into(),
            Some(Err(trouble)) => column![title, frame::broken(trouble)].spacing(space::S).into(),
            Some(Ok(known)) => {
                let bytes = |bytes: u64| (bytes > 0).then_some(bytes);
                let found = machine(
                    &known.cpu,
                    known.cores,
                    bytes(known.memory_bytes),
                    bytes(known.disk_bytes),
                );
                let when = caption("Another one serves as soon as no job runs; one that is missing is fetched first.");
                let none = known.models.is_empty().then(|| caption("No model is known here."));
                column![title, caption(found)]
                    .extend(known.models.iter().map(one))
                    .push(none)
                    .push(when)
                    .spacing(space::XS)
                    .into()
            }
        }
    }

    pub(super) fn actions(&self) -> Vec<(String, Message)> {
        let known = self.known.iter().flatten().flat_map(|known| &known.models);
        let others = known.filter(|model| !model.chosen && model.why_not.is_empty());
        others
            .map(|model| (format!("Settings: serve {}", model.name), Message::Choose(model.name.clone())))
            .collect()
    }
}

fn one(model: &ModelChoice) -> Element<'_, Message> {
    let source = match model.source.as_str() {
        "fetch" => format!("{} to fetch, {}", gib(model.bytes), model.licence),
        "server" => model.place.clone(),
        _ => format!("{} on this machine", gib(model.bytes)),
    };
    let best = model.recommended.then(|| toned("fits this machine best", Tone::Good));
    let against = (!model.why_not.is_empty()).then(|| caption(model.why_not.as_str()));
    row![
        chip(model.name.as_str(), model.chosen, Message::Choose(model.name.clone())),
        caption(source)
    ]
    .push(best)
    .push(against)
    .spacing(space::S)
    .align_y(Alignment::Center)
    .wrap()
    .into()
}
