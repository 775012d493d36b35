//! What the page shows.
use autopilot_host::setup::{Choice, Field, From, NETWORKS, RISKS};
use iced::{
    Alignment, Length,
    widget::{Column, center_x, column, container, row, scrollable, text_input},
};

use super::{FirstRun, Message, Protection};
use crate::{
    design::{
        Element, Sheet, Tone, action, body, caption, card, choice, field, flow, heading, hero, size, space,
        theme, toned,
    },
    words::{gib, machine},
};

/// What protects an identity, as it is called.
pub(super) const PROTECTIONS: [(&str, Protection); 3] = [
    ("this desktop's keyring", Protection::Keyring),
    ("a passphrase", Protection::Passphrase),
    ("the folder alone", Protection::Folder),
];

/// Servers that anybody may ask for blocks, by network: they learn which addresses are asked for.
const PUBLIC_BLOCKS: [(&str, &str); 3] = [
    ("bitcoin", "https://blockstream.info/api"),
    ("testnet", "https://blockstream.info/testnet/api"),
    ("signet", "https://mempool.space/signet/api"),
];

/// The names of the fields, by which the keyboard finds them too.
pub(super) const FILE: &str = "Or a model file of your own (GGUF)";
pub(super) const PRICE: &str = "Price of a job (sats)";
pub(super) const PASSPHRASE: &str = "Passphrase";
pub(super) const AGAIN: &str = "Once more";
pub(super) const RELAYS: &str = "Relays: where jobs come from";
pub(super) const BLOCKS: &str = "Source of blocks";
pub(super) const PEERS: &str = "Peers that open channels to you (may come later)";

