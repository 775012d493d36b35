//! Comma-separated values as RFC 4180 has them, one row a movement. Text that a spreadsheet would run as a formula gets
//! an apostrophe in front (OWASP, "CSV injection").
use std::io::{self, Write};

use super::{amounts, export::Entry};

/// The columns.
const COLUMNS: [&str; 17] = [
    "date",
    "sequence",
    "entry",
    "amount_msat",
    "fee_msat",
    "skimmed_msat",
    "network",
    "job_id",
    "counterparty",
    "kind",
    "model",
    "payment_hash",
    "reference",
    "value",
    "value_currency",
    "value_source",
    "value_observed_at",
];

/// A row, its fields quoted where they have to be. Lines end as RFC 4180 says.
pub(super) fn row(out: &mut dyn Write, fields: &[String]) -> io::Result<()> {
    let quoted: Vec<String> = fields.iter().map(|field| quote(field)).collect();
    write!(out, "{}\r\n", quoted.join(","))
}

fn quote(field: &str) -> String {
    match field.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

/// Text of others, which no spreadsheet may run.
pub(super) fn text(field: &str) -> String {
    match field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => format!("'{field}"),
        false => field.to_owned(),
    }
}

pub(super) fn begin(out: &mut dyn Write) -> io::Result<()> {
    row(out, &COLUMNS.map(str::to_owned))
}

pub(super) fn entry(out: &mut dyn Write, network: &str, entry: &Entry<'_>) -> io::Result<()> {
    let movement = entry.movement;
    let subject = &movement.subject;
    let fields = [
        amounts::utc(movement.at_ms),
        movement.sequence.to_string(),
        text(entry.name()),
        movement.net_msat().to_string(),
        movement.fees_msat().to_string(),
        movement.skimmed_msat.to_string(),
        text(network),
        subject.id.map(String::from).unwrap_or_default(),
        subject.counterparty.map(String::from).unwrap_or_default(),
        subject.kind.map(|kind| kind.to_string()).unwrap_or_default(),
        text(subject.model.as_deref().unwrap_or_default()),
        movement.payment_hash.map(String::from).unwrap_or_default(),
        text(&movement.reference),
    ];
    let value = match &entry.value {
        None => [const { String::new() }; 4],
        Some(value) => [
            amounts::decimal(value.amount, value.decimals),
            text(&value.currency),
            text(&value.source),
            amounts::utc(value.observed_at_ms),
        ],
    };
    row(out, &[&fields[..], &value[..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_run_nothing() {
        let mut out = Vec::new();
        let fields = [
            "a,b",
            "say \"hi\"",
            "two\nlines",
            &text("=1+1"),
            &text("plain"),
            "-5",
        ];
        row(&mut out, &fields.map(str::to_owned)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",'=1+1,plain,-5\r\n"
        );
    }
}
