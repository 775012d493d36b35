//! JSON Lines, one object a movement, with its postings.
use std::io::{self, Write};

use serde_json::json;

use super::{amounts, export::Entry};

pub(super) fn entry(out: &mut dyn Write, network: &str, entry: &Entry<'_>) -> io::Result<()> {
    let movement = entry.movement;
    let subject = &movement.subject;
    let postings: Vec<_> = movement
        .postings
        .iter()
        .map(|posting| json!({ "account": posting.account.name(), "msat": posting.amount_msat as i64 }))
        .collect();
    let value = entry.value.as_ref().map(|value| {
        json!({
            "amount": amounts::decimal(value.amount, value.decimals),
            "currency": value.currency,
            "source": value.source,
            "observed_at": amounts::utc(value.observed_at_ms),
        })
    });
    let line = json!({
        "sequence": movement.sequence,
        "at_ms": movement.at_ms,
        "date": amounts::utc(movement.at_ms),
        "entry": entry.name(),
        "fact": movement.fact_type,
        "network": network,
        "amount_msat": movement.net_msat() as i64,
        "fee_msat": movement.fees_msat() as i64,
        "skimmed_msat": movement.skimmed_msat,
        "postings": postings,
        "job_id": subject.id,
        "counterparty": subject.counterparty,
        "kind": subject.kind,
        "model": subject.model,
        "prompt_tokens": subject.tokens.0,
        "output_tokens": subject.tokens.1,
        "payment_hash": movement.payment_hash,
        "reference": movement.reference,
        "value": value,
    });
    writeln!(out, "{line}")
}
