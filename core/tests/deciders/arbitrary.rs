//! Arbitrary steps: what strangers, the wallet, relays, people and a faulty clock may do, in any order.
use autopilot_core::{
    Input,
    input::{AnswerKind, Bill, Command, OfferedRefund, Readiness, Request},
    offers::Offer,
};
use autopilot_events::{
    pb::{self, Purpose},
    words::{Msat, PaymentHash, PublicKey},
};
use proptest::prelude::*;

use crate::{
    carried::carry,
    given::{
        answer, bill, buy, cancelled, done, failed, hash, invoiced, job, not_sent, policy, published,
        purchase, ready, received, request, sent, signed, spendable,
    },
    ledger::Ledger,
    said::{ask, stop_answer},
};

/// One step of a history. Numbers are small, so that they meet.
#[derive(Clone, Debug)]
pub enum Step {
    /// Any input at all, sensible or not; times in it count from now.
    Any(Any),
    /// One piece of outstanding work is done as it should be, or fails.
    Carry { which: prop::sample::Index, well: bool },
    /// The clock moves, ahead or back, and ticks.
    Clock(i64),
    /// Killed, and started from a snapshot taken after some of the facts.
    Restart(prop::sample::Index),
}

/// An input before it is dated.
#[derive(Clone, Debug)]
pub enum Any {
    Request {
        n: u8,
        buyer: u8,
        bid: Option<u64>,
        ttl_s: u32,
        age_s: i64,
        targeted: bool,
        kind: u32,
    },
    Cancel(u8, u8),
    Worked(u8, u32, Option<bool>),
    Invoiced(u8, u8),
    Signed(u8, i32),
    Published(u8, i32, u32),
    Received(u8, u64),
    Sent(u8, u64),
    NotSent(u8),
    Balance(u64),
    Ready(bool, u64),
    Answer {
        n: u8,
        provider: u8,
        event: u8,
        kind: u8,
        bill: Option<(u8, u64, bool)>,
    },
    Buy {
        n: u8,
        budget: u64,
        first: u64,
    },
    CancelPurchase(u8),
    Pay(u8, u64),
    Abort(u8),
    Online(bool),
    Limits(u32, u64),
    /// A message of a number, in the conversation that another one begins, with one of two texts.
    Ask(u8, Option<u8>, bool),
    StopAnswer(u8),
}

fn any_input() -> impl Strategy<Value = Any> {
    let n = || 0_u8..6;
    let bid = prop_oneof![Just(None), Just(Some(2_000)), Just(Some(999))];
    let request = (
        n(),
        0_u8..3,
        bid,
        0_u32..120,
        -700_i64..700,
        any::<bool>(),
        0_u8..8,
    )
        .prop_map(|(n, buyer, bid, ttl_s, age_s, targeted, kind)| Any::Request {
            n,
            buyer,
            bid,
            ttl_s,
            // Mostly in time.
            age_s: if age_s % 3 == 0 { age_s } else { age_s % 10 },
            targeted,
            kind: if kind == 0 { 5999 } else { 5050 },
        });
    let bill = prop::option::of((
        n(),
        prop_oneof![Just(4_000_u64), Just(0), 0..9_000_u64],
        any::<bool>(),
    ));
    let answer =
        (n(), 0_u8..4, 0_u8..30, 0_u8..6, bill).prop_map(|(n, provider, event, kind, bill)| Any::Answer {
            n,
            provider,
            event,
            kind,
            bill,
        });
    prop_oneof![
        4 => request,
        1 => (n(), 0_u8..3).prop_map(|(n, author)| Any::Cancel(n, author)),
        2 => (n(), 0_u32..5, prop::option::of(any::<bool>())).prop_map(|(n, a, o)| Any::Worked(n, a, o)),
        2 => (n(), n()).prop_map(|(n, hash)| Any::Invoiced(n, hash)),
        2 => (n(), 0_i32..9).prop_map(|(n, purpose)| Any::Signed(n, purpose)),
        2 => (n(), 1_i32..8, 0_u32..3).prop_map(|(n, purpose, accepted)| Any::Published(n, purpose, accepted)),
        3 => (n(), prop_oneof![Just(1_000_u64), 1..5_000_u64]).prop_map(|(n, msat)| Any::Received(n, msat)),
        2 => (n(), prop_oneof![Just(4_000_u64), 1..5_000_u64]).prop_map(|(n, msat)| Any::Sent(n, msat)),
        1 => n().prop_map(Any::NotSent),
        1 => (0_u64..50_000).prop_map(Any::Balance),
        1 => (any::<bool>(), 0_u64..5_000).prop_map(|(model, msat)| Any::Ready(model, msat)),
        4 => answer,
        2 => (n(), 0_u64..9_000, 0_u64..9_000).prop_map(|(n, budget, first)| Any::Buy { n, budget, first }),
        1 => n().prop_map(Any::CancelPurchase),
        1 => (n(), 0_u64..9_000).prop_map(|(n, msat)| Any::Pay(n, msat)),
        1 => n().prop_map(Any::Abort),
        2 => prop::bool::weighted(0.8).prop_map(Any::Online),
        2 => (n(), prop::option::of(n()), prop::bool::weighted(0.9)).prop_map(|(n, in_of, text)| Any::Ask(n, in_of, text)),
        1 => n().prop_map(Any::StopAnswer),
        1 => (1_u32..5, 0_u64..40).prop_map(|(flight, intake)| Any::Limits(flight, intake)),
    ]
}

