//! Koinly's universal CSV: what entered and left the wallet, one row each. Its columns are those of Koinly's page
//! "How to create a custom CSV file"; a row without movement between the wallet and others is none of its business.
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use autopilot_events::words::PaymentHash;
use autopilot_projections::movements::{Movement, What};

use super::{amounts, csv, export::Entry};

const COLUMNS: [&str; 12] = [
    "Date",
    "Sent Amount",
    "Sent Currency",
    "Received Amount",
    "Received Currency",
    "Fee Amount",
    "Fee Currency",
    "Net Worth Amount",
    "Net Worth Currency",
    "Label",
    "Description",
    "TxHash",
];

/// Rows that wait: what was paid before its work is income once that is delivered. Bounded by what is owed.
#[derive(Default)]
pub(super) struct Koinly {
    owed: BTreeMap<PaymentHash, Vec<String>>,
}

impl Koinly {
    pub(super) fn begin(&self, out: &mut dyn Write) -> io::Result<()> {
        csv::row(out, &COLUMNS.map(str::to_owned))
    }

    pub(super) fn entry(&mut self, out: &mut dyn Write, network: &str, entry: &Entry<'_>) -> io::Result<()> {
        let movement = entry.movement;
        let waiting = movement.payment_hash.and_then(|hash| self.owed.remove(&hash));
        if let (What::JobDelivered, Some(mut row)) = (movement.what, waiting) {
            row[LABEL] = "income".to_owned();
            row[DESCRIPTION] = description(entry);
            return csv::row(out, &row);
        }
        let (net, fees) = (movement.net_msat(), movement.fees_msat());
        if net == 0 && fees == 0 {
            return Ok(());
        }
        let row = fields(network, entry, net, fees);
        match (movement.what, movement.payment_hash) {
            (What::JobPrepaid, Some(hash)) => {
                self.owed.insert(hash, row);
                Ok(())
            }
            _ => csv::row(out, &row),
        }
    }

    /// What is still owed is no income.
    pub(super) fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        std::mem::take(&mut self.owed)
            .values()
            .try_for_each(|row| csv::row(out, row))
    }
}

const LABEL: usize = 9;
const DESCRIPTION: usize = 10;

fn fields(network: &str, entry: &Entry<'_>, net: i128, fees: i128) -> Vec<String> {
    let movement = entry.movement;
    let currency = currency(network);
    let sum = |msat: i128| match msat > 0 {
        true => [amounts::btc(msat), currency.clone()],
        false => [String::new(), String::new()],
    };
    // A fee alone is something sent, as Koinly sees it.
    let (sent, fee) = if net == 0 { (fees, 0) } else { (-net, fees) };
    let hash = movement.payment_hash.map(String::from);
    let mut row = vec![amounts::seconds(movement.at_ms)];
    row.extend(sum(sent));
    row.extend(sum(net));
    row.extend(sum(fee));
    row.extend(match &entry.value {
        None => [String::new(), String::new()],
        Some(value) => [
            amounts::decimal(value.amount.abs(), value.decimals),
            csv::text(&value.currency),
        ],
    });
    row.push(label(movement, net).to_owned());
    row.push(description(entry));
    row.push(csv::text(&hash.unwrap_or_else(|| movement.reference.clone())));
    row
}

/// Only bitcoin is bitcoin: sums of a test network must not be taken for it.
fn currency(network: &str) -> String {
    match network {
        "bitcoin" => "BTC".to_owned(),
        other => format!("{}BTC", other.to_uppercase()),
    }
}

fn label(movement: &Movement, net: i128) -> &'static str {
    match movement.what {
        What::JobPaid | What::JobDelivered => "income",
        What::Purchase => "cost",
        _ if net == 0 => "cost",
        _ => "",
    }
}

fn description(entry: &Entry<'_>) -> String {
    let subject = &entry.movement.subject;
    let of = match (subject.id, entry.movement.what) {
        (Some(id), What::Purchase) => format!(": purchase {id}"),
        (Some(id), _) => format!(": job {id}"),
        (None, _) => String::new(),
    };
    csv::text(&format!("{}{of}", entry.name()))
}
