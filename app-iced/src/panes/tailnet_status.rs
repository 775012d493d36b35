//! Devices of the tailnet that this machine is in, where it is in one.
use autopilot_proto::control::v1::{TailnetDevice, TailnetReply, TailnetRequest, Trouble};
use iced::{
    Alignment,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, badge, caption, card, choice, heading, mono, page, space, toned},
    face::Answer,
    words::{ago, one_line},
};

/// The pane.
#[derive(Debug, Default)]
pub struct TailnetStatus {
    looking: bool,
    /// What was seen at the last wish to look; the view follows.
    seen: Option<TailnetReply>,
    trouble: Option<Trouble>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Look now.
    Refresh,
    /// What was seen.
    Seen(Answer<TailnetReply>),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for TailnetStatus {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["tailnet"];

    /// What is watched is newer than what was looked at by hand.
    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let newest = scene.views.tailnet.value.as_ref().and_then(|tailnet| tailnet.looked_at_ms);
        if self.seen.as_ref().is_some_and(|seen| seen.looked_at_ms <= newest) {
            self.seen = None;
        }
        Action::none()
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Refresh if self.looking => Action::none(),
            Message::Refresh => {
                self.looking = true;
                let asked = scene.face.ask(|mut host| async move { host.tailnet(TailnetRequest {}).await });
                asked.map(Message::Seen).into()
            }
            Message::Seen(answer) => {
                self.looking = false;
                match answer {
                    Ok(reply) => (self.seen, self.trouble) = (Some(reply), None),
                    Err(trouble) => self.trouble = Some(trouble),
                }
                Action::none()
            }
            Message::Copy(text, what) => Action::wish(Wish::Copy(text, what)),
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.tailnet, |watched| {
            let tailnet = self.seen.as_ref().unwrap_or(watched);
            let content = match tailnet.state.as_str() {
                "unknown" => frame::loading(),
                "not-installed" => frame::empty(
                    &tailnet.sentence,
                    "Nothing needs it: it only lets your own devices reach each other. Install Tailscale to see them here.",
                ),
                "trouble" => column![
                    toned(one_line(&tailnet.sentence), Tone::Bad),
                    caption("Earning does not need it. Put Tailscale right, then refresh."),
                ]
                .spacing(space::XS)
                .into(),
                _ => devices(scene, tailnet),
            };
            let label = if self.looking { "Looking …" } else { "Refresh" };
            let refresh = choice(label, (!self.looking).then_some(Message::Refresh));
            let looked = tailnet
                .looked_at_ms
                .map(|at_ms| caption(format!("looked at {}", ago(at_ms, scene.now_ms))));
            let top = row![refresh].push(looked).spacing(space::S).align_y(Alignment::Center);
            column![top]
                .push(self.trouble.as_ref().map(frame::broken))
                .push(content)
                .spacing(space::S)
                .padding(space::M)
                .into()
        })
    }

    fn actions(&self, scene: &Scene<'_>) -> Vec<(String, Message)> {
        let mut actions = vec![("Tailnet: refresh".to_owned(), Message::Refresh)];
        let devices = scene.views.tailnet.value.iter().flat_map(|tailnet| &tailnet.devices);
        actions.extend(devices.map(|device| {
            let words = format!("Tailnet: copy the address of {}", one_line(&device.name));
            (words, Message::Copy(device.address.clone(), "Address"))
        }));
        actions
    }
}

fn devices<'a>(scene: &Scene<'a>, tailnet: &'a TailnetReply) -> Element<'a, Message> {
    let (word, tone) = match tailnet.state.as_str() {
        "up" => ("up", Tone::Good),
        other => (other, Tone::Attention),
    };
    let title = row![heading(one_line(&tailnet.name)), badge(word, tone)].spacing(space::S);
    let sentence = (!tailnet.sentence.is_empty()).then(|| toned(one_line(&tailnet.sentence), Tone::Attention));
    let none = tailnet.devices.is_empty().then(|| caption("No device is in it."));
    let devices = tailnet.devices.iter().map(|device| one(scene, device));
    page(
        column![card(column![title].push(sentence).push(none).spacing(space::XS))].extend(devices),
    )
}

fn one<'a>(scene: &Scene<'a>, device: &'a TailnetDevice) -> Element<'a, Message> {
    let (word, tone) = match device.online {
        true => ("online", Tone::Good),
        false => ("offline", Tone::Quiet),
    };
    let seen = match (device.online, device.last_seen_ms) {
        (false, Some(at_ms)) => Some(caption(format!("last seen {}", ago(at_ms, scene.now_ms)))),
        _ => None,
    };
    let content = row![heading(one_line(&device.name)), badge(word, tone)]
        .push(device.this.then(|| badge("this machine", Tone::Accent)))
        .push(caption(one_line(&device.os)))
        .push(mono(one_line(&device.address)))
        .push(seen)
        .push(choice("Copy", Some(Message::Copy(device.address.clone(), "Address"))))
        .spacing(space::S)
        .align_y(Alignment::Center);
    card(content.wrap())
}
