//! A journal for hledger (and its kin): one transaction a movement, with its postings, and the balances asserted at the
//! end. Passes `hledger check --strict`: accounts and commodity are declared. Dates are days in UTC.
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use autopilot_projections::{accounts::Account, movements::What};

use super::{
    amounts,
    export::{Book, Entry},
};

/// Where balances from before the window come from.
const OPENING: &str = "equity:opening";

pub(super) fn begin(out: &mut dyn Write, book: &Book) -> io::Result<()> {
    writeln!(out, "; Ledger {} on {}", book.ledger_id, clean(&book.network))?;
    if book.network != "bitcoin" {
        writeln!(out, "; These sats have no value.")?;
    }
    writeln!(
        out,
        "; Up to fact {}, chain {}",
        book.head.sequence, book.head.chain
    )?;
    writeln!(
        out,
        "; Dates are days in UTC; amounts are exact to the millisatoshi.\n"
    )?;
    writeln!(out, "decimal-mark .\ncommodity 1000.000 sat\n")?;
    let unexplained = [Account::EquityUnexplained];
    let accounts: BTreeSet<&Account> = book.closing.keys().chain(&unexplained).collect();
    for account in accounts {
        writeln!(out, "account {}", account.name())?;
    }
    if let Some(valuer) = &book.valuer {
        let currency = valuer.currency();
        writeln!(out, "commodity 1000.00 {currency}")?;
        for (at_ms, quote) in valuer
            .prices()
            .of(currency)
            .filter(|(at_ms, _)| *at_ms < book.window.to_ms)
        {
            // One bitcoin is 10^8 satoshi.
            let price = amounts::decimal(quote.per_btc.into(), quote.decimals + 8);
            let (day, source) = (amounts::day(at_ms), clean(&quote.source));
            writeln!(
                out,
                "P {day} sat {price} {currency}  ; {source}, {}",
                amounts::utc(at_ms)
            )?;
        }
    }
    if book.opening.is_empty() {
        return Ok(());
    }
    writeln!(out, "account {OPENING}")?;
    writeln!(out, "\n{} opening balances", amounts::day(book.window.from_ms))?;
    for (account, msat) in &book.opening {
        posting(out, account.name(), *msat)?;
    }
    posting(out, OPENING, -book.opening.values().sum::<i128>())
}

pub(super) fn entry(out: &mut dyn Write, entry: &Entry<'_>) -> io::Result<()> {
    let movement = entry.movement;
    let subject = &movement.subject;
    let of = match (subject.id, movement.what) {
        (Some(id), What::Purchase) => format!(" | purchase {id}"),
        (Some(id), _) => format!(" | job {id}"),
        (None, _) => String::new(),
    };
    let day = amounts::day(movement.at_ms);
    writeln!(out, "\n{day} ({}) {}{of}", movement.sequence, clean(entry.name()))?;
    let tag = |out: &mut dyn Write, name: &str, value: &str| match value.is_empty() {
        true => Ok(()),
        false => writeln!(out, "    ; {name}: {}", clean(value)),
    };
    tag(out, "time", &amounts::utc(movement.at_ms))?;
    tag(
        out,
        "counterparty",
        &subject.counterparty.map(String::from).unwrap_or_default(),
    )?;
    tag(out, "model", subject.model.as_deref().unwrap_or_default())?;
    tag(
        out,
        "payment_hash",
        &movement.payment_hash.map(String::from).unwrap_or_default(),
    )?;
    tag(out, "reference", &movement.reference)?;
    if let Some(value) = &entry.value {
        let amount = amounts::decimal(value.amount, value.decimals);
        let (source, at) = (&value.source, amounts::utc(value.observed_at_ms));
        tag(
            out,
            "value",
            &format!("{amount} {} by {source} at {at}", value.currency),
        )?;
    }
    movement
        .postings
        .iter()
        .try_for_each(|p| posting(out, p.account.name(), p.amount_msat))
}

/// The balances that every account must have now: those that the wallet showed, where it did. What no fact explains is
/// posted as that.
pub(super) fn end(out: &mut dyn Write, book: &Book) -> io::Result<()> {
    let Some(last_ms) = book.last_ms else {
        return Ok(());
    };
    let mut closing = book.closing.clone();
    closing.entry(Account::EquityUnexplained).or_default();
    for compared in book
        .differences
        .iter()
        .flat_map(|differences| &differences.accounts)
    {
        let msat = compared.unexplained_msat;
        if msat == 0 {
            continue;
        }
        writeln!(
            out,
            "\n{} shown by the wallet, explained by no fact",
            amounts::day(last_ms)
        )?;
        posting(out, compared.account.name(), msat)?;
        posting(out, Account::EquityUnexplained.name(), -msat)?;
        *closing.entry(compared.account).or_default() += msat;
        *closing.entry(Account::EquityUnexplained).or_default() -= msat;
    }
    let shown = book
        .differences
        .as_ref()
        .map_or(0, |differences| differences.observed_at_fact);
    writeln!(
        out,
        "\n{} balances at fact {}",
        amounts::day(last_ms),
        book.head.sequence
    )?;
    if shown > 0 {
        writeln!(
            out,
            "    ; Lightning and on chain as the wallet showed them: fact {shown}"
        )?;
    }
    for (account, msat) in &closing {
        writeln!(
            out,
            "    {:<28}  0.000 sat = {} sat",
            account.name(),
            amounts::sat(*msat)
        )?;
    }
    Ok(())
}

fn posting(out: &mut dyn Write, account: &str, msat: i128) -> io::Result<()> {
    writeln!(out, "    {account:<28}  {} sat", amounts::sat(msat))
}

/// Text that ends no line, no comment and no tag.
fn clean(text: &str) -> String {
    let plain = |c: char| match c {
        ';' | ',' | '|' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// Balances by account.
pub(super) type Balances = BTreeMap<Account, i128>;
