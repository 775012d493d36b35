//! The first run: one page from nothing to a home that can earn. What is proposed can be taken as it is; every mistake is
//! told beside its field.
mod form;
mod view;

use std::path::PathBuf;

use autopilot_host::{
    config::Chain,
    secrets::Key,
    setup::{self, Choice, Field, Machine, NETWORKS, SetupError, Wish},
};
use iced::{Task, widget::operation};

pub use form::Form;

/// What the command line proposes for a new home.
#[derive(Clone, Debug, Default)]
pub struct Proposed {
    /// The network.
    pub network: Option<String>,
    /// Relays.
    pub relays: Vec<String>,
    /// The source of blocks.
    pub blocks: Option<Chain>,
    /// Peers of the wallet.
    pub peers: Vec<String>,
    /// Node ids whose channels are used before they are confirmed.
    pub trusted_0conf: Vec<String>,
    /// A model file.
    pub model: Option<PathBuf>,
}

/// The page.
#[derive(Debug)]
pub struct FirstRun {
    home: PathBuf,
    proposed: Proposed,
    form: Form,
    machine: Machine,
    models: Result<Vec<Choice>, String>,
    problems: Vec<SetupError>,
    working: bool,
}

/// What protects the identity, as it is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// The desktop's keyring.
    #[default]
    Keyring,
    /// A passphrase.
    Passphrase,
    /// The folder alone.
    Folder,
}

/// What can happen in it.
#[derive(Clone)]
pub enum Message {
    /// A network was chosen, by its place in the list.
    Network(usize),
    /// The risks of the real network were read, or not.
    Risks,
    /// Protection was chosen.
    Protect(Protection),
    /// A passphrase was typed.
    Passphrase(String),
    /// And once more.
    Again(String),
    /// A model was chosen, by its place in the list.
    Model(usize),
    /// A model file was typed.
    File(String),
    /// Relays were typed.
    Relays(String),
    /// A source of blocks was typed.
    Blocks(String),
    /// Peers were typed.
    Peers(String),
    /// A price was typed.
    Price(String),
    /// The keyboard goes to a field, by its name.
    Write(&'static str),
    /// Make the home.
    SetUp,
    /// It was made, or not.
    Prepared(Result<Key, SetupError>),
}

/// No passphrase is ever printed.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("first_run::Message")
    }
}

impl FirstRun {
    /// The page for a home folder, with what the command line proposes.
    pub fn new(home: PathBuf, proposed: Proposed) -> FirstRun {
        let machine = setup::machine(&home);
        let models = setup::models(&home, &machine).map_err(|error| error.to_string());
        let form = Form::new(&proposed, models.as_deref().unwrap_or_default());
        FirstRun {
            home,
            proposed,
            form,
            machine,
            models,
            problems: Vec::new(),
            working: false,
        }
    }

    /// Something happened; `Some`: the home is made.
    pub fn update(&mut self, message: Message) -> (Task<Message>, Option<Key>) {
        match message {
            Message::Network(place) => self
                .form
                .choose_network(NETWORKS[place % NETWORKS.len()], &self.proposed),
            Message::Risks => self.form.risks_accepted = !self.form.risks_accepted,
            Message::Protect(protection) => self.form.protection = protection,
            Message::Passphrase(typed) => self.form.passphrase = typed,
            Message::Again(typed) => self.form.again = typed,
            Message::Model(place) => {
                self.form.model = Some(place);
                self.form.file.clear();
            }
            Message::File(typed) => self.form.file = typed,
            Message::Relays(typed) => self.form.relays = typed,
            Message::Blocks(typed) => self.form.blocks = typed,
            Message::Peers(typed) => self.form.peers = typed,
            Message::Price(typed) => self.form.price = typed,
            Message::Write(field) => return (operation::focus(field), None),
            Message::SetUp => return (self.set_up(), None),
            Message::Prepared(Ok(key)) => return (Task::none(), Some(key)),
            Message::Prepared(Err(problem)) => {
                self.working = false;
                self.problems = vec![problem];
                return (Task::none(), None);
            }
        }
        // What was wrong is looked at anew with every change, and nothing is called wrong before it was tried.
        if !self.problems.is_empty() {
            self.problems = self.wish().err().unwrap_or_default();
        }
        (Task::none(), None)
    }

    fn wish(&self) -> Result<Wish, Vec<SetupError>> {
        self.form
            .wish(&self.proposed, self.models.as_deref().unwrap_or_default())
    }

    /// Makes the home, beside the window: sealing an identity takes a second of a processor.
    fn set_up(&mut self) -> Task<Message> {
        if self.working {
            return Task::none();
        }
        let wish = match self.wish() {
            Ok(wish) => wish,
            Err(problems) => {
                self.problems = problems;
                return Task::none();
            }
        };
        self.working = true;
        self.problems = Vec::new();
        let home = self.home.clone();
        Task::future(async move {
            let made = tokio::task::spawn_blocking(move || setup::prepare(&home, wish)).await;
            Message::Prepared(match made {
                Ok(made) => made.map(|made| made.key),
                Err(error) => Err(SetupError {
                    field: Field::Home,
                    sentence: error.to_string(),
                }),
            })
        })
    }

    /// What can be done, for the keyboard.
    pub fn actions(&self) -> Vec<(String, Message)> {
        let mut actions = vec![("Set up".to_owned(), Message::SetUp)];
        for (place, network) in NETWORKS.iter().enumerate() {
            actions.push((format!("Network: {network}"), Message::Network(place)));
        }
        if self.form.network == "bitcoin" {
            actions.push(("I have read what can happen".to_owned(), Message::Risks));
        }
        for (name, protection) in view::PROTECTIONS {
            actions.push((format!("Protect by: {name}"), Message::Protect(protection)));
        }
        for (place, model) in self.models.iter().flatten().enumerate() {
            actions.push((format!("Model: {}", model.name), Message::Model(place)));
        }
        let secrets = match self.form.protection {
            Protection::Passphrase => [view::PASSPHRASE, view::AGAIN].as_slice(),
            _ => &[],
        };
        let fields = [view::FILE, view::PRICE, view::RELAYS, view::BLOCKS, view::PEERS];
        for field in fields.iter().chain(secrets) {
            actions.push((format!("Write into: {field}"), Message::Write(field)));
        }
        actions
    }
}
