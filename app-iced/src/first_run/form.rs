//! What is typed and chosen, and the wish that it makes.
use autopilot_host::{
    config::Chain,
    secrets::SecretString,
    setup::{Choice, Field, Protect, Serve, SetupError, Wish, blocks_of},
};

use super::{Proposed, Protection};
use crate::words::msat_of;

/// The form.
#[derive(Clone, Default)]
pub struct Form {
    /// One of the networks, or nothing yet.
    pub network: String,
    /// The risks were read.
    pub risks_accepted: bool,
    /// How the identity is protected.
    pub protection: Protection,
    /// A passphrase.
    pub passphrase: String,
    /// And once more.
    pub again: String,
    /// Place of the chosen model in the list.
    pub model: Option<usize>,
    /// A model file of the person's own, which goes before the list.
    pub file: String,
    /// Relays, parted by commas or spaces.
    pub relays: String,
    /// Source of blocks; a Bitcoin Core of the command line is not typed.
    pub blocks: String,
    /// Peers, parted by commas or spaces.
    pub peers: String,
    /// Price in sats.
    pub price: String,
}

/// No passphrase is ever printed.
impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Form")
    }
}

fn parts(typed: &str) -> Vec<String> {
    let parts = typed.split([',', ' ', '\n']).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

impl Form {
    /// What is proposed.
    pub fn new(proposed: &Proposed, models: &[Choice]) -> Form {
        let price_msat = Wish::of("").price_msat;
        let mut form = Form {
            model: models.iter().position(|model| model.recommended),
            file: proposed
                .model
                .as_ref()
                .map_or_else(String::new, |path| path.display().to_string()),
            price: (price_msat / 1_000).to_string(),
            peers: proposed.peers.join(", "),
            ..Form::default()
        };
        form.choose_network(proposed.network.as_deref().unwrap_or_default(), proposed);
        form
    }

    /// Another network has other relays and another source of blocks.
    pub fn choose_network(&mut self, network: &str, proposed: &Proposed) {
        self.network = network.to_owned();
        self.relays = match proposed.relays.is_empty() {
            true => Wish::of(network).relays.join(", "),
            false => proposed.relays.join(", "),
        };
        self.blocks = match &proposed.blocks {
            Some(Chain::Esplora { url } | Chain::Electrum { url }) => url.clone(),
            _ => String::new(),
        };
    }

    /// Whether the command line named a Bitcoin Core, and nothing else was typed since.
    pub fn takes_bitcoind(&self, proposed: &Proposed) -> bool {
        self.blocks.trim().is_empty() && matches!(proposed.blocks, Some(Chain::Bitcoind { .. }))
    }

    /// The wish, or everything that stands against it.
    pub fn wish(&self, proposed: &Proposed, models: &[Choice]) -> Result<Wish, Vec<SetupError>> {
        let mut problems = Vec::new();
        let mut wrong = |field, sentence: String| problems.push(SetupError { field, sentence });
        let blocks = match self.takes_bitcoind(proposed) {
            true => proposed.blocks.clone(),
            false if self.blocks.trim().is_empty() => None,
            false => blocks_of(&self.blocks)
                .map_err(|error| wrong(error.field, error.sentence))
                .ok(),
        };
        let price_msat = msat_of(&self.price).unwrap_or_else(|words| {
            wrong(Field::Price, words.to_owned());
            0
        });
        if self.protection == Protection::Passphrase && self.passphrase != self.again {
            wrong(Field::Protection, "the two passphrases differ".to_owned());
        }
        let chosen = self.model.and_then(|place| models.get(place));
        let serve = match (self.file.trim(), chosen) {
            ("", Some(choice)) => choice.serve.clone(),
            ("", None) => Serve::Later,
            (path, _) => Serve::File(path.into()),
        };
        let wish = Wish {
            risks_accepted: self.risks_accepted,
            relays: parts(&self.relays),
            peers: parts(&self.peers),
            trusted_0conf: proposed.trusted_0conf.clone(),
            blocks,
            serve,
            price_msat,
            protect: match self.protection {
                Protection::Keyring => Protect::Keyring,
                Protection::Passphrase => Protect::Passphrase(SecretString::from(self.passphrase.clone())),
                Protection::Folder => Protect::Folder,
            },
            ..Wish::of(&self.network)
        };
        for problem in wish.problems() {
            if problems.iter().all(|known| known.field != problem.field) {
                problems.push(problem);
            }
        }
        match problems.is_empty() {
            true => Ok(wish),
            false => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_command_line() -> Proposed {
        Proposed {
            network: Some("regtest".into()),
            relays: vec!["ws://127.0.0.1:7000".into()],
            blocks: Some(Chain::Bitcoind {
                host: "127.0.0.1".into(),
                port: 18_443,
                user: "u".into(),
                password: "p".into(),
            }),
            ..Proposed::default()
        }
    }

    #[test]
    fn what_the_command_line_names_needs_no_typing() {
        let proposed = of_command_line();
        let wish = Form::new(&proposed, &[]).wish(&proposed, &[]).unwrap();
        assert_eq!((wish.network.as_str(), wish.price_msat), ("regtest", 10_000));
        assert_eq!((wish.relays, wish.blocks), (proposed.relays, proposed.blocks));
    }

    #[test]
    fn a_file_of_ones_own_goes_before_what_is_proposed() {
        let proposed = Proposed {
            model: Some("/none/of-the-command-line.gguf".into()),
            ..of_command_line()
        };
        let form = Form::new(&proposed, &[]);
        let problems = form.wish(&proposed, &[]).unwrap_err();
        assert_eq!(problems[0].field, Field::Model);
        assert!(problems[0].sentence.contains("of-the-command-line.gguf"));
        let here = Form {
            file: concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into(),
            ..form
        };
        let wish = here.wish(&proposed, &[]).unwrap();
        assert!(matches!(wish.serve, Serve::File(path) if path.ends_with("Cargo.toml")));
    }

    #[test]
    fn each_mistake_is_told_beside_its_field() {
        let proposed = Proposed::default();
        let form = Form {
            protection: Protection::Passphrase,
            passphrase: "correct horse battery".into(),
            again: "staple".into(),
            price: "ten".into(),
            relays: "relay.example".into(),
            blocks: "ftp://nothing".into(),
            peers: "me".into(),
            ..Form::new(&proposed, &[])
        };
        let problems = form.wish(&proposed, &[]).unwrap_err();
        let mut fields: Vec<_> = problems.iter().map(|problem| problem.field).collect();
        fields.sort();
        use Field::{Blocks, Network, Peers, Price, Protection as Protecting, Relays};
        assert_eq!(fields, [Network, Relays, Blocks, Peers, Price, Protecting]);
        let bitcoin = Form {
            network: "bitcoin".into(),
            ..form
        };
        let problems = bitcoin.wish(&proposed, &[]).unwrap_err();
        assert!(problems.iter().any(|problem| problem.field == Field::Risks));
    }
}
