use std::collections::{BTreeMap, BTreeSet, HashMap};

use autopilot_core::{
    Input,
    input::{Command, Outcome, Request, WalletInput, Worked},
    policy::default_policy,
    ports::market::MARKET_NIP90,
};
use autopilot_events::{
    Head,
    pb::{self, Purpose},
    words::{EventId, JobId, PaymentHash, PublicKey},
};
use autopilot_projections::State;

use super::*;
use crate::tailnet::{Device, Seen};

const NOON_MS: i64 = 1_800_000_000_000;
const PRICE_MSAT: u64 = 1_000;

/// A ledger in memory, written by the deciders alone.
struct Story {
    engine: Engine,
    versions: HashMap<String, u64>,
    setting: Setting,
}

fn body() -> pb::BodyRef {
    pb::BodyRef {
        ciphertext_digest: vec![1; 32],
        size: 100,
        commitment: vec![2; 32],
        subject: "job/x".to_owned(),
    }
}

fn fine() -> Readiness {
    Readiness {
        model: Some("llama".to_owned()),
        receivable: Msat(1_000_000),
        relays_connected: 2,
        ..Readiness::default()
    }
}

fn figures(spendable_msat: u64, channels: u32) -> Input {
    Input::Wallet(WalletInput::Balances(pb::WalletBalanceObserved {
        spendable_msat,
        receivable_msat: 1_000_000,
        channels,
        channels_usable: channels,
        ..pb::WalletBalanceObserved::default()
    }))
}

impl Story {
    /// A home that was just made: an identity, and nothing else.
    fn new() -> Story {
        let mut story = Story {
            engine: Engine::new(Head::empty(), State::default()),
            versions: HashMap::new(),
            setting: Setting::default(),
        };
        story.hand_in(Input::Person(Command::OpenLedger(pb::LedgerOpened {
            ledger_id: vec![9; 16],
            network: "regtest".to_owned(),
            identity: vec![0xEE; 32],
            program: "tests".to_owned(),
        })));
        story
    }

    /// A provider with model, relays and money, offline.
    fn provider() -> Story {
        let mut story = Story::new();
        (story.setting.relays, story.setting.serves) = (2, true);
        story.hand_in(Input::Person(Command::SetPolicy(default_policy(PRICE_MSAT))));
        story.hand_in(figures(100_000, 1));
        story.hand_in(Input::Readiness(fine()));
        story
    }

    fn online() -> Story {
        let mut story = Story::provider();
        story.hand_in(Input::Person(Command::GoOnline { run_id: vec![5; 16] }));
        story
    }

    /// A job is here, and the model is at it.
    fn working() -> Story {
        let mut story = Story::online();
        story.hand_in(Input::Request(Request {
            native_id: EventId([1; 32]),
            requester: PublicKey([1; 32]),
            kind: 5050,
            bid: Some(Msat(2_000)),
            created_at_s: NOON_MS / 1_000,
            ttl_s: 60,
            targeted: false,
            open: true,
            encrypted: false,
            input_bytes: 100,
            inputs: 1,
            remote_inputs: 0,
            result_room_bytes: 40_000,
            model: None,
            unreadable: String::new(),
            max_tokens: None,
            text: "Say yes.".to_owned(),
            topics: Vec::new(),
            refund_offer: String::new(),
            body: body(),
            relay: "wss://one".to_owned(),
        }));
        story
    }

    /// The same job, paid.
    fn paid() -> Story {
        let mut story = Story::working();
        let job = JobId::derive(MARKET_NIP90, &[1; 32]);
        story.hand_in(Input::Worked(Worked {
            job,
            attempt: 1,
            outcome: Outcome::Done {
                receipt: Box::default(),
                output: body(),
            },
        }));
        story.hand_in(Input::Invoiced(pb::InvoiceIssued {
            job_id: job.to_vec(),
            payment_hash: vec![4; 32],
            bolt11: "lnbcrt1".to_owned(),
            amount_msat: PRICE_MSAT,
            expires_at_ms: NOON_MS + 3_600_000,
            pay_first: false,
        }));
        story.hand_in(signed(job, Purpose::Result));
        story.hand_in(Input::Published {
            event_id: EventId([0x81; 32]),
            accepted: 1,
            tried: 1,
        });
        let payment = pb::WalletPaymentReceived {
            payment_id: vec![4; 32],
            payment_hash: PaymentHash([4; 32]).to_vec(),
            amount_msat: PRICE_MSAT,
            settled_at_ms: NOON_MS + 5_000,
            ..pb::WalletPaymentReceived::default()
        };
        story.hand_in(Input::Wallet(WalletInput::Received { payment, bound: None }));
        story
    }

