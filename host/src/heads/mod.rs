//! Signed heads of our own ledger: signed every so many facts and on demand, and held against what relays have of it.
//!
//! What others hold is asked for before anything is published in a run, and before each new head is signed: a ledger
//! that was rolled back is noticed before it says anything, and so is a second host on a copy of this home.
pub(crate) mod kept;

use std::{collections::BTreeMap, time::Duration};

use autopilot_core::{
    Input,
    heads::{HeldHead, due_at},
    ports::market::Market,
};
use autopilot_events::{
    Event,
    head::{HeadError, HeadSigner, SignedHead, origin},
    pb::{self, Purpose},
    words::TreeHash,
};
use autopilot_store_sqlite::ReadError;
use tokio::sync::{Mutex, watch};

use crate::{
    clock,
    ledger::{Ledger, SubmitError},
    outside::Outside,
    secrets::Secrets,
};

/// Heads of one comparison at most, the largest; a relay gives fewer.
const MAX_HELD: usize = 64;
/// Relays that could not be asked are asked again after this; doubled up to [`LONGEST_PAUSE`].
const ASK_AGAIN: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// Facts looked back through for relays that buyers named.
const LOOKED_BACK: u64 = 2_000;
/// Relays of buyers that get our heads, and are asked for them.
const MAX_ELSEWHERE: usize = 4;