/// Steps as they come in a bad week.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any_input().prop_map(Step::Any),
        8 => (any::<prop::sample::Index>(), prop::bool::weighted(0.8)).prop_map(|(which, well)| Step::Carry { which, well }),
        1 => prop_oneof![-7_200_000_i64..0, 0..70_000_i64, 0..8_000_000_i64].prop_map(Step::Clock),
        1 => any::<prop::sample::Index>().prop_map(Step::Restart),
    ];
    prop::collection::vec(step, 1..120)
}

/// Purchases have numbers of their own: a request is bought or served, not both.
fn bought(n: u8) -> u8 {
    100 + n
}

/// Hashes of what we are asked to pay.
fn theirs(n: u8) -> PaymentHash {
    hash(50 + n)
}

/// Hash of the invoice that the wallet makes for a job; `Any` knows others too.
pub fn own(n: u8) -> PaymentHash {
    hash(20 + n)
}

fn input(any: &Any, now_ms: i64) -> Input {
    let theirs_bill = |n: u8, msat: u64, fits: bool| Bill {
        payment_hash: theirs(n),
        amount: (msat > 0).then_some(Msat(msat)),
        network: if fits { "regtest" } else { "bitcoin" }.to_owned(),
        expires_at_ms: now_ms.saturating_add(3_600_000),
        ..bill(n, 0)
    };
    match *any {
        Any::Request {
            n,
            buyer,
            bid,
            ttl_s,
            age_s,
            targeted,
            kind,
        } => Input::Request(Request {
            requester: PublicKey([buyer; 32]),
            bid: bid.map(Msat),
            ttl_s,
            created_at_s: now_ms / 1_000 - age_s,
            targeted,
            open: !targeted,
            kind,
            remote_inputs: u32::from(n % 4 == 3),
            refund_offer: if n % 2 == 0 {
                "lno1x".to_owned()
            } else {
                String::new()
            },
            ..request(n)
        }),
        Any::Cancel(n, author) => cancelled(n, author),
        Any::Worked(n, attempt, None) => done(n, attempt),
        Any::Worked(n, attempt, Some(again)) => failed(n, attempt, again),
        Any::Invoiced(n, other) => with_hash(invoiced(n), hash(other), now_ms),
        Any::Signed(n, purpose) => sign(n, purpose, now_ms),
        Any::Published(n, purpose, accepted) => {
            published(n, Purpose::try_from(purpose).unwrap_or_default(), accepted)
        }
        Any::Received(n, msat) if msat % 2 == 0 => received(own(n), msat),
        Any::Received(n, msat) => received(hash(n), msat),
        Any::Sent(n, msat) => sent(theirs(n), msat),
        Any::NotSent(n) => not_sent(theirs(n)),
        Any::Balance(msat) => spendable(msat),
        Any::Ready(model, msat) => {
            let model = model.then(|| "llama".to_owned());
            Input::Readiness(Readiness {
                model,
                receivable: Msat(msat),
                ..ready()
            })
        }
        Any::Answer {
            n,
            provider,
            event,
            kind,
            bill,
        } => {
            let kind = match kind {
                0 => AnswerKind::Status("processing".to_owned()),
                1 => AnswerKind::PaymentRequired,
                2 => AnswerKind::Result(Err("no result".to_owned())),
                _ => AnswerKind::Result(Ok(())),
            };
            let bill = bill.map(|(n, msat, fits)| Ok(theirs_bill(n, msat, fits)));
            answer(bought(n), provider, event, kind, bill)
        }
        Any::Buy { n, budget, first } => {
            let terms = pb::PurchaseRequested {
                budget_msat: budget,
                pay_first_ceiling_msat: first,
                deadline_ms: now_ms.saturating_add(60_000),
                choose_at_ms: if n % 2 == 0 {
                    now_ms.saturating_add(20_000)
                } else {
                    0
                },
                ..purchase(bought(n))
            };
            buy(bought(n), terms)
        }
        Any::CancelPurchase(n) => Input::Person(Command::CancelPurchase(job(bought(n)))),
        Any::Pay(n, msat) => {
            let bill = theirs_bill(n, msat, true);
            Input::Person(Command::Pay {
                bill,
                amount: None,
                fee_ceiling: Msat(10),
                resolution: None,
            })
        }
        Any::Abort(n) => Input::Person(Command::Abort(job(n))),
        Any::Ask(n, in_of, text) => ask(n, in_of.filter(|of| *of != n), if text { 20 } else { 30 }),
        Any::StopAnswer(n) => stop_answer(n),
        Any::Online(true) => Input::Person(Command::GoOnline { run_id: vec![5; 16] }),
        Any::Online(false) => Input::Person(Command::GoOffline {
            reason: "asked".to_owned(),
        }),
        Any::Limits(max_in_flight, intake_jobs_per_day) => {
            let policy = pb::Policy {
                max_in_flight,
                intake_jobs_per_day,
                ..policy()
            };
            Input::Person(Command::SetPolicy(policy))
        }
    }
}