    /// A purchase of our own is open.
    fn buying() -> Story {
        let mut story = Story::provider();
        let purchase = JobId::derive(MARKET_NIP90, &[3; 32]);
        let Input::Signed(event) = signed(purchase, Purpose::Request) else {
            unreachable!()
        };
        let terms = pb::PurchaseRequested {
            purchase_id: purchase.to_vec(),
            native_id: vec![3; 32],
            kind: 5050,
            budget_msat: 5_000,
            fee_ceiling_msat: 100,
            deadline_ms: NOON_MS + 60_000,
            ..pb::PurchaseRequested::default()
        };
        story.hand_in(Input::Person(Command::Buy { terms, event }));
        story
    }

    fn hand_in(&mut self, input: Input) {
        let drafts = self.engine.decide(input, NOON_MS).unwrap();
        let versions = &self.versions;
        let version = |stream: &str| versions.get(stream).copied().unwrap_or(0);
        let facts = self.engine.record(drafts, version, NOON_MS);
        for fact in facts {
            *self.versions.entry(fact.fact.stream).or_default() += 1;
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Readiness)) -> Story {
        let mut readiness = self.engine.readiness().clone();
        change(&mut readiness);
        self.hand_in(Input::Readiness(readiness));
        self
    }

    fn set(mut self, change: impl FnOnce(&mut Setting)) -> Story {
        change(&mut self.setting);
        self
    }

    fn done(mut self, input: Input) -> Story {
        self.hand_in(input);
        self
    }
}

fn signed(job: JobId, purpose: Purpose) -> Input {
    Input::Signed(pb::EventSigned {
        event_id: vec![0x81; 32],
        purpose: purpose as i32,
        job_id: job.to_vec(),
        kind: 7000,
        event: Some(body()),
        deadline_ms: NOON_MS + 600_000,
        about: Vec::new(),
        relays: Vec::new(),
    })
}

fn no_wallet(readiness: &mut Readiness) {
    readiness.receivable = Msat::ZERO;
    readiness.wallet_problem = Some("the wallet does not start: no blocks".to_owned());
}

fn no_channel(readiness: &mut Readiness) {
    readiness.receivable = Msat::ZERO;
    readiness.wallet_problem = Some("the wallet has no channel: a peer has to open one to it".to_owned());
}

fn no_relay(readiness: &mut Readiness) {
    readiness.relays_connected = 0;
}

fn no_model(readiness: &mut Readiness) {
    readiness.model = None;
    readiness.model_problem = Some("the model file is damaged: pull it again".to_owned());
}

fn bad_ledger(readiness: &mut Readiness) {
    readiness.ledger_problem = Some("the ledger does not hold: restore it".to_owned());
}

fn seen(state: &str) -> Tailnet {
    Tailnet::Seen(Seen {
        name: "home".to_owned(),
        state: state.to_owned(),
        devices: vec![Device {
            online: true,
            ..Device::default()
        }],
    })
}

