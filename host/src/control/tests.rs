//! Pages over a real store: a job that was paid, one that was refused, and what faces are told of them.
use autopilot_core::{
    Input,
    input::{Command, Outcome, Readiness, Request, WalletInput, Worked},
    policy::default_policy,
};
use autopilot_events::{
    Draft, Event, Head, Recorded,
    envelope::seal,
    pb::{self as facts, Purpose},
    words::{EventId, JobId, Msat},
};
use autopilot_projections::{chart::NO_RECEIPT, rows::Role};
use autopilot_store_sqlite::{
    Commit, MasterKey, Store,
    rows::{HistoryQuery, HistoryRow},
};
use tokio::sync::mpsc;

use super::{chart, inbox, job_log, provider, story::story};
use crate::{clock, ledger::Ledger, specimens};

const PRICE_MSAT: u64 = 10_000;

/// A ledger of these facts, so many in a commit, and the facts themselves.
pub(super) async fn stored(
    folder: &std::path::Path,
    events: impl Iterator<Item = Event>,
    at_once: usize,
) -> (Store, Vec<Recorded>) {
    let (mut store, _) = Store::open(&folder.join("ledger.db"), &mut |_| {}).await.unwrap();
    let mut head = Head::empty();
    let mut all = Vec::new();
    for (event, n) in events.zip(1..) {
        let draft = Draft {
            event,
            stream: "wallet".to_owned(),
            source: facts::Source::Wallet,
            idempotency_key: String::new(),
            correlation: Vec::new(),
        };
        let fact = seal(&head, n, draft, 0, 1);
        head = fact.head();
        all.push(fact);
    }
    for facts in all.chunks(at_once) {
        let commit = Commit {
            facts,
            ..Commit::default()
        };
        store.append(commit).await.unwrap();
    }
    (store, all)
}

struct Provider {
    ledger: Ledger,
    _folder: tempfile::TempDir,
    _stopped: mpsc::UnboundedReceiver<String>,
}

impl Provider {
    async fn online() -> Provider {
        let folder = tempfile::tempdir().unwrap();
        let (fatal, stopped) = mpsc::unbounded_channel();
        let path = folder.path().join("ledger.db");
        let (ledger, _) = Ledger::open(&path, MasterKey([7; 32]), fatal).await.unwrap();
        let provider = Provider {
            ledger,
            _folder: folder,
            _stopped: stopped,
        };
        let policy = Command::SetPolicy(default_policy(PRICE_MSAT));
        provider.tell(Input::Person(policy)).await;
        let ready = Readiness {
            model: Some("tiny".to_owned()),
            receivable: Msat(1_000_000),
            relays_connected: 1,
            ..Readiness::default()
        };
        provider.tell(Input::Readiness(ready)).await;
        let online = Command::GoOnline { run_id: vec![5; 16] };
        provider.tell(Input::Person(online)).await;
        provider
    }

    async fn tell(&self, input: Input) {
        self.ledger.submit(input, None).await.unwrap();
    }

    async fn asked(&self, n: u8, bid_msat: u64) {
        let body = facts::BodyRef {
            ciphertext_digest: vec![n; 32],
            size: 10,
            commitment: vec![n; 32],
            subject: format!("job/{}", job(n)),
        };
        let request = Request {
            bid: Some(Msat(bid_msat)),
            body,
            ..specimens::request(n, 1, clock::now_ms())
        };
        self.tell(Input::Request(request)).await;
    }

    /// Job `n` from its result to its payment.
    async fn worked_and_paid(&self, n: u8, model: &str, settled_at_ms: i64) {
        let receipt = facts::Receipt {
            model: model.to_owned(),
            ..facts::Receipt::default()
        };
        let outcome = Outcome::Done {
            receipt: Box::new(receipt),
            output: facts::BodyRef::default(),
        };
        self.tell(Input::Worked(Worked {
            job: job(n),
            attempt: 1,
            outcome,
        }))
        .await;
        self.tell(Input::Invoiced(facts::InvoiceIssued {
            job_id: job(n).to_vec(),
            payment_hash: vec![n; 32],
            bolt11: format!("lnbcrt{n}"),
            amount_msat: PRICE_MSAT,
            expires_at_ms: clock::now_ms() + 3_600_000,
            pay_first: false,
        }))
        .await;
        self.tell(Input::Signed(facts::EventSigned {
            event_id: vec![0x80 + n; 32],
            purpose: Purpose::Result as i32,
            job_id: job(n).to_vec(),
            kind: 6050,
            deadline_ms: clock::now_ms() + 600_000,
            ..facts::EventSigned::default()
        }))
        .await;
        self.tell(Input::Published {
            event_id: EventId([0x80 + n; 32]),
            accepted: 1,
            tried: 1,
        })
        .await;
        let payment = facts::WalletPaymentReceived {
            payment_id: vec![n; 32],
            payment_hash: vec![n; 32],
            amount_msat: PRICE_MSAT,
            settled_at_ms,
            ..facts::WalletPaymentReceived::default()
        };
        self.tell(Input::Wallet(WalletInput::Received { payment, bound: None }))
            .await;
    }

    async fn rows(&self) -> Vec<HistoryRow> {
        let query = HistoryQuery {
            role: Some(Role::Provider),
            limit: 50,
            ..HistoryQuery::default()
        };
        self.ledger.reader().history(&query).await.unwrap().0
    }
}

fn job(n: u8) -> JobId {
    JobId::derive("nip90", &[n; 32])
}

