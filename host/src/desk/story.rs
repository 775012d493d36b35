//! Ledgers in memory, written by the deciders alone, for tests of what is said over them.
use std::collections::HashMap;

use autopilot_core::{
    Engine, Input,
    input::{Command, Outcome, Readiness, Request, WalletInput, Worked},
    policy::default_policy,
    ports::market::MARKET_NIP90,
};
use autopilot_events::{
    Head,
    pb::{self, Purpose},
    words::{EventId, JobId, MessageId, Msat, PaymentHash, ThreadId},
};
use autopilot_projections::State;

use super::Setting;
use crate::specimens;

/// When every story happens.
pub(super) const NOON_MS: i64 = 1_800_000_000_000;
/// What a job costs in them.
pub(super) const PRICE_MSAT: u64 = 1_000;

/// A ledger in memory, written by the deciders alone.
pub(super) struct Story {
    pub(super) engine: Engine,
    versions: HashMap<String, u64>,
    pub(super) setting: Setting,
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

pub(super) fn figures(spendable_msat: u64, channels: u32) -> Input {
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
    pub(super) fn new() -> Story {
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
    pub(super) fn provider() -> Story {
        let mut story = Story::new();
        (story.setting.relays, story.setting.serves) = (2, true);
        story.hand_in(Input::Person(Command::SetPolicy(default_policy(PRICE_MSAT))));
        story.hand_in(figures(100_000, 1));
        story.hand_in(Input::Readiness(fine()));
        story
    }

    pub(super) fn online() -> Story {
        let mut story = Story::provider();
        story.hand_in(Input::Person(Command::GoOnline { run_id: vec![5; 16] }));
        story
    }

    /// A job is here, and the model is at it.
    pub(super) fn working() -> Story {
        let mut story = Story::online();
        story.hand_in(Input::Request(Request {
            bid: Some(Msat(2_000)),
            input_bytes: 100,
            text: "Say yes.".to_owned(),
            body: body(),
            ..specimens::request(1, 1, NOON_MS)
        }));
        story
    }

    /// The same job, paid.
    pub(super) fn paid() -> Story {
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
    pub(super) fn buying() -> Story {
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

    /// A message waits for the model.
    pub(super) fn asked(mut self) -> Story {
        let message = MessageId([6; 32]);
        let asked = pb::ChatAsked {
            thread_id: ThreadId::begun_by(&message).to_vec(),
            message_id: message.to_vec(),
            text: Some(body()),
            ..pb::ChatAsked::default()
        };
        self.hand_in(Input::Person(Command::Ask { asked, begins: true }));
        self
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

    pub(super) fn with(mut self, change: impl FnOnce(&mut Readiness)) -> Story {
        let mut readiness = self.engine.readiness().clone();
        change(&mut readiness);
        self.hand_in(Input::Readiness(readiness));
        self
    }

    pub(super) fn set(mut self, change: impl FnOnce(&mut Setting)) -> Story {
        change(&mut self.setting);
        self
    }

    pub(super) fn done(mut self, input: Input) -> Story {
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

/// A critical fact of a newer program: the ledger is read-only from then on.
pub(super) fn read_only() -> Story {
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
