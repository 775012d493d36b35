//! Earnings statements out of a home's ledger: read without its host or beside it, in one pass and bounded memory.
mod head;

use std::io::Write;

use autopilot_core::{
    input::receipt_key,
    ports::market::{MARKET_NIP90, MarketError, SignedEvent as Signed},
};
use autopilot_events::{
    Event, Recorded,
    head::{HeadError, SignedHead},
    pb::{self, BodyRef, Purpose},
    words::JobId,
};
use autopilot_nostr::{BadMnemonic, Identity};
use autopilot_projections::report::Window;
use autopilot_statement::{
    Bytes, ComposeError, Composer, FORMAT, Header, Heading, LIMITS, Line, Settlement, SignedEvent, Totals,
    Why,
};
use autopilot_store_sqlite::{MasterKey, Progress, ReadError, Unsealed, Vault};

pub use head::{Note, cosigned, sign_offline};

use crate::{
    audit::{Audit, AuditError},
    clock,
    heads::HeadsError,
    secrets::Secrets,
};

/// Facts of one page.
const PAGE: u32 = 4_096;

/// What goes into a statement.
#[derive(Clone, Debug)]
pub enum Wish {
    /// What was settled in a window.
    Window(Window),
    /// One job's payment: its id, or a beginning of it, or the whole id of its request, in hexadecimal.
    Job(String),
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The sums.
    pub totals: Totals,
    /// Facts of the ledger that the statement's head covers.
    pub facts: u64,
    /// Settlements of the window that came after the head, and are not in it.
    pub after_head: u64,
}