impl FirstRun {
    /// The page.
    pub fn view(&self) -> Element<'_, Message> {
        let start = match self.working {
            true => action("Setting up …", None),
            false => action("Set up", Some(Message::SetUp)),
        };
        let against = (!self.problems.is_empty())
            .then(|| toned("Something is missing: it is told above, in red", Tone::Bad));
        let lines = column![
            hero("Earn with this machine", Tone::Accent),
            body("Jobs come over the network, a model on this machine works on them, and sats come to a wallet that is yours alone."),
            self.network(),
            self.model(),
            self.protection(),
            self.connections(),
            row![start].push(against).spacing(space::M).align_y(Alignment::Center),
            caption("Next: the wallet starts, it is checked what you can receive, and one button goes online."),
        ]
        .spacing(space::M)
        .max_width(820.0)
        .padding(space::L);
        scrollable(Sheet::new(center_x(lines)))
            .height(Length::Fill)
            .into()
    }

    /// What is wrong with a field.
    fn wrong(&self, field: Field) -> Option<&str> {
        let mut problems = self.problems.iter();
        problems
            .find(|problem| problem.field == field)
            .map(|problem| problem.sentence.as_str())
    }

    fn told(&self, field: Field) -> Option<Element<'_, Message>> {
        self.wrong(field).map(|words| toned(words, Tone::Bad).into())
    }

    fn network(&self) -> Element<'_, Message> {
        let networks = NETWORKS.iter().enumerate().map(|(place, name)| {
            let words = match *name {
                "bitcoin" => "bitcoin: real sats",
                "regtest" => "regtest: a world of your own, sats without value",
                "signet" => "signet: for trying, sats without value",
                name => name,
            };
            pick(words, self.form.network == *name, Message::Network(place))
        });
        let risks = (self.form.network == "bitcoin").then(|| {
            column![
                toned(RISKS, Tone::Attention),
                pick(
                    "I have read this, and want it so",
                    self.form.risks_accepted,
                    Message::Risks
                ),
            ]
            .spacing(space::S)
        });
        card(
            column![heading("Which network?"), flow(networks.collect())]
                .push(risks)
                .push(self.told(Field::Network))
                .push(self.told(Field::Risks))
                .spacing(space::S),
        )
    }

    fn model(&self) -> Element<'_, Message> {
        let found = &self.machine;
        let found = caption(machine(
            &found.cpu,
            found.cores,
            found.memory_bytes,
            found.disk_bytes,
        ));
        let models: Element<'_, Message> = match &self.models {
            Ok(models) => Column::with_children(
                models
                    .iter()
                    .enumerate()
                    .map(|(place, model)| self.one(place, model)),
            )
            .spacing(space::XS)
            .into(),
            Err(words) => toned(words.as_str(), Tone::Bad).into(),
        };
        let file = field(
            FILE,
            &self.form.file,
            "/path/to/model.gguf",
            self.wrong(Field::Model),
            Message::File,
        );
        let price = field(
            PRICE,
            &self.form.price,
            "10",
            self.wrong(Field::Price),
            Message::Price,
        );
        card(
            column![
                heading("Which model works?"),
                found,
                models,
                file,
                container(price).max_width(240.0)
            ]
            .spacing(space::S),
        )
    }

    fn one<'a>(&'a self, place: usize, model: &'a Choice) -> Element<'a, Message> {
        let source = match &model.from {
            From::Here(_) => "on this machine".to_owned(),
            From::Fetch { licence } => format!("{} to fetch, {licence}", gib(model.bytes)),
            From::Server(url) => url.clone(),
        };
        let recommended = model
            .recommended
            .then(|| toned("fits this machine best", Tone::Good));
        let against = model.why_not.as_deref().map(caption);
        let chosen = self.form.model == Some(place) && self.form.file.trim().is_empty();
        row![pick(&model.name, chosen, Message::Model(place)), caption(source)]
            .push(recommended)
            .push(against)
            .spacing(space::S)
            .align_y(Alignment::Center)
            .wrap()
            .into()
    }

    fn protection(&self) -> Element<'_, Message> {
        let ways =
            PROTECTIONS.map(|(name, way)| pick(name, self.form.protection == way, Message::Protect(way)));
        let more: Element<'_, Message> = match self.form.protection {
            Protection::Keyring => caption("Opens by itself while you are logged in.").into(),
            Protection::Folder => toned("Whoever can read the folder has your sats.", Tone::Attention).into(),
            Protection::Passphrase => {
                let secret = |name: &'static str, value: &str, on_input: fn(String) -> Message| {
                    let input = text_input("", value)
                        .id(name)
                        .secure(true)
                        .size(size::BODY)
                        .padding(space::S)
                        .style(theme::field(false))
                        .on_input(on_input);
                    column![caption(name), input].spacing(space::XS).width(280.0)
                };
                row![
                    secret(PASSPHRASE, &self.form.passphrase, Message::Passphrase),
                    secret(AGAIN, &self.form.again, Message::Again),
                ]
                .spacing(space::M)
                .into()
            }
        };
        card(
            column![heading("Who may open your wallet?"), flow(ways.into()), more]
                .push(self.told(Field::Protection))
                .spacing(space::S),
        )
    }

    fn connections(&self) -> Element<'_, Message> {
        let form = &self.form;
        let relays = field(
            RELAYS,
            &form.relays,
            "wss://…",
            self.wrong(Field::Relays),
            Message::Relays,
        );
        let hint = match form.takes_bitcoind(&self.proposed) {
            true => "the Bitcoin Core of the command line",
            false => "https://… of Esplora, or ssl://host:port of Electrum",
        };
        let blocks = field(
            BLOCKS,
            &form.blocks,
            hint,
            self.wrong(Field::Blocks),
            Message::Blocks,
        );
        let public = PUBLIC_BLOCKS.iter().find(|(network, _)| *network == form.network);
        let public = public.filter(|(_, url)| form.blocks != *url).map(|(_, url)| {
            row![
                choice(format!("Take {url}"), Some(Message::Blocks((*url).to_owned()))),
                caption("it learns which addresses are yours")
            ]
            .spacing(space::S)
            .align_y(Alignment::Center)
        });
        let peers = field(
            PEERS,
            &form.peers,
            "node-id@host:port",
            self.wrong(Field::Peers),
            Message::Peers,
        );
        card(
            column![heading("Who is it connected to?"), relays, blocks]
                .push(public)
                .push(peers)
                .push(self.told(Field::Home))
                .spacing(space::S),
        )
    }
}

/// Something that is chosen, or not.
fn pick<'a>(name: &'a str, chosen: bool, message: Message) -> Element<'a, Message> {
    let words = match chosen {
        true => format!("● {name}"),
        false => format!("○ {name}"),
    };
    choice(words, Some(message))
}
