//! Hostile providers before our buyer: every wrong answer is recorded with its reason, and the one right answer is
//! paid once.
use std::time::{Duration, SystemTime};

use autopilot_core::ports::market::MARKET_NIP90;
use autopilot_events::words::JobId;
use autopilot_host::{audit::Audit, control::Client as Control, sandbox::ChainKind};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::{
    questions::sound,
    stage::{PRICE_MSAT, Stage, balance, order, outcome},
};
use bitcoin::{
    hashes::{Hash, sha256},
    secp256k1::{Secp256k1, SecretKey},
};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use nostr_sdk::prelude::*;

use super::scene::{Facts, about, client, first, tag};
use crate::programs::support::{ctl, json};

/// What the honest answer costs.
const HONEST_MSAT: u64 = 7_000;

/// An invoice as anybody can write one.
fn invoice(currency: Currency, amount_msat: Option<u64>, age: Duration) -> String {
    let key = SecretKey::from_slice(&[7; 32]).unwrap();
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let written = since_epoch - age;
    let unique = format!("{written:?} {amount_msat:?}");
    let mut builder = InvoiceBuilder::new(currency)
        .description("an answer".to_owned())
        .payment_hash(sha256::Hash::hash(unique.as_bytes()))
        .payment_secret(PaymentSecret([5; 32]))
        .duration_since_epoch(written)
        .expiry_time(Duration::from_secs(3_600))
        .min_final_cltv_expiry_delta(144);
    if let Some(amount_msat) = amount_msat {
        builder = builder.amount_milli_satoshis(amount_msat);
    }
    let sign = |hash: &bitcoin::secp256k1::Message| Secp256k1::new().sign_ecdsa_recoverable(hash, &key);
    builder.build_signed(sign).unwrap().to_string()
}

fn regtest(amount_msat: u64) -> String {
    invoice(Currency::Regtest, Some(amount_msat), Duration::ZERO)
}

/// An answer to a request. Each part of it can be wrong.
struct Answer<'a> {
    request: &'a Event,
    keys: &'a Keys,
    kind: u16,
    content: &'a str,
    /// What it calls the request.
    carries: String,
    names: EventId,
    customer: PublicKey,
    amount: Vec<String>,
}

impl<'a> Answer<'a> {
    fn to(request: &'a Event, keys: &'a Keys, amount_msat: u64, bolt11: &str) -> Answer<'a> {
        Answer {
            request,
            keys,
            kind: 6050,
            content: "an answer",
            carries: request.as_json(),
            names: request.id,
            customer: request.pubkey,
            amount: vec!["amount".to_owned(), amount_msat.to_string(), bolt11.to_owned()],
        }
    }

    fn signed(&self) -> Event {
        let mut builder = EventBuilder::new(Kind::Custom(self.kind), self.content)
            .tag(tag(&["request", &self.carries]))
            .tag(tag(&["e", &self.names.to_hex()]))
            .tag(tag(&["p", &self.customer.to_hex()]));
        if self.kind == 7000 {
            builder = builder.tag(tag(&["status", "payment-required"]));
        }
        if !self.amount.is_empty() {
            builder = builder.tag(Tag::parse(self.amount.clone()).unwrap());
        }
        assert_eq!(self.request.kind, Kind::Custom(5050));
        builder.sign_with_keys(self.keys).unwrap()
    }
}

/// A world, and a stranger that sells.
struct Market {
    stage: Stage,
    buyer: Control,
    facts: Facts,
    stranger: Client,
    keys: Keys,
}

impl Market {
    async fn open() -> Market {
        let stage = Stage::build(ChainKind::Simulated).await.unwrap();
        let keys = Keys::generate();
        let stranger = client(&stage.world.relays[0], &keys).await;
        let mut buyer = stage.world.buyer.client().unwrap();
        let facts = Facts::of(&mut buyer).await;
        Market {
            stage,
            buyer,
            facts,
            stranger,
            keys,
        }
    }

    /// The request of ours that is for the stranger, other than this one.
    async fn asked(&self, before: Option<EventId>) -> Event {
        let filter = Filter::new()
            .kind(Kind::Custom(5050))
            .pubkey(self.keys.public_key());
        first(&self.stranger, filter, |event| Some(event.id) != before).await
    }