/// Why no statement was made.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] AuditError),
    /// The identity's words are none.
    #[error(transparent)]
    Words(#[from] BadMnemonic),
    /// The head is none of this ledger.
    #[error("the head: {0}")]
    Head(#[from] HeadError),
    /// Head or seal can't be signed.
    #[error("it can't be signed: {0}")]
    Sign(#[from] MarketError),
    /// Written, or what was read to be written, does not hold.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The ledger does not begin with a fact that says whose it is, or names no wallet.
    #[error("the ledger does not say whose it is")]
    Nameless,
    /// A text is damaged or was never kept.
    #[error("the text of fact {0} is damaged or missing")]
    Text(u64),
    /// No settled job of that name.
    #[error("no payment of such a job was settled")]
    NotFound,
    /// Several jobs begin so.
    #[error("several paid jobs begin so")]
    Ambiguous,
    /// The head could not be recorded.
    #[error("the head could not be signed: {0}")]
    Record(#[from] HeadsError),
}

impl From<ReadError> for StatementError {
    fn from(error: ReadError) -> StatementError {
        StatementError::Ledger(error.into())
    }
}

/// Whose statement: what reads texts, and what signs.
pub struct Seller {
    identity: Identity,
    vault: Vault,
}

impl Seller {
    /// From the secrets of the home whose ledger is read.
    ///
    /// # Errors
    /// [`StatementError::Words`].
    pub fn new(audit: &Audit, secrets: &Secrets) -> Result<Seller, StatementError> {
        Ok(Seller {
            identity: Identity::from_mnemonic(&secrets.words())?,
            vault: Vault::new(audit.reader().clone(), MasterKey(secrets.body_key())),
        })
    }

    fn head(&self, note: &Note) -> Result<SignedEvent, StatementError> {
        let event = self
            .identity
            .head_event(&note.text, &note.verifier_key, clock::now_s());
        read(&event?)
    }

    fn seal(&self, tags: Vec<Vec<String>>, content: String) -> Result<SignedEvent, StatementError> {
        read(&self.identity.application_data(tags, content, clock::now_s())?)
    }

    /// The text of a fact; `None`: it was erased.
    async fn text(
        &self,
        fact: u64,
        reference: Option<&BodyRef>,
    ) -> Result<Option<SignedEvent>, StatementError> {
        let reference = reference.ok_or(StatementError::Text(fact))?;
        match self.vault.unseal(reference).await? {
            Unsealed::Plaintext(text) => {
                let text = String::from_utf8(text).map_err(|_| StatementError::Text(fact))?;
                Ok(Some(
                    SignedEvent::read(&text).map_err(|_| StatementError::Text(fact))?,
                ))
            }
            Unsealed::Erased => Ok(None),
            Unsealed::Missing | Unsealed::Corrupt => Err(StatementError::Text(fact)),
        }
    }
}

/// An event of ours as a statement carries it.
fn read(event: &Signed) -> Result<SignedEvent, StatementError> {
    let json = String::from_utf8_lossy(&event.json);
    SignedEvent::read(&json).map_err(|error| MarketError::Invalid(error).into())
}

/// What is told while a statement is written.
pub trait Reader {
    /// The header.
    ///
    /// # Errors
    /// Those of whatever it is written to.
    fn heading(&mut self, heading: &Heading) -> std::io::Result<()>;

    /// A settlement.
    ///
    /// # Errors
    /// Those of whatever it is written to.
    fn line(&mut self, line: &Line) -> std::io::Result<()>;
}

struct Making<'a, W> {
    audit: &'a Audit,
    seller: &'a Seller,
    head: SignedHead,
    header: Header,
    composer: Option<Composer<W>>,
    out: Option<W>,
}

/// Writes a statement that rests on a signed head. Every line is checked before it is written.
///
/// # Errors
/// [`StatementError`]; what was written until then is no statement.
pub async fn create<W: Write + Send>(
    audit: &Audit,
    seller: &Seller,
    note: &Note,
    wish: &Wish,
    out: W,
    reader: &mut (dyn Reader + Send),
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(W, Written), StatementError> {
    let head = SignedHead::open(note.text.as_bytes(), &note.verifier_key)?;
    let window = match wish {
        Wish::Window(window) => *window,
        Wish::Job(_) => Window {
            from_ms: i64::MIN,
            to_ms: i64::MAX,
        },
    };
    let header = Header {
        format: FORMAT.to_owned(),
        limits: LIMITS.to_owned(),
        network: String::new(),
        node: None,
        from_ms: Some(window.from_ms).filter(|ms| *ms > i64::MIN),
        to_ms: Some(window.to_ms).filter(|ms| *ms < i64::MAX),
        head: seller.head(note)?,
        cosignatures: note.cosignatures.clone(),
    };
    let mut making = Making {
        audit,
        seller,
        head,
        header,
        composer: None,
        out: Some(out),
    };
    let end = audit.head().await?.sequence;
    let (mut at, mut after_head, mut found) = (0, 0, None);
    while at < end {
        for fact in audit.facts(at, PAGE).await? {
            at = fact.fact.sequence;
            match &fact.event {
                Event::LedgerOpened(m) => making.header.network.clone_from(&m.network),
                Event::WalletStarted(m) => making.header.node = Some(hex::encode(&m.node_id)),
                Event::JobSettled(m) if asked_for(wish, m) => {
                    let job = JobId::of(&m.job_id);
                    if matches!(wish, Wish::Job(_)) && found.replace(job).is_some_and(|other| other != job) {
                        return Err(StatementError::Ambiguous);
                    }
                    match at > making.head.size {
                        true => after_head += 1,
                        false => making.settled(&fact, m, reader).await?,
                    }
                }
                _ => {}
            }
        }
        progress(Progress { facts: at, of: end });
    }
    if matches!(wish, Wish::Job(_)) && found.is_none() {
        return Err(StatementError::NotFound);
    }
    making.begin(reader)?;
    let facts = making.head.size;
    let composer = making.composer.take().ok_or(StatementError::Nameless)?;
    let (content, tags) = composer.unsealed();
    let seal = seller.seal(tags, content)?;
    let (out, totals) = composer.seal(seal)?;
    let written = Written {
        totals,
        facts,
        after_head,
    };
    Ok((out, written))
}

fn asked_for(wish: &Wish, settled: &pb::JobSettled) -> bool {
    match wish {
        Wish::Window(window) => window.holds(settled.settled_at_ms),
        Wish::Job(named) => {
            let id = JobId::of(&settled.job_id);
            let request = hex::decode(named).map(|request| JobId::derive(MARKET_NIP90, &request));
            id.to_string().starts_with(named) || request == Ok(id)
        }
    }
}

impl<W: Write + Send> Making<'_, W> {
    /// Writes the header, once: by the first settlement the ledger has said whose wallet it is.
    fn begin(&mut self, reader: &mut (dyn Reader + Send)) -> Result<&mut Composer<W>, StatementError> {
        if let Some(out) = self.out.take() {
            if self.header.network.is_empty() {
                return Err(StatementError::Nameless);
            }
            let composer = Composer::begin(out, self.header.clone())?;
            reader.heading(composer.heading()).map_err(ComposeError::Write)?;
            self.composer = Some(composer);
        }
        self.composer.as_mut().ok_or(StatementError::Nameless)
    }

    async fn settled(
        &mut self,
        fact: &Recorded,
        settled: &pb::JobSettled,
        reader: &mut (dyn Reader + Send),
    ) -> Result<(), StatementError> {
        let settlement = self.gather(fact, settled).await?;
        let composer = self.begin(reader)?;
        let line = match composer.settled(settlement.clone()) {
            // A buyer's receipt that does not fit proves nothing, and must not keep the rest from being shown.
            Err(ComposeError::Unsound(error)) if matches!(error.why, Why::Receipt(_)) => {
                composer.settled(Settlement {
                    receipt: None,
                    ..settlement
                })
            }
            done => done,
        }?;
        reader.line(&line).map_err(ComposeError::Write)?;
        Ok(())
    }

    /// The settlement with its proof, the facts that it binds, and the texts that are left.
    async fn gather(&self, fact: &Recorded, settled: &pb::JobSettled) -> Result<Settlement, StatementError> {
        let ledger = self.audit.reader();
        let proof = ledger.prove_fact(fact.fact.sequence, self.head.size).await?;
        let (mut evidence, mut result, mut named) = (Vec::new(), None, false);
        for link in &settled.evidence {
            let before = link.sequence.saturating_sub(1);
            let bound = ledger.facts(before, 1).await?.pop();
            let bound = bound.ok_or(StatementError::Text(link.sequence))?;
            if let Event::EventSigned(m) = &bound.event
                && m.purpose == Purpose::Result as i32
            {
                named = true;
                result = self.seller.text(link.sequence, m.event.as_ref()).await?;
            }
            evidence.push(Bytes(bound.bytes));
        }
        let receipt = match (&result, ledger.fact_by_key(&receipt_key(&settled.job_id)).await?) {
            (Some(_), Some(fact)) => match &fact.event {
                Event::JobReceipted(m) => self.seller.text(fact.fact.sequence, m.receipt.as_ref()).await?,
                _ => None,
            },
            _ => None,
        };
        Ok(Settlement {
            fact: Bytes(fact.bytes.clone()),
            proof: Bytes(proof.iter().flat_map(|hash| hash.0).collect()),
            evidence,
            erased: named && result.is_none(),
            result,
            receipt,
        })
    }
}
