//! One way through the ledger for every format: first what a book must know before its first line, then its entries.
use std::io::Write;

use autopilot_events::{Event, Head};
use autopilot_projections::{
    difference::{Comparing, Differences},
    movements::{Movement, Told, What},
    prices::{Prices, Value},
    report::Window,
};
use autopilot_store_sqlite::Progress;

use super::{
    BooksError, Valuing, csv,
    hledger::{self, Balances},
    jsonl,
    koinly::Koinly,
    walk::{Step, walk},
    worth::Valuer,
};
use crate::audit::Audit;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with every column.
    Csv,
    /// JSON Lines with postings.
    Jsonl,
    /// Koinly's universal CSV.
    Koinly,
    /// A journal for hledger.
    Hledger,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Movements in the window.
    pub entries: u64,
    /// The last fact that was read.
    pub head: Head,
}

/// What is known before the first line.
pub(super) struct Book {
    pub(super) ledger_id: String,
    pub(super) network: String,
    pub(super) head: Head,
    pub(super) window: Window,
    pub(super) opening: Balances,
    pub(super) closing: Balances,
    /// How the wallet's figures stand against the accounts; only where the window has no end.
    pub(super) differences: Option<Differences>,
    /// Values receipts; `None`: there is no currency to value them in.
    pub(super) valuer: Option<Valuer>,
    /// Time of the latest entry, or of the opening.
    pub(super) last_ms: Option<i64>,
}

/// A movement as an export shows it.
pub(super) struct Entry<'a> {
    pub(super) movement: &'a Movement,
    /// What it brought or took was worth, where a price was recorded.
    pub(super) value: Option<Value>,
}

impl Entry<'_> {
    /// What it is; a fact without a word of its own goes by its type.
    pub(super) fn name(&self) -> &str {
        match self.movement.what {
            What::Other => &self.movement.fact_type,
            what => what.name(),
        }
    }
}

/// Writes the movements of a window. The same facts give the same bytes.
///
/// # Errors
/// [`BooksError`].
pub async fn export(
    audit: &Audit,
    format: Format,
    window: Window,
    valuing: &Valuing,
    out: &mut (dyn Write + Send),
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, BooksError> {
    let book = know(audit, window, valuing, progress).await?;
    let mut koinly = Koinly::default();
    match format {
        Format::Csv => csv::begin(out)?,
        Format::Jsonl => {}
        Format::Koinly => koinly.begin(out)?,
        Format::Hledger => hledger::begin(out, &book)?,
    }
    let mut entries = 0;
    walk(audit, Some(book.head), progress, |step| {
        let Step::Told(Told::Moved(movement)) = step else {
            return Ok(());
        };
        if !window.holds(movement.at_ms) {
            return Ok(());
        }
        entries += 1;
        let net = Some(movement.net_msat()).filter(|net| *net != 0);
        let value = book.valuer.as_ref().zip(net);
        let entry = Entry {
            movement: &movement,
            value: value.and_then(|(valuer, net)| valuer.value(net, movement.at_ms)),
        };
        match format {
            Format::Csv => csv::entry(out, &book.network, &entry)?,
            Format::Jsonl => jsonl::entry(out, &book.network, &entry)?,
            Format::Koinly => koinly.entry(out, &book.network, &entry)?,
            Format::Hledger => hledger::entry(out, &entry)?,
        }
        Ok(())
    })
    .await?;
    match format {
        Format::Csv | Format::Jsonl => {}
        Format::Koinly => koinly.end(out)?,
        Format::Hledger => hledger::end(out, &book)?,
    }
    out.flush()?;
    Ok(Summary {
        entries,
        head: book.head,
    })
}

/// Every observed price.
pub(super) async fn prices(
    audit: &Audit,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Prices, BooksError> {
    let mut prices = Prices::default();
    walk(audit, None, progress, |step| {
        if let Step::Fact(fact) = step {
            prices.apply(fact);
        }
        Ok(())
    })
    .await?;
    Ok(prices)
}

async fn know(
    audit: &Audit,
    window: Window,
    valuing: &Valuing,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Book, BooksError> {
    let mut prices = Prices::default();
    let mut book = Book {
        ledger_id: String::new(),
        network: String::new(),
        head: Head::empty(),
        window,
        opening: Balances::new(),
        closing: Balances::new(),
        differences: None,
        valuer: None,
        last_ms: None,
    };
    let mut comparing = Comparing::default();
    let (head, _) = walk(audit, None, progress, |step| {
        match step {
            Step::Fact(fact) => {
                comparing.apply(fact);
                prices.apply(fact);
                if let Event::LedgerOpened(m) = &fact.event {
                    book.ledger_id = hex::encode(&m.ledger_id);
                    book.network.clone_from(&m.network);
                }
            }
            Step::Told(Told::Moved(movement)) => book.count(&movement),
            Step::Told(Told::Unpaid(_)) => {}
        }
        Ok(())
    })
    .await?;
    book.head = head;
    book.valuer = Valuer::of(&prices, valuing);
    book.differences = (window.to_ms == i64::MAX).then(|| comparing.differences());
    book.opening.retain(|_, msat| *msat != 0);
    if book.last_ms.is_none() && !book.opening.is_empty() {
        book.last_ms = Some(window.from_ms);
    }
    Ok(book)
}

impl Book {
    fn count(&mut self, movement: &Movement) {
        if movement.at_ms >= self.window.to_ms {
            return;
        }
        let before = movement.at_ms < self.window.from_ms;
        for posting in &movement.postings {
            *self.closing.entry(posting.account).or_default() += posting.amount_msat;
            if before {
                *self.opening.entry(posting.account).or_default() += posting.amount_msat;
            }
        }
        if !before {
            self.last_ms = self.last_ms.max(Some(movement.at_ms));
        }
    }
}
