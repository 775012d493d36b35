//! Who this is: the public key, the words behind it, and whether they are backed up. The words are read from the home
//! folder by this program alone and shown for a moment; they never travel over control.
use autopilot_host::{home::Home, secrets::Key, setup};
use autopilot_proto::control::v1::{IdentityReply, IdentityRequest, Trouble};
use iced::{
    Task,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, action, badge, body, caption, card, choice, heading, line, mono, page, space, toned},
    face::Answer,
    shell::toast::Toast,
    words::{ago, time},
};

/// How long the words are in sight, in milliseconds.
const SHOWN_MS: i64 = 60_000;

/// The pane.
#[derive(Debug, Default)]
pub struct IdentityKeys {
    known: Option<IdentityReply>,
    trouble: Option<Trouble>,
    words: Option<Words>,
    hidden_because: Option<String>,
}

/// The words, while they are in sight. `Debug` shows none.
#[derive(Clone)]
pub struct Words {
    list: Vec<String>,
    until_ms: i64,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Words")
    }
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Who this is.
    Known(Answer<IdentityReply>),
    /// Show the words for a moment.
    Reveal,
    /// They were read, or can't be.
    Revealed(Result<Words, String>),
    /// Hide them now.
    Hide,
    /// They were written down.
    WrittenDown,
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for IdentityKeys {
    type Message = Message;

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        ask(scene, IdentityRequest::default())
    }

    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        if self.words.as_ref().is_some_and(|words| words.until_ms <= scene.now_ms) {
            self.words = None;
        }
        Action::none()
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Known(Ok(reply)) => {
                self.known = Some(reply);
                self.trouble = None;
            }
            Message::Known(Err(trouble)) => self.trouble = Some(trouble),
            Message::Reveal => return reveal(scene),
            Message::Revealed(Ok(words)) => {
                self.words = Some(words);
                self.hidden_because = None;
            }
            Message::Revealed(Err(why)) => self.hidden_because = Some(why),
            Message::Hide => self.words = None,
            Message::WrittenDown => {
                self.words = None;
                let request = IdentityRequest {
                    backed_up_to: "paper".to_owned(),
                    ..IdentityRequest::default()
                };
                let said = Wish::Say(Toast::good("Noted: the words are backed up"));
                return ask(scene, request).and(said);
            }
            Message::Copy(text, what) => return Action::wish(Wish::Copy(text, what)),
        }
        Action::none()
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        match (&self.known, &self.trouble) {
            (Some(known), trouble) => page(
                column![identity(scene, known), self.secret(scene)].push(trouble.as_ref().map(frame::broken)),
            ),
            (None, Some(trouble)) => iced::widget::center(frame::broken(trouble)).into(),
            (None, None) => frame::loading(),
        }
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        let mut actions = vec![("Identity: show the words for a minute".to_owned(), Message::Reveal)];
        if self.words.is_some() {
            actions.push(("Identity: hide the words".to_owned(), Message::Hide));
            actions.push(("Identity: the words are written down".to_owned(), Message::WrittenDown));
        }
        if let Some(known) = &self.known {
            let copy = Message::Copy(known.npub.clone(), "Public key");
            actions.push(("Identity: copy the public key".to_owned(), copy));
        }
        actions
    }
}

fn ask(scene: &Scene<'_>, request: IdentityRequest) -> Action<Message> {
    let asked = scene.face.ask(move |mut host| async move { host.identity(request).await });
    asked.map(Message::Known).into()
}

/// Reads the words; unsealing takes a moment of a processor, so it is done beside the window.
fn reveal(scene: &Scene<'_>) -> Action<Message> {
    let (home, until_ms) = (scene.home.to_owned(), scene.now_ms + SHOWN_MS);
    let key = scene.key.cloned();
    let read = Task::future(async move {
        let read = tokio::task::spawn_blocking(move || {
            let key = match key {
                Some(key) => key,
                // A host that somebody else started: its identity is opened as that one opens it.
                None => Key::of(&Home::open(&home).map_err(|error| error.to_string())?),
            };
            let words = setup::reveal(&home, &key).map_err(|error| error.to_string())?;
            let list = words.list();
            Ok(Words { list, until_ms })
        });
        read.await.unwrap_or_else(|error| Err(error.to_string()))
    });
    read.map(Message::Revealed).into()
}

fn identity<'a>(scene: &Scene<'a>, known: &'a IdentityReply) -> Element<'a, Message> {
    let (backup, tone) = match known.backed_up_at_ms {
        Some(at_ms) => (
            format!("{} ({})", time(at_ms, scene.now_ms, scene.zone), ago(at_ms, scene.now_ms)),
            Tone::Good,
        ),
        None => ("never: a broken disk would take identity and money along".to_owned(), Tone::Attention),
    };
    card(
        column![
            row![heading("Public key"), badge(known.network.as_str(), Tone::Quiet)].spacing(space::S),
            mono(known.npub.as_str()).wrapping(iced::widget::text::Wrapping::Glyph),
            choice("Copy", Some(Message::Copy(known.npub.clone(), "Public key"))),
            line("Protected by", known.protected_by.as_str()),
            row![caption("Backed up"), toned(backup, tone)].spacing(space::S),
            caption("The identity can't be changed: the name that buyers trust, the wallet and the ledger belong to it."),
        ]
        .spacing(space::S),
    )
}

impl IdentityKeys {
    fn secret<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let title = heading("The words: custody of your sats");
        let Some(words) = &self.words else {
            let why = self.hidden_because.as_deref().map(|why| toned(why, Tone::Bad));
            let lines = column![
                title,
                body("•••• •••• •••• ••••"),
                body("Twelve words are identity and wallet. Whoever has them has your sats; without them nobody can bring your identity back."),
                action("Show them for a minute", Some(Message::Reveal)),
            ];
            return card(lines.push(why).spacing(space::S));
        };
        let left = (words.until_ms - scene.now_ms).max(0) / 1_000;
        let numbered = words.list.iter().enumerate().map(|(place, word)| {
            row![caption(format!("{:2}", place + 1)), mono(word.as_str())].spacing(space::XS).into()
        });
        card(
            column![
                title,
                toned("Nobody should see this screen. Write them on paper, in this order.", Tone::Attention),
                row(numbered).spacing(space::L).wrap(),
                caption(format!("Hidden in {left} s")),
                row![
                    action("I have written them down", Some(Message::WrittenDown)),
                    choice("Hide", Some(Message::Hide)),
                ]
                .spacing(space::S),
            ]
            .spacing(space::M),
        )
    }
}