/// Why a head was not signed.
#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    /// The ledger stopped, or refused.
    #[error(transparent)]
    Ledger(#[from] SubmitError),
    /// The tree can't be read.
    #[error("the ledger's tree can't be read: {0}")]
    Read(#[from] ReadError),
    /// The note can't be written.
    #[error(transparent)]
    Head(#[from] HeadError),
}

/// What one relay answered.
#[derive(Clone, Debug)]
pub struct AskedRelay {
    /// Its address.
    pub relay: String,
    /// Heads of this ledger that it holds, or why it could not be asked.
    pub heads: Result<u32, String>,
}

/// The last comparison with what relays hold.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When.
    pub at_ms: i64,
    /// Each relay's answer.
    pub relays: Vec<AskedRelay>,
}

impl Asked {
    /// Relays that answered.
    pub fn answered(&self) -> usize {
        self.relays.iter().filter(|relay| relay.heads.is_ok()).count()
    }
}

/// Signs and compares.
pub struct Heads {
    outside: Outside,
    signer: HeadSigner,
    origin: String,
    /// Number of the last fact when this run opened the ledger.
    opened_at: u64,
    asked: watch::Sender<Option<Asked>>,
    /// One at a time: a comparison, and the signing that rests on it.
    turn: Mutex<()>,
}

impl Heads {
    /// For the ledger that was opened with `opened_at` facts; its first fact is there.
    ///
    /// # Errors
    /// [`HeadsError`].
    pub async fn new(outside: Outside, secrets: &Secrets, opened_at: u64) -> Result<Heads, HeadsError> {
        let id = outside
            .ledger
            .look(|engine| {
                let identity = engine.state().provider.identity.as_ref();
                identity.map(|identity| identity.ledger_id.clone())
            })
            .await?;
        let id = id.and_then(|id| hex::decode(id).ok()).unwrap_or_default();
        let origin = origin(&id);
        Ok(Heads {
            signer: HeadSigner::new(&origin, &secrets.heads_key())?,
            outside,
            origin,
            opened_at,
            asked: watch::Sender::new(None),
            turn: Mutex::new(()),
        })
    }

    /// The last comparison of this run.
    pub fn asked(&self) -> Option<Asked> {
        self.asked.borrow().clone()
    }

    /// The key that checks our heads.
    pub fn verifier_key(&self) -> &str {
        self.signer.verifier_key()
    }

    /// Asks relays what they hold of this ledger and holds it against the facts. Bounded in time; a relay that can't
    /// be asked is noted and holds nothing up.
    ///
    /// # Errors
    /// [`HeadsError`].
    pub async fn compare(&self) -> Result<(), HeadsError> {
        let _turn = self.turn.lock().await;
        self.compare_now().await
    }

    async fn compare_now(&self) -> Result<(), HeadsError> {
        let Ok(market) = self.outside.market() else {
            return Ok(());
        };
        let elsewhere = elsewhere(&self.outside).await?;
        let own = market.public_key();
        let answers = market.heads_of(own, Some(&self.origin), &elsewhere).await;
        let mut relays = Vec::with_capacity(answers.len());
        let mut found = BTreeMap::new();
        for answer in answers {
            let heads = answer.heads.map(|events| {
                let ours = events.into_iter().filter(|event| {
                    event.author == own
                        && event.head.origin == self.origin
                        && event.verifier_key == self.verifier_key()
                });
                let mut count = 0;
                for event in ours {
                    count += 1;
                    let place = found.entry((event.head.size, event.head.root));
                    place.or_insert_with(|| (answer.relay.clone(), event));
                }
                count
            });
            relays.push(AskedRelay {
                relay: answer.relay,
                heads,
            });
        }
        let mut held = Vec::new();
        for ((size, root), (held_by, event)) in found.into_iter().rev().take(MAX_HELD) {
            held.push(HeldHead {
                size,
                root,
                held_by,
                note: event.note,
                signed_at_ms: i64::try_from(event.created_at_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
                own_root: self.own_root(size).await?,
                opened_at: self.opened_at,
            });
        }
        for head in in_order(held) {
            self.outside.ledger.submit(Input::HeadHeld(head), None).await?;
        }
        self.asked.send_replace(Some(Asked {
            at_ms: clock::now_ms(),
            relays,
        }));
        Ok(())
    }

    /// Root of our own tree at that size; `None` where there are not so many facts.
    async fn own_root(&self, size: u64) -> Result<Option<TreeHash>, ReadError> {
        match self.outside.ledger.reader().root_at(size).await {
            Ok(root) => Ok(Some(root)),
            Err(ReadError::BeyondEnd { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Signs what the ledger is now, after a look at what others hold. The effects publish it.
    ///
    /// # Errors
    /// [`HeadsError`].
    pub async fn sign(&self) -> Result<(), HeadsError> {
        let _turn = self.turn.lock().await;
        self.compare_now().await?;
        sign_now(&self.outside.ledger, &self.signer, &self.origin).await?;
        Ok(())
    }

    /// Signs whenever it is due, and asks relays again that could not be asked, until the ledger stops.
    pub async fn run(&self) {
        let mut head = self.outside.ledger.head();
        let mut pause = ASK_AGAIN;
        loop {
            let Ok(due_at) = self.outside.ledger.look(|engine| due_at(engine.state())).await else {
                return;
            };
            let due = tokio::select! {
                grown = head.wait_for(|head| head.sequence >= due_at) => match grown {
                    Ok(_) => true,
                    Err(_) => return,
                },
                () = tokio::time::sleep(pause) => false,
            };
            let missing = || {
                self.asked()
                    .is_none_or(|asked| asked.answered() < asked.relays.len())
            };
            let done = match due {
                true => self.sign().await,
                false if missing() => self.compare().await,
                false => Ok(()),
            };
            pause = match missing() {
                true => (pause * 2).min(LONGEST_PAUSE),
                false => ASK_AGAIN,
            };
            match done {
                Ok(()) => {}
                Err(HeadsError::Ledger(SubmitError::Stopped)) => return,
                Err(error) => {
                    tracing::warn!(%error, "no head is signed or compared; trying again");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }
}

/// Signs what the ledger is now, and records it.
///
/// # Errors
/// [`HeadsError`].
pub(crate) async fn sign_now(
    ledger: &Ledger,
    signer: &HeadSigner,
    origin: &str,
) -> Result<pb::HeadSigned, HeadsError> {
    let now = |engine: &autopilot_core::Engine| (*engine.head(), engine.state().digests());
    let (end, folds) = ledger.look(now).await?;
    let root = ledger.reader().root_at(end.sequence).await?;
    let note = signer.sign(&SignedHead {
        origin: origin.to_owned(),
        size: end.sequence,
        root,
        chain: end.chain,
        folds: folds.into_iter().collect(),
    })?;
    let signed = pb::HeadSigned {
        size: end.sequence,
        root: root.to_vec(),
        chain: end.chain.to_vec(),
        note,
        verifier_key: signer.verifier_key().to_owned(),
    };
    ledger.submit(Input::HeadSigned(signed.clone()), None).await?;
    Ok(signed)
}

/// What agrees comes first, the largest at once, for it says of everything below it that it agrees; then what does
/// not, from the smallest on, for that says best where it begins.
fn in_order(held: Vec<HeldHead>) -> impl Iterator<Item = HeldHead> {
    let (mut agree, mut differ): (Vec<_>, Vec<_>) = held
        .into_iter()
        .partition(|head| head.own_root == Some(head.root));
    agree.sort_by_key(|head| std::cmp::Reverse(head.size));
    differ.sort_by_key(|head| head.size);
    agree.into_iter().chain(differ)
}

/// Relays that buyers of the last jobs named besides ours, the latest first: they know our heads too.
pub(crate) async fn elsewhere(outside: &Outside) -> Result<Vec<String>, ReadError> {
    let end = outside.ledger.head().borrow().sequence;
    let mut after = end.saturating_sub(LOOKED_BACK);
    let mut named: Vec<String> = Vec::new();
    loop {
        let page = outside.ledger.reader().facts(after, 500).await?;
        let Some(last) = page.last() else { break };
        after = last.fact.sequence;
        for fact in page {
            match fact.event {
                Event::EventSigned(m) if m.purpose == Purpose::Result as i32 => named.extend(m.relays),
                _ => {}
            }
        }
    }
    let mut latest: Vec<String> = Vec::new();
    for relay in named.into_iter().rev() {
        if latest.len() < MAX_ELSEWHERE && !latest.contains(&relay) {
            latest.push(relay);
        }
    }
    Ok(latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_agreement_comes_first_and_the_earliest_difference_next() {
        let head = |size, agrees: bool| HeldHead {
            size,
            root: TreeHash([1; 32]),
            held_by: String::new(),
            note: String::new(),
            signed_at_ms: 0,
            own_root: agrees.then_some(TreeHash([1; 32])),
            opened_at: 0,
        };
        let held = vec![head(9, false), head(3, true), head(7, false), head(5, true)];
        let sizes: Vec<u64> = in_order(held).map(|head| head.size).collect();
        assert_eq!(sizes, [5, 3, 7, 9]);
    }
}