    async fn send(&self, event: &Event) {
        // The client's own relay takes whatever is validly signed.
        let sent = self.stranger.send_event(event).await.unwrap();
        assert!(!sent.success.is_empty(), "{sent:?}");
    }

    /// An invoice of a wallet that can really be paid.
    async fn payable(&self, amount_msat: u64) -> String {
        let receive = pb::ReceiveRequest {
            amount_msat,
            ..Default::default()
        };
        let mut hub = self.stage.world.hub.client().unwrap();
        hub.receive(receive).await.unwrap().into_inner().payment_request
    }

    /// Waits until the answer is on record as rejected, and says why.
    async fn rejected(&mut self, purchase: &str, count: usize) -> String {
        let stream = format!("purchase/{purchase}");
        let facts = self.facts.until_count("purchase.rejected", &stream, count).await;
        let fact: serde_json::Value = serde_json::from_str(&facts[count - 1].json).unwrap();
        fact["reason"].as_str().unwrap().to_owned()
    }

    async fn journal(&self, kind: &str, subject: &Event) {
        let audit = Audit::open(self.stage.world.buyer.home.path()).await.unwrap();
        let subject = subject.id.to_hex();
        let noted = async {
            loop {
                let (lines, _) = audit.journal(&about(Some(&subject))).await.unwrap();
                if lines.iter().any(|line| line.kind == kind) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), noted)
            .await
            .unwrap_or_else(|_| panic!("no {kind} about {subject}"));
    }
}

/// What is wrong with an answer, and the reason that is recorded.
fn wrong<'a>(request: &'a Event, keys: &'a Keys, other: &'a Keys) -> Vec<(&'static str, Answer<'a>)> {
    let to = |amount_msat: u64, bolt11: &str| Answer::to(request, keys, amount_msat, bolt11);
    let good = regtest(HONEST_MSAT);
    let old = Duration::from_secs(2 * 3_600);
    let another = super::scene::job(other, "Another job.", Vec::new());
    vec![
        ("not-asked", Answer::to(request, other, HONEST_MSAT, &good)),
        (
            "invalid-result: the request that it carries is not the one that it names",
            Answer {
                carries: another.as_json(),
                ..to(HONEST_MSAT, &good)
            },
        ),
        (
            "invalid-result: it is for another customer",
            Answer {
                customer: other.public_key(),
                ..to(HONEST_MSAT, &good)
            },
        ),
        (
            "invalid-result: it is empty",
            Answer {
                content: " ",
                ..to(HONEST_MSAT, &good)
            },
        ),
        (
            "no-invoice",
            Answer {
                amount: Vec::new(),
                ..to(HONEST_MSAT, "")
            },
        ),
        (
            "no-invoice",
            Answer {
                amount: vec!["amount".to_owned(), HONEST_MSAT.to_string()],
                ..to(HONEST_MSAT, "")
            },
        ),
        ("bad-invoice: ", to(HONEST_MSAT, "lnbcrt1thisisnoinvoice")),
        ("bad-invoice: mismatched: the answer says", to(5_000, &good)),
        (
            "expired-invoice",
            to(HONEST_MSAT, &invoice(Currency::Regtest, Some(HONEST_MSAT), old)),
        ),
        (
            "foreign-network: the invoice is of bitcoin",
            to(
                HONEST_MSAT,
                &invoice(Currency::Bitcoin, Some(HONEST_MSAT), Duration::ZERO),
            ),
        ),
        (
            "amountless-invoice",
            to(HONEST_MSAT, &invoice(Currency::Regtest, None, Duration::ZERO)),
        ),
        ("over-budget", to(PRICE_MSAT + 1, &regtest(PRICE_MSAT + 1))),
    ]
}

