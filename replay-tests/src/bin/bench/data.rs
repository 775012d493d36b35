//! Ledgers as a provider has them: jobs paid, unpaid, refused and failed, purchases, deposits and presence, told
//! side by side, one to five facts a decision, with as many jobs as the log has room for.
use std::{
    collections::VecDeque,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use autopilot_events::{Draft, Event, Head, Recorded, chain::push_frame, pb};
use autopilot_projections::State;
use autopilot_replay_tests::{
    Pen,
    stories::{End, Story, drafts},
};
use autopilot_store_sqlite::{Commit, Snapshot, Store};

/// Stories told at the same time.
const OPEN: usize = 16;
/// From one decision to the next, in milliseconds: some five jobs a minute.
const STEP_MS: i64 = 3_000;
/// Length of a real invoice for a job.
const BOLT11_CHARS: usize = 300;
/// Facts in one commit while a ledger is built: about as many as a segment has after compaction.
const BUILD: u64 = 448;

/// Tells stories without an end, decision by decision.
pub struct Teller {
    pen: Pen,
    open: Vec<VecDeque<Draft>>,
    stories: u64,
    turn: u64,
    utc_ms: i64,
}

impl Default for Teller {
    fn default() -> Teller {
        Teller {
            pen: Pen::default(),
            open: Vec::new(),
            stories: 0,
            turn: 0,
            utc_ms: 1_700_000_000_000,
        }
    }
}

/// Sixteen of twenty stories are jobs; of these thirteen are paid, one way or the other.
fn story(n: u64) -> Story {
    let price_msat = 1_000 + n % 9_000;
    match n % 20 {
        0..=9 => Story::Job(price_msat, End::Paid),
        10..=12 => Story::Job(price_msat, End::PaidFirst),
        13 => Story::Job(price_msat, End::Expired),
        14 => Story::Failed(2),
        15 | 16 => Story::Refused((n % 17) as u8),
        17 | 18 => Story::Purchase(price_msat, !n.is_multiple_of(3)),
        _ => Story::Deposit(price_msat),
    }
}

/// A story with what a host tells the buyer at its end: a job is over, and leaves the folds, once that is sent.
fn told(n: u64) -> VecDeque<Draft> {
    let mut all: VecDeque<Draft> = drafts(&story(n), n).into();
    let job = all.iter().find_map(|draft| match &draft.event {
        Event::JobSettled(m) => Some((m.job_id.clone(), pb::Purpose::Success)),
        Event::JobFailed(m) => Some((m.job_id.clone(), pb::Purpose::Error)),
        _ => None,
    });
    let (Some((job_id, purpose)), Some(first)) = (job, all.front().cloned()) else {
        return all;
    };
    let purpose = purpose as i32;
    let event_id = blake3::hash(&[&job_id, b"end".as_slice()].concat())
        .as_bytes()
        .to_vec();
    let signed = pb::EventSigned {
        event_id: event_id.clone(),
        purpose,
        job_id: job_id.clone(),
        kind: 7_000,
        event: Some(pb::BodyRef {
            ciphertext_digest: event_id.clone(),
            size: 600,
            commitment: event_id.clone(),
            subject: first.stream.clone(),
        }),
        ..pb::EventSigned::default()
    };
    let published = pb::EventPublished {
        event_id,
        job_id,
        purpose,
        relays_accepted: 2,
        relays_tried: 2,
    };
    for event in [signed.into(), published.into()] {
        all.push_back(Draft {
            event,
            idempotency_key: String::new(),
            ..first.clone()
        });
    }
    all
}

impl Teller {
    /// The facts of the next decision: one to five of one story.
    pub fn decision(&mut self) -> Vec<Recorded> {
        while self.open.len() < OPEN {
            self.open.push(told(self.stories));
            self.stories += 1;
        }
        self.turn += 1;
        self.utc_ms += STEP_MS;
        let place = (self.turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % OPEN;
        let wanted = 1 + (self.turn % 5) as usize;
        let story = &mut self.open[place];
        let wanted = wanted.min(story.len());
        let facts = story
            .drain(..wanted)
            .map(|draft| self.pen.write(dated(draft, self.utc_ms), self.utc_ms))
            .collect();
        if story.is_empty() {
            self.open.swap_remove(place);
        }
        facts
    }

    /// Decisions until there are `count` facts or a few more.
    pub fn facts(&mut self, count: usize) -> Vec<Recorded> {
        let mut facts = Vec::with_capacity(count + 5);
        while facts.len() < count {
            facts.extend(self.decision());
        }
        facts
    }
}

/// What the stories leave open: moments near the clock, invoices as long as real ones.
fn dated(mut draft: Draft, now_ms: i64) -> Draft {
    match &mut draft.event {
        Event::JobSettled(m) => m.settled_at_ms = now_ms,
        Event::InvoiceIssued(m) => {
            m.expires_at_ms = now_ms + 3_600_000;
            m.bolt11 = "lnbcrt1".to_owned() + &"q".repeat(BOLT11_CHARS);
        }
        Event::EventSigned(m) => m.deadline_ms = now_ms + 600_000,
        Event::JobAccepted(m) => m.deadline_ms = now_ms + 600_000,
        Event::PurchaseRequested(m) => m.deadline_ms = now_ms + 600_000,
        _ => {}
    }
    draft
}

/// Facts between the last snapshot and the end: a host that was killed leaves up to 2,000.
const TAIL: u64 = 1_500;

/// Builds a ledger of `facts` facts or a few more at `path`, through the store's own append, with a snapshot of all folds
/// near its end as a host leaves it; and beside it, at `path` with `.flat`, the same facts framed one after the other.
pub async fn build(path: &Path, facts: u64, mut told: impl FnMut(u64)) -> anyhow::Result<()> {
    let (mut store, _) = Store::open(path, &mut |_| {}).await?;
    let mut flat = BufWriter::new(File::create(path.with_extension("flat"))?);
    let mut teller = Teller::default();
    let mut state = State::default();
    let mut kept = false;
    while store.head().sequence < facts {
        let due = BUILD.min(facts - store.head().sequence);
        let group = teller.facts(due as usize);
        let mut frames = Vec::new();
        for fact in &group {
            push_frame(&mut frames, &fact.bytes);
            state.apply(fact);
        }
        flat.write_all(&frames)?;
        let commit = Commit {
            facts: &group,
            ..Commit::default()
        };
        let head = store.append(commit).await?;
        if !kept && head.sequence + TAIL >= facts {
            store.put_snapshot(&snapshot(&state, head)).await?;
            kept = true;
        }
        told(head.sequence);
    }
    flat.flush()?;
    store.close().await;
    Ok(())
}

/// The folds as a host keeps them.
fn snapshot(state: &State, head: Head) -> Snapshot {
    Snapshot::new(State::label(), 1, head, state.to_snapshot())
}