pub fn with_hash(input: Input, hash: PaymentHash, now_ms: i64) -> Input {
    let Input::Invoiced(invoice) = input else {
        unreachable!()
    };
    let expires_at_ms = now_ms.saturating_add(3_600_000);
    Input::Invoiced(pb::InvoiceIssued {
        payment_hash: hash.to_vec(),
        expires_at_ms,
        ..invoice
    })
}

pub fn sign(n: u8, purpose: i32, now_ms: i64) -> Input {
    let Input::Signed(event) = signed(n, Purpose::try_from(purpose).unwrap_or_default()) else {
        unreachable!()
    };
    Input::Signed(pb::EventSigned {
        purpose,
        deadline_ms: now_ms.saturating_add(600_000),
        ..event
    })
}

/// The wallet read a buyer's offer, or could not.
pub fn offered(n: u8, well: bool) -> Input {
    let offer = Offer {
        bolt12: "lno1x".to_owned(),
        offer_id: [n; 32],
        payee: Vec::new(),
        amount: None,
        networks: vec!["regtest".to_owned()],
        expires_at_ms: None,
    };
    Input::Refund(OfferedRefund {
        job: job(n),
        offer: if well {
            Ok(offer)
        } else {
            Err("no offer".to_owned())
        },
    })
}

/// Takes one step; the ledger checks its promises meanwhile.
pub fn take(ledger: &mut Ledger, step: &Step) {
    match step {
        Step::Any(any) => {
            // As the host: a person's payment of a hash that was paid before does not get this far.
            let paid = |n: u8| {
                ledger
                    .all("wallet.payment_sent")
                    .iter()
                    .any(|f| f.fact.correlation == theirs(n).0)
            };
            let stopped = match any {
                Any::Pay(n, _) => paid(*n),
                // A request's id holds its second: one from long ago never comes again.
                Any::Buy { n, .. } => {
                    let id = job(bought(*n));
                    let listened = ledger
                        .engine
                        .state()
                        .purchases
                        .listened()
                        .any(|(known, _)| *known == id);
                    !listened
                        && ledger
                            .all("purchase.requested")
                            .iter()
                            .any(|f| f.fact.correlation == id.0)
                }
                _ => false,
            };
            if !stopped {
                let input = ledger.looked_up(input(any, ledger.now_ms));
                ledger.submit(input);
            }
        }
        Step::Carry { which, well } => {
            let effects = ledger.engine.outstanding();
            if !effects.is_empty() {
                carry(ledger, &effects[which.index(effects.len())], *well);
            }
        }
        Step::Clock(ms) => {
            ledger.now_ms += ms;
            ledger.submit(Input::Tick);
        }
        Step::Restart(at) => {
            ledger.reopen(at.index(ledger.facts.len() + 1));
            ledger.submit(Input::Resumed);
        }
    }
}
