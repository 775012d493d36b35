//! Relays: which there are, how each does, what each took or refused; added, removed and tried anew.
use autopilot_proto::control::v1::{RelayLine, RelayRequest, RelaysReply, Trouble};
use iced::{
    Alignment, Task,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{
        Element, Tone, action, badge, body, caption, card, choice, danger, field, flow, heading, line, page,
        space, stat, toned,
    },
    face::Answer,
    shell::toast::Toast,
    words::{ago, one_line},
};

/// The pane.
#[derive(Debug, Default)]
pub struct RelayConnections {
    typed: String,
    /// The relay whose removal waits for a second word.
    leaving: Option<String>,
    trouble: Option<Trouble>,
    under_way: bool,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// An address was typed.
    Typed(String),
    /// Use that relay too.
    Add,
    /// Use a relay no more: asked first.
    Leave(String),
    /// Yes.
    Remove,
    /// No.
    Stay,
    /// Connect anew, at once.
    Retry(String),
    /// What came of it, and what was done.
    Done(&'static str, Answer<RelaysReply>),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for RelayConnections {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["relays"];

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Typed(typed) => {
                self.typed = typed;
                self.trouble = None;
            }
            Message::Add => {
                let Ok(relay) = address(&self.typed) else {
                    return Action::none();
                };
                let request = RelayRequest { relay };
                let asked = scene.face.ask(move |mut host| async move { host.add_relay(request).await });
                return self.doing("The relay is used from now on", asked);
            }
            Message::Leave(relay) => self.leaving = Some(relay),
            Message::Stay => self.leaving = None,
            Message::Remove => {
                let Some(relay) = self.leaving.take() else {
                    return Action::none();
                };
                let request = RelayRequest { relay };
                let asked = scene.face.ask(move |mut host| async move { host.remove_relay(request).await });
                return self.doing("The relay is used no more", asked);
            }
            Message::Retry(relay) => {
                let request = RelayRequest { relay };
                let asked = scene.face.ask(move |mut host| async move { host.retry_relay(request).await });
                return self.doing("The relay is tried anew", asked);
            }
            Message::Done(words, answer) => return self.done(words, answer),
            Message::Copy(text, what) => return Action::wish(Wish::Copy(text, what)),
        }
        Action::none()
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.relays, |relays| {
            let content = match relays.relays.as_slice() {
                [] => frame::empty(
                    "No relay is configured",
                    "Without one nobody can ask for work. Add one above: its address begins with wss://.",
                ),
                all => page(column![summary(relays)].extend(all.iter().map(|relay| self.one(scene, relay)))),
            };
            column![self.another(), content].spacing(space::S).padding(space::S).into()
        })
    }

    fn actions(&self, scene: &Scene<'_>) -> Vec<(String, Message)> {
        let mut actions = Vec::new();
        if address(&self.typed).is_ok() {
            actions.push(("Relays: add the typed one".to_owned(), Message::Add));
        }
        if let Some(relay) = &self.leaving {
            actions.push((format!("Relays: yes, remove {}", one_line(relay)), Message::Remove));
            actions.push(("Relays: keep it".to_owned(), Message::Stay));
        }
        for relay in scene.views.relays.value.iter().flat_map(|relays| &relays.relays) {
            let name = one_line(&relay.relay);
            let address = relay.relay.clone();
            actions.push((format!("Relays: try {name} anew"), Message::Retry(address.clone())));
            actions.push((format!("Relays: remove {name}"), Message::Leave(address.clone())));
            actions.push((format!("Relays: copy {name}"), Message::Copy(address, "Relay")));
        }
        actions
    }
}

impl RelayConnections {
    fn doing(&mut self, words: &'static str, asked: Task<Answer<RelaysReply>>) -> Action<Message> {
        if std::mem::replace(&mut self.under_way, true) {
            return Action::none();
        }
        self.trouble = None;
        asked.map(move |answer| Message::Done(words, answer)).into()
    }

    fn done(&mut self, words: &'static str, answer: Answer<RelaysReply>) -> Action<Message> {
        self.under_way = false;
        match answer {
            Ok(relays) => {
                // What was added needs no second click.
                if relays.relays.iter().any(|relay| relay.relay.trim_end_matches('/') == self.typed.trim().trim_end_matches('/')) {
                    self.typed.clear();
                }
                Action::wish(Wish::Say(Toast::good(words)))
            }
            Err(trouble) => {
                self.trouble = Some(trouble);
                Action::none()
            }
        }
    }