/// All that is wrong, and then the right answer: paid once. Returns its invoice.
async fn every_wrong_answer(market: &mut Market) -> (Event, String) {
    let asked = market.keys.public_key().to_hex();
    let purchase = order(&mut market.buyer, &asked, "Say anything.").await.unwrap();
    let request = market.asked(None).await;
    let (keys, other) = (market.keys.clone(), Keys::generate());
    for (n, (reason, answer)) in wrong(&request, &keys, &other).iter().enumerate() {
        market.send(&answer.signed()).await;
        let said = market.rejected(&purchase, n + 1).await;
        assert!(said.starts_with(reason), "{reason}: {said}");
    }
    // An invoice and no result: a price, which nobody approved to pay ahead.
    let ahead = Answer {
        kind: 7000,
        ..Answer::to(&request, &keys, HONEST_MSAT, &regtest(HONEST_MSAT))
    };
    market.send(&ahead.signed()).await;
    let stream = format!("purchase/{purchase}");
    let offered = market.facts.until("purchase.offered", &stream).await;
    assert!(offered.json.contains("payment-required"), "{offered:?}");
    // An answer to a job that we did not ask, and one whose price is no sum.
    let foreign = super::scene::job(&other, "Not ours.", Vec::new());
    let foreign = Answer {
        names: foreign.id,
        carries: foreign.as_json(),
        ..Answer::to(&request, &keys, HONEST_MSAT, &regtest(HONEST_MSAT))
    };
    let foreign = foreign.signed();
    market.send(&foreign).await;
    market.journal("relay.unasked-answer", &foreign).await;
    let lots = Answer {
        amount: vec!["amount".to_owned(), "lots".to_owned()],
        ..Answer::to(&request, &keys, HONEST_MSAT, "")
    };
    let lots = lots.signed();
    market.send(&lots).await;
    market.journal("relay.unreadable", &lots).await;
    assert!(
        market.facts.all("payment.approved", "").is_empty(),
        "nothing was approved so far"
    );

    let bolt11 = market.payable(HONEST_MSAT).await;
    let honest = Answer::to(&request, &keys, HONEST_MSAT, &bolt11);
    market.send(&honest.signed()).await;
    let reply = outcome(&mut market.buyer, &purchase).await.unwrap();
    assert_eq!(
        (reply.paid_msat, reply.result.as_str()),
        (HONEST_MSAT, "an answer"),
        "{reply:?}"
    );
    // The same provider once more, with another invoice.
    let again = Answer {
        content: "the answer again",
        ..Answer::to(&request, &keys, HONEST_MSAT, &regtest(HONEST_MSAT))
    };
    let again = again.signed();
    market.send(&again).await;
    market.journal("relay.answer-ignored", &again).await;
    (request, bolt11)
}

/// An invoice that was paid before buys nothing, and a purchase that got nothing else says so by its exit code.
async fn a_paid_invoice_again(market: &mut Market, before: &Event, bolt11: &str) {
    let home = market.stage.world.buyer.home.path().to_owned();
    let asked = market.keys.public_key().to_hex();
    let buying = tokio::spawn({
        let home = home.clone();
        async move {
            let order = ["buy", "Once more.", "--budget", "10sat", "--provider", &asked];
            let terms = ["--deadline", "6", "--yes", "--json"];
            ctl(&home, &[&order[..], &terms].concat()).await
        }
    });
    let request = market.asked(Some(before.id)).await;
    let purchase = JobId::derive(MARKET_NIP90, request.id.as_bytes()).to_string();
    let keys = market.keys.clone();
    market
        .send(&Answer::to(&request, &keys, HONEST_MSAT, bolt11).signed())
        .await;
    let said = market.rejected(&purchase, 1).await;
    assert!(said.contains("reused"), "{said}");
    let bought = buying.await.unwrap();
    assert_eq!(
        (bought.code, bought.error().as_str()),
        (4, "purchase-failed"),
        "{bought:?}"
    );
    assert_eq!(bought.json()["paid_msat"], 0);
    assert!(bought.words.contains("no valid result in time"), "{bought:?}");
    let why = json(&home, &["why", &purchase]).await;
    let why = why["answer"].as_str().unwrap();
    assert!(
        why.starts_with("nothing was paid: no valid result in time") && why.contains("reused"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_answer_is_paid_and_once() {
    let mut market = Market::open().await;
    let (request, bolt11) = every_wrong_answer(&mut market).await;
    a_paid_invoice_again(&mut market, &request, &bolt11).await;
    let figures = balance(&mut market.buyer).await.unwrap();
    assert_eq!(
        (figures.sent_msat, figures.earned_msat),
        (HONEST_MSAT, 0),
        "{figures:?}"
    );
    assert_eq!(market.facts.all("payment.approved", "").len(), 1);
    let home = market.stage.world.buyer.home.path().to_owned();
    market.stage.world.buyer.stop_in_order().await;
    assert_eq!(sound(&home).await.unwrap().settled, 0);
    market.stranger.shutdown().await;
    market.stage.strike().await;
}
