//! Ledgers as a provider has them: jobs paid, unpaid, refused and failed, purchases, deposits and presence, told
//! side by side, one to five facts a decision, with as many jobs as the log has room for.
use std::{
    collections::VecDeque,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::ensure;
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
    /// Tells so many facts that the last of them is of `end_ms` (Unix time), about.
    fn until(end_ms: i64, facts: u64) -> Teller {
        // A decision has three facts in the middle, and a clock that runs ahead would be one that was put back.
        let decisions = i64::try_from(facts / 2).unwrap_or(i64::MAX);
        Teller {
            utc_ms: end_ms.saturating_sub(decisions.saturating_mul(STEP_MS)),
            ..Teller::default()
        }
    }

    /// The end of every story that is being told: nothing is left to be done.
    fn ends(&mut self) -> Vec<Recorded> {
        let rest: Vec<Draft> = std::mem::take(&mut self.open).into_iter().flatten().collect();
        let utc_ms = self.utc_ms;
        rest.into_iter()
            .map(|draft| self.pen.write(dated(draft, utc_ms), utc_ms))
            .collect()
    }

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

/// First facts of a ledger that are looked through for how it was opened.
const FIRST: u32 = 16;
/// Facts between the last snapshot and the end: a host that was killed leaves up to 2,000.
const TAIL: u64 = 1_500;

/// Builds a ledger of `facts` facts or a few more at `path`, through the store's own append, with a snapshot of all folds
/// near its end as a host leaves it; and beside it, at `path` with `.flat`, the same facts framed one after the other.
pub async fn build(path: &Path, facts: u64, told: impl FnMut(u64)) -> anyhow::Result<()> {
    let mut flat = BufWriter::new(File::create(path.with_extension("flat"))?);
    let mut book = Book::open(path, facts).await?;
    book.tell(&mut Teller::default(), &mut flat, told).await?;
    flat.flush()?;
    book.store.close().await;
    Ok(())
}

/// Gives a home whose host does not run a long past: its ledger begins as it did, goes on with stories, and ends now with
/// every story told, `facts` facts or a few more. What was done in this home beyond its first facts is lost, and the
/// wallet knows nothing of the stories: only a home that is made for it may be grown.
pub async fn grow(path: &Path, facts: u64, told: impl FnMut(u64)) -> anyhow::Result<()> {
    let (store, _) = Store::open(path, &mut |_| {}).await?;
    let first = store.reader().facts(0, FIRST).await?;
    store.close().await;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut teller = Teller::until(i64::try_from(now.as_millis())?, facts);
    let opening: Vec<Recorded> = first
        .into_iter()
        .filter(|fact| matches!(fact.event, Event::LedgerOpened(_) | Event::PolicyChanged(_)))
        .map(|fact| teller.pen.write(again(fact), teller.utc_ms))
        .collect();
    ensure!(
        !opening.is_empty(),
        "{} was never opened by a host",
        path.display()
    );
    let grown = path.with_extension("grown");
    let mut book = Book::open(&grown, facts).await?;
    book.add(&opening).await?;
    book.tell(&mut teller, &mut std::io::sink(), told).await?;
    book.add(&teller.ends()).await?;
    book.store.close().await;
    for beside in ["-wal", "-shm"] {
        let beside = PathBuf::from(format!("{}{beside}", path.display()));
        if beside.exists() {
            std::fs::remove_file(beside)?;
        }
    }
    Ok(std::fs::rename(grown, path)?)
}

/// The same said once more.
fn again(fact: Recorded) -> Draft {
    Draft {
        source: fact.fact.source(),
        event: fact.event,
        stream: fact.fact.stream,
        idempotency_key: fact.fact.idempotency_key,
        correlation: fact.fact.correlation,
    }
}

/// A ledger that is being written, and its folds.
struct Book {
    store: Store,
    state: State,
    facts: u64,
    kept: bool,
}

impl Book {
    /// An empty one that shall have so many facts.
    async fn open(path: &Path, facts: u64) -> anyhow::Result<Book> {
        let (store, _) = Store::open(path, &mut |_| {}).await?;
        Ok(Book {
            store,
            state: State::default(),
            facts,
            kept: false,
        })
    }

    /// Tells on until it has them.
    async fn tell(
        &mut self,
        teller: &mut Teller,
        flat: &mut impl Write,
        mut told: impl FnMut(u64),
    ) -> anyhow::Result<()> {
        while self.store.head().sequence < self.facts {
            let due = BUILD.min(self.facts - self.store.head().sequence);
            let group = teller.facts(due as usize);
            let mut frames = Vec::new();
            group.iter().for_each(|fact| push_frame(&mut frames, &fact.bytes));
            flat.write_all(&frames)?;
            told(self.add(&group).await?);
        }
        Ok(())
    }

    /// One commit. Returns the number of the last fact.
    async fn add(&mut self, facts: &[Recorded]) -> anyhow::Result<u64> {
        facts.iter().for_each(|fact| self.state.apply(fact));
        let commit = Commit {
            facts,
            ..Commit::default()
        };
        let head = self.store.append(commit).await?;
        if !self.kept && head.sequence + TAIL >= self.facts {
            self.store.put_snapshot(&snapshot(&self.state, head)).await?;
            self.kept = true;
        }
        Ok(head.sequence)
    }
}

/// The folds as a host keeps them.
fn snapshot(state: &State, head: Head) -> Snapshot {
    Snapshot::new(State::label(), 1, head, state.to_snapshot())
}