/// A critical fact of a newer program: the ledger is read-only from then on.
fn read_only() -> Story {
    let mut story = Story::provider();
    let backup = pb::IdentityBackedUp {
        to: "screen".to_owned(),
    };
    let drafts = story
        .engine
        .decide(Input::Person(Command::NoteBackup(backup)), NOON_MS)
        .unwrap();
    let mut facts = story.engine.clone().record(drafts, |_| 1, NOON_MS);
    let mut fact = facts.remove(0);
    fact.event = autopilot_events::Event::Unknown {
        kind: "future.fact".to_owned(),
        version: 1,
    };
    (fact.fact.r#type, fact.fact.critical) = ("future.fact".to_owned(), true);
    story.engine.replay(&fact);
    story
}

/// Each pane in each state that it can have: the state, a word of the sentence, and the ledger behind it.
fn cases() -> Vec<(Pane, Kind, &'static str, Story)> {
    use Kind::*;
    vec![
        (Pane::AutopilotChat, Empty, "No model is chosen", Story::new()),
        (Pane::AutopilotChat, Empty, "There is no agent", Story::provider()),
        (
            Pane::AutopilotChat,
            Empty,
            "being loaded",
            Story::provider().with(|r| r.model = None),
        ),
        (
            Pane::AutopilotChat,
            Error,
            "damaged",
            Story::provider().with(no_model),
        ),
        (Pane::GoOnline, Empty, "no price", Story::new()),
        (Pane::GoOnline, Ready, "go online", Story::provider()),
        (Pane::GoOnline, Ready, "Online", Story::online()),
        (
            Pane::GoOnline,
            Error,
            "No relay",
            Story::provider().with(no_relay),
        ),
        (
            Pane::GoOnline,
            Error,
            "and 1 more",
            Story::online().with(no_relay).with(no_wallet),
        ),
        (Pane::ProviderStatus, Empty, "offers no work", Story::new()),
        (Pane::ProviderStatus, Empty, "never online", Story::provider()),
        (Pane::ProviderStatus, Ready, "Online and healthy", Story::online()),
        (
            Pane::ProviderStatus,
            Ready,
            "Offline",
            Story::paid().done(Input::Person(Command::GoOffline {
                reason: String::new(),
            })),
        ),
        (
            Pane::ProviderStatus,
            Error,
            "No relay",
            Story::online().with(no_relay),
        ),
        (Pane::TailnetStatus, Empty, "not looked at", Story::new()),
        (
            Pane::TailnetStatus,
            Empty,
            "not installed",
            Story::new().set(|s| s.tailnet = Tailnet::NotInstalled),
        ),
        (
            Pane::TailnetStatus,
            Empty,
            "stopped",
            Story::new().set(|s| s.tailnet = seen("Stopped")),
        ),
        (
            Pane::TailnetStatus,
            Ready,
            "One device in home, 1 online",
            Story::new().set(|s| s.tailnet = seen("Running")),
        ),
        (
            Pane::TailnetStatus,
            Error,
            "Earning goes on",
            Story::online().set(|s| s.tailnet = Tailnet::Trouble("it hangs".to_owned())),
        ),
        (Pane::JobInbox, Empty, "No relay is configured", Story::new()),
        (Pane::JobInbox, Empty, "No request came", Story::provider()),
        (Pane::JobInbox, Empty, "No request came", Story::online()),
        (Pane::JobInbox, Ready, "One request", Story::working()),
        (
            Pane::JobInbox,
            Error,
            "No relay is connected",
            Story::online().with(no_relay),
        ),
        (Pane::ActiveJob, Empty, "No job", Story::provider()),
        (Pane::ActiveJob, Empty, "No job", Story::online()),
        (Pane::ActiveJob, Ready, "One job is", Story::working()),
        (
            Pane::ActiveJob,
            Ready,
            "being loaded",
            Story::working().with(|r| r.model = None),
        ),
        (Pane::ActiveJob, Error, "damaged", Story::working().with(no_model)),
        (Pane::JobHistory, Empty, "No job", Story::online()),
        (Pane::JobHistory, Ready, "One job was", Story::paid()),
        (Pane::EarningsScoreboard, Empty, "No sats", Story::working()),
        (Pane::EarningsScoreboard, Ready, "1 jobs", Story::paid()),
        (Pane::Wallet, Empty, "no channel", Story::new().with(no_channel)),
        (Pane::Wallet, Ready, "can be spent", Story::provider()),
        (
            Pane::Wallet,
            Error,
            "does not start",
            Story::provider().with(no_wallet),
        ),
        (
            Pane::PayInvoice,
            Empty,
            "nothing to spend",
            Story::new().with(no_channel),
        ),
        (
            Pane::PayInvoice,
            Empty,
            "nothing to spend",
            Story::provider().done(figures(0, 1)),
        ),
        (Pane::PayInvoice, Ready, "can be sent", Story::provider()),
        (
            Pane::PayInvoice,
            Error,
            "does not start",
            Story::provider().with(no_wallet),
        ),
        (
            Pane::PayInvoice,
            Error,
            "does not start",
            Story::new().with(no_wallet),
        ),
        (
            Pane::CreateInvoice,
            Empty,
            "Nothing can be received",
            Story::new().with(no_channel),
        ),
        (Pane::CreateInvoice, Ready, "can be received", Story::provider()),
        (
            Pane::CreateInvoice,
            Error,
            "does not start",
            Story::provider().with(no_wallet),
        ),
        (Pane::IdentityKeys, Ready, "never backed up", Story::new()),
        (
            Pane::IdentityKeys,
            Ready,
            "were backed up",
            Story::new().done(Input::Person(Command::NoteBackup(pb::IdentityBackedUp {
                to: "screen".to_owned(),
            }))),
        ),
        (
            Pane::RelayConnections,
            Empty,
            "No relay is configured",
            Story::new(),
        ),
        (Pane::RelayConnections, Ready, "2 of 2", Story::provider()),
        (
            Pane::RelayConnections,
            Error,
            "No relay is connected",
            Story::provider().with(no_relay),
        ),
        (Pane::SyncHealth, Empty, "not synced", Story::online()),
        (
            Pane::NetworkRequests,
            Empty,
            "Nothing was bought",
            Story::provider(),
        ),
        (
            Pane::NetworkRequests,
            Ready,
            "One request is open",
            Story::buying(),
        ),
        (
            Pane::NetworkRequests,
            Error,
            "No relay is connected",
            Story::buying().with(no_relay),
        ),
        (Pane::StarterJobs, Empty, "No Nexus", Story::online()),
        (Pane::ActivityFeed, Ready, "One fact is", Story::new()),
        (
            Pane::ActivityFeed,
            Error,
            "does not hold",
            Story::online().with(bad_ledger),
        ),
        (Pane::AlertsRecovery, Empty, "Nothing is wrong", Story::new()),
        (Pane::AlertsRecovery, Empty, "Nothing is wrong", Story::online()),
        (
            Pane::AlertsRecovery,
            Ready,
            "No relay is connected",
            Story::online().with(no_relay),
        ),
        (Pane::Settings, Ready, "takes effect", Story::provider()),
        (Pane::Settings, Error, "read-only", read_only()),
    ]
}

/// The states that each pane can have.
fn possible(pane: Pane) -> BTreeSet<&'static str> {
    let states: &[Kind] = match pane {
        Pane::SyncHealth | Pane::StarterJobs => &[Kind::Empty],
        Pane::AutopilotChat => &[Kind::Empty, Kind::Error],
        Pane::JobHistory | Pane::EarningsScoreboard | Pane::AlertsRecovery => &[Kind::Ready, Kind::Empty],
        Pane::ActivityFeed | Pane::Settings | Pane::IdentityKeys => &[Kind::Ready, Kind::Error],
        _ => &[Kind::Ready, Kind::Empty, Kind::Error],
    };
    states.iter().map(|kind| kind.name()).collect()
}

