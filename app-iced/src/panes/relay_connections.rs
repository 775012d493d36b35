//! Relays: which there are, how each does, and what each took or refused.
use autopilot_proto::control::v1::{RelayLine, RelaysReply};
use iced::{
    Alignment,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, badge, body, caption, card, choice, flow, heading, line, page, space, stat, toned},
    words::{ago, one_line},
};

/// The pane.
#[derive(Debug, Default)]
pub struct RelayConnections;

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for RelayConnections {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["relays"];

    fn update(&mut self, message: Message, _: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Copy(text, what) => Action::wish(Wish::Copy(text, what)),
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.relays, |relays| match relays.relays.as_slice() {
            [] => frame::empty(
                "No relay is configured",
                "Without one nobody can ask for work. Name relays in `config.toml` of the home folder.",
            ),
            all => page(column![summary(relays)].extend(all.iter().map(|relay| one(scene, relay)))),
        })
    }

    fn actions(&self, scene: &Scene<'_>) -> Vec<(String, Message)> {
        let relays = scene.views.relays.value.iter().flat_map(|relays| &relays.relays);
        let copy = |relay: &RelayLine| {
            let words = format!("Relays: copy {}", one_line(&relay.relay));
            (words, Message::Copy(relay.relay.clone(), "Relay"))
        };
        relays.map(copy).collect()
    }
}

fn summary(relays: &RelaysReply) -> Element<'_, Message> {
    let connected = relays.relays.iter().filter(|relay| relay.state == "connected").count();
    let tone = match connected {
        0 => Tone::Bad,
        _ => Tone::Good,
    };
    let words = match connected {
        0 => "No relay serves now: no request can come, and nothing can be delivered. They are tried again by themselves.",
        _ => "Requests come and results leave through these.",
    };
    let stats = flow(vec![
        stat("Connected", connected.to_string(), tone),
        stat("Configured", relays.relays.len().to_string(), Tone::Plain),
    ]);
    card(column![stats, caption(words)].spacing(space::S))
}

fn one<'a>(scene: &Scene<'a>, relay: &'a RelayLine) -> Element<'a, Message> {
    let tone = match relay.state.as_str() {
        "connected" => Tone::Good,
        "connecting" | "idle" | "silent" => Tone::Attention,
        _ => Tone::Bad,
    };
    let silent = (relay.state == "silent").then(|| caption("It is connected, and answers nothing."));
    let latency = relay.latency_ms.map_or("–".to_owned(), |ms| format!("{ms} ms"));
    let seen = relay
        .last_seen_s
        .map_or("never".to_owned(), |s| ago(s.saturating_mul(1_000), scene.now_ms));
    let error = (!relay.last_error.is_empty()).then(|| toned(one_line(&relay.last_error), Tone::Attention));
    let forged = (relay.forged > 0).then(|| {
        let words = format!("{} deliveries were forged and dropped", relay.forged);
        toned(words, Tone::Bad)
    });
    let title = row![
        heading(one_line(&relay.relay)),
        badge(relay.state.as_str(), tone),
        choice("Copy", Some(Message::Copy(relay.relay.clone(), "Relay"))),
    ];
    let counts = format!("{} taken, {} refused", relay.accepted, relay.refused);
    let lines = column![
        title.spacing(space::S).align_y(Alignment::Center).wrap(),
        line("Latency", latency),
        line("Last heard", seen),
        line("Events of ours", counts),
        line("Delivered to us", relay.delivered.to_string()),
    ]
    .push(silent.map(Element::from))
    .push(error.map(|words| row![body("Last error:"), words].spacing(space::S)))
    .push(forged);
    card(lines.spacing(space::XS))
}