    fn another(&self) -> Element<'_, Message> {
        let typed = self.typed.as_str();
        let judged = address(typed);
        let wrong = judged.as_ref().err().copied().filter(|_| !typed.is_empty());
        let ready = judged.is_ok() && !self.under_way;
        let asked = row![
            field("Another relay", typed, "wss://relay.example.com", wrong, Message::Typed),
            action("Add", ready.then_some(Message::Add)),
        ];
        let trouble = self.trouble.as_ref().map(frame::broken);
        let when = caption("It is used at once and kept in the configuration.");
        let asked = asked.spacing(space::S).align_y(Alignment::End);
        card(column![asked, when].push(trouble).spacing(space::XS))
    }

    fn one<'a>(&'a self, scene: &Scene<'a>, relay: &'a RelayLine) -> Element<'a, Message> {
        let address = &relay.relay;
        let doings: Element<'a, Message> = match self.leaving.as_ref() == Some(address) {
            true => column![
                toned("Requests that only this relay carries are heard no more.", Tone::Attention),
                row![
                    danger("Remove it", Some(Message::Remove)),
                    choice("Keep it", Some(Message::Stay)),
                ]
                .spacing(space::S),
            ]
            .spacing(space::XS)
            .into(),
            false => flow(vec![
                choice("Try anew", Some(Message::Retry(address.clone()))),
                choice("Remove", Some(Message::Leave(address.clone()))),
                choice("Copy", Some(Message::Copy(address.clone(), "Relay"))),
            ]),
        };
        card(column![state(scene, relay), doings].spacing(space::S))
    }
}

/// The address of a relay, as typed.
///
/// # Errors
/// What is wrong with it, in words.
fn address(typed: &str) -> Result<String, &'static str> {
    let typed = typed.trim();
    let rest = typed.strip_prefix("wss://").or_else(|| typed.strip_prefix("ws://"));
    match rest {
        None => Err("an address begins with wss:// or ws://"),
        Some(host) if host.is_empty() || host.starts_with('/') => Err("the name of a machine is missing"),
        Some(host) if host.contains(char::is_whitespace) => Err("an address has no spaces"),
        Some(_) => Ok(typed.to_owned()),
    }
}

fn summary(relays: &RelaysReply) -> Element<'_, Message> {
    let connected = relays
        .relays
        .iter()
        .filter(|relay| relay.state == "connected")
        .count();
    let (tone, words) = match connected {
        0 => (
            Tone::Bad,
            "No relay serves now: no request can come, and nothing can be delivered. They are tried again by themselves.",
        ),
        _ => (Tone::Good, "Requests come and results leave through these."),
    };
    let stats = flow(vec![
        stat("Connected", connected.to_string(), tone),
        stat("Configured", relays.relays.len().to_string(), Tone::Plain),
    ]);
    card(column![stats, caption(words)].spacing(space::S))
}

fn state<'a>(scene: &Scene<'a>, relay: &'a RelayLine) -> Element<'a, Message> {
    let tone = match relay.state.as_str() {
        "connected" => Tone::Good,
        "connecting" | "idle" | "silent" => Tone::Attention,
        _ => Tone::Bad,
    };
    let silent = (relay.state == "silent").then(|| caption("It is connected, and answers nothing."));
    let latency = relay.latency_ms.map_or("–".to_owned(), |ms| format!("{ms} ms"));
    let seen = relay.last_seen_s.map_or("never".to_owned(), |s| {
        ago(s.saturating_mul(1_000), scene.now_ms)
    });
    let error = (!relay.last_error.is_empty()).then(|| {
        let words = toned(one_line(&relay.last_error), Tone::Attention);
        row![body("Last error:"), words].spacing(space::S)
    });
    let forged = (relay.forged > 0).then(|| {
        let words = format!("{} deliveries were forged and dropped", relay.forged);
        toned(words, Tone::Bad)
    });
    let title = row![
        heading(one_line(&relay.relay)),
        badge(relay.state.as_str(), tone)
    ];
    let counts = format!("{} taken, {} refused", relay.accepted, relay.refused);
    column![
        title.spacing(space::S).align_y(Alignment::Center).wrap(),
        line("Latency", latency),
        line("Last heard", seen),
        line("Events of ours", counts),
        line("Delivered to us", relay.delivered.to_string()),
    ]
    .push(silent)
    .push(error)
    .push(forged)
    .spacing(space::XS)
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_judged_as_it_is_typed() {
        assert_eq!(address(" wss://relay.example.com "), Ok("wss://relay.example.com".to_owned()));
        assert!(address("https://relay.example.com").is_err());
        assert!(address("wss://").is_err());
        assert!(address("wss:///path").is_err());
        assert!(address("wss://a b").is_err());
    }
}