#[test]
fn every_pane_in_every_state_that_it_can_have() {
    let mut met: BTreeMap<Pane, BTreeSet<&str>> = BTreeMap::new();
    for (pane, kind, words, story) in cases() {
        let standing = standing(pane, &story.engine, &story.setting, NOON_MS);
        assert_eq!(standing.kind, kind, "{pane:?}: {standing:?}");
        assert!(
            standing.sentence.contains(words),
            "{pane:?} {words:?}: {standing:?}"
        );
        met.entry(pane).or_default().insert(kind.name());
    }
    for pane in Pane::ALL {
        assert_eq!(met.get(pane), Some(&possible(*pane)), "{pane:?}");
    }
}

#[test]
fn every_answer_is_whole_over_every_ledger() {
    for (_, _, _, story) in cases() {
        let can_earn = story.engine.standing(NOON_MS).can_earn();
        for pane in Pane::ALL {
            let said = standing(*pane, &story.engine, &story.setting, NOON_MS);
            assert!(
                said.sentence.ends_with('.') && !said.sentence.contains(".."),
                "{pane:?}: {said:?}"
            );
            assert!(possible(*pane).contains(said.kind.name()), "{pane:?}: {said:?}");
            if said.kind == Kind::Error {
                assert!(!said.next.is_empty(), "{pane:?}: {said:?}");
                assert_eq!(
                    said.sentence.contains("Earning goes on"),
                    can_earn,
                    "{pane:?}: {said:?}"
                );
            }
        }
    }
}