#[tokio::test]
async fn the_inbox_says_what_was_decided_and_which_setting_would_have_taken_it() {
    let provider = Provider::online().await;
    provider.asked(1, 20_000).await;
    provider.asked(2, 3_000).await;
    provider.asked(3, 20_000).await;
    let rows = provider.rows().await;
    let decided = inbox::decisions(provider.ledger.reader(), &rows).await.unwrap();
    let lines = provider
        .ledger
        .look(move |engine| {
            let line = |row: &HistoryRow| {
                inbox::line(engine, row, decided.get(&row.job_id).cloned().unwrap_or_default())
            };
            rows.iter().map(line).collect::<Vec<_>>()
        })
        .await
        .unwrap();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line.decision.as_str(),
                line.reason.as_str(),
                line.setting.as_str(),
                line.can_decline,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("refused", "busy", "max-in-flight", false),
            ("refused", "price-too-low", "min-price", false),
            ("taken", "", "", true),
        ],
        "newest first"
    );
    assert_eq!(lines[1].next, "autopilotctl policy set --min-price 3000msat");
    assert_eq!(
        (lines[2].bid_msat, lines[2].price_msat),
        (Some(20_000), Some(PRICE_MSAT))
    );
    assert!(
        lines[2].deadline_ms > 0 && lines[2].relay == "wss://one",
        "{:?}",
        lines[2]
    );
    provider.ledger.stop().await;
}

#[tokio::test]
async fn a_job_s_log_is_whole_and_binds_invoice_payment_and_earning() {
    let provider = Provider::online().await;
    provider.asked(1, 20_000).await;
    provider.worked_and_paid(1, "tiny", clock::now_ms()).await;
    let row = provider.rows().await.remove(0);
    let story = story(provider.ledger.reader(), &row).await.unwrap();
    assert!(story.whole);
    let kinds: Vec<&str> = story.facts.iter().map(|fact| fact.fact.r#type.as_str()).collect();
    assert_eq!(kinds.first(), Some(&"job.received"));
    assert!(kinds.contains(&"wallet.payment_received"), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&"job.settled"));
    let invoice = job_log::invoice(&story.facts, clock::now_ms()).unwrap();
    assert_eq!(invoice.state, "paid");
    assert_eq!(invoice.settled_sequence, invoice.payment_sequence + 1);
    assert_eq!(invoice.payment_hash, hex::encode([1; 32]));
    provider.ledger.stop().await;
}

#[tokio::test]
async fn the_chart_is_folded_once_followed_and_summed_by_day_and_model() {
    const DAY_MS: i64 = 86_400_000;
    let provider = Provider::online().await;
    let begins = clock::now_ms().div_euclid(DAY_MS) * DAY_MS;
    provider.asked(1, 20_000).await;
    provider.worked_and_paid(1, "tiny", begins - DAY_MS).await;
    let mut drawn = chart::Drawn::default();
    let reader = provider.ledger.reader();
    chart::follow(reader, &mut drawn).await.unwrap();
    for (n, model) in [(2, "tiny"), (3, "large")] {
        provider.asked(n, 20_000).await;
        provider.worked_and_paid(n, model, begins + 1_000).await;
    }
    chart::follow(reader, &mut drawn).await.unwrap();
    chart::follow(reader, &mut drawn).await.unwrap();
    let bounds = [begins - DAY_MS, begins, begins + DAY_MS];
    let reply = chart::reply(&drawn, &bounds, Default::default());
    let days: Vec<_> = reply.days.iter().map(|day| (day.earned_msat, day.jobs)).collect();
    assert_eq!(days, [(PRICE_MSAT, 1), (2 * PRICE_MSAT, 2)]);
    let models: Vec<_> = reply
        .models
        .iter()
        .map(|sum| (sum.model.as_str(), sum.jobs))
        .collect();
    assert_eq!(models, [("tiny", 2), ("large", 1)]);
    assert!(models.iter().all(|(model, _)| *model != NO_RECEIPT));
    provider.ledger.stop().await;
}

#[tokio::test]
async fn provider_status_rests_on_what_came_of_jobs() {
    let provider = Provider::online().await;
    let day = autopilot_proto::control::v1::ProviderRequest {
        day_start_ms: clock::now_ms() - 86_400_000,
        day_end_ms: clock::now_ms() + 86_400_000,
    };
    let look = || {
        provider
            .ledger
            .look(move |engine| provider::of_engine(engine, None, &day, clock::now_ms()))
    };
    let reply = look().await.unwrap();
    assert_eq!(
        (reply.state.as_str(), reply.in_flight, reply.places),
        ("online", 0, 1)
    );
    assert_eq!((reply.completion_permille, reply.payout_permille), (None, None));
    assert!(reply.last_outcome.is_none() && reply.first_job_latency_ms.is_none());
    assert_eq!(
        reply.failures.len(),
        4,
        "all classes, also those without a failure"
    );

    provider.asked(1, 20_000).await;
    assert_eq!(look().await.unwrap().running, 1);
    provider.worked_and_paid(1, "tiny", clock::now_ms()).await;
    provider.asked(2, 20_000).await;
    provider
        .tell(Input::Worked(Worked {
            job: job(2),
            attempt: 1,
            outcome: Outcome::Failed {
                class: facts::FailureClass::Execution,
                code: "worker-died".to_owned(),
                detail: "it died".to_owned(),
                again: false,
            },
        }))
        .await;
    let reply = look().await.unwrap();
    assert_eq!(
        (reply.completion_permille, reply.payout_permille),
        (Some(500), Some(1_000))
    );
    let execution = &reply.failures[1];
    assert_eq!(
        (
            execution.class.as_str(),
            execution.jobs,
            execution.today,
            execution.last_code.as_str()
        ),
        ("execution", 1, 1, "worker-died")
    );
    let last = reply.last_outcome.unwrap();
    assert!(!last.good && last.words.contains("it died"), "{last:?}");
    assert!(reply.first_job_latency_ms.is_some_and(|ms| ms >= 0));
    provider.ledger.stop().await;
}
