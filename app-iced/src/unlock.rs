//! An identity that a passphrase protects, or a keyring that is locked: it is opened, never made anew.
use std::path::PathBuf;

use autopilot_host::{
    home::Home,
    secrets::{Key, SecretString, Secrets},
};
use iced::{
    Task,
    widget::{center, column, text_input},
};

use crate::design::{Element, Tone, action, body, caption, card, heading, size, space, theme, toned};

/// The page.
pub struct Unlock {
    home: PathBuf,
    keyring: Option<String>,
    passphrase: String,
    wrong: Option<String>,
    working: bool,
}

/// What can happen in it. `Debug` shows no passphrase.
#[derive(Clone)]
pub enum Message {
    /// A passphrase was typed.
    Typed(String),
    /// Open it.
    Open,
    /// Ask the keyring once more.
    Keyring,
    /// It is open, or not: in words.
    Opened(Result<Key, String>),
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unlock::Message")
    }
}

impl Unlock {
    /// For a home folder; with why its keyring does not open it, where it has one.
    pub fn new(home: PathBuf, keyring: Option<String>) -> Unlock {
        Unlock {
            home,
            keyring,
            passphrase: String::new(),
            wrong: None,
            working: false,
        }
    }

    /// Something happened; `Some`: this opens it.
    pub fn update(&mut self, message: Message) -> (Task<Message>, Option<Key>) {
        match message {
            Message::Typed(typed) => self.passphrase = typed,
            Message::Open => {
                return (
                    self.try_key(Key::Typed(SecretString::from(self.passphrase.clone()))),
                    None,
                );
            }
            Message::Keyring => return (self.try_key(Key::Keyring), None),
            Message::Opened(Ok(key)) => return (Task::none(), Some(key)),
            Message::Opened(Err(why)) => {
                self.working = false;
                self.wrong = Some(why);
            }
        }
        (Task::none(), None)
    }

    /// Unsealing takes a second of a processor, on purpose: it is done beside the window.
    fn try_key(&mut self, key: Key) -> Task<Message> {
        if self.working {
            return Task::none();
        }
        self.working = true;
        let home = self.home.clone();
        Task::future(async move {
            let opened = tokio::task::spawn_blocking(move || {
                let home = Home::open(&home).map_err(|error| error.to_string())?;
                Secrets::open(&home, &key).map_err(|error| error.to_string())?;
                Ok(key)
            });
            Message::Opened(opened.await.unwrap_or_else(|error| Err(error.to_string())))
        })
    }

    /// The page.
    pub fn view(&self) -> Element<'_, Message> {
        let content: Element<'_, Message> = match &self.keyring {
            Some(why) => column![
                toned(why.as_str(), Tone::Attention),
                action(
                    "Ask the keyring again",
                    (!self.working).then_some(Message::Keyring)
                ),
            ]
            .spacing(space::M)
            .into(),
            None => {
                let field = text_input("Passphrase", &self.passphrase)
                    .secure(true)
                    .size(size::BODY)
                    .padding(space::S)
                    .style(theme::field(self.wrong.is_some()))
                    .on_input(Message::Typed)
                    .on_submit(Message::Open);
                let open = if self.working { "Opening …" } else { "Open" };
                column![field, action(open, (!self.working).then_some(Message::Open))]
                    .spacing(space::M)
                    .into()
            }
        };
        let lines = column![
            heading("Your identity is locked"),
            body("It is there, and so is your money. Nothing new is made over it."),
            content,
        ]
        .push(self.wrong.as_deref().map(|why| toned(why, Tone::Bad)))
        .push(caption(self.home.display().to_string()));
        center(card(lines.spacing(space::M)))
            .padding(space::L * 4.0)
            .into()
    }

    /// What can be done, for the keyboard.
    pub fn actions(&self) -> Vec<(String, Message)> {
        match &self.keyring {
            Some(_) => vec![("Ask the keyring again".to_owned(), Message::Keyring)],
            None => vec![("Open".to_owned(), Message::Open)],
        }
    }
}
