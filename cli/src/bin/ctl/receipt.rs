//! The receipt of a payment, read from the ledger without a host or beside one.
use std::path::Path;

use autopilot_cli::money::{show_msat, show_on};
use autopilot_host::audit::{Audit, Receipt};

use crate::{
    failure::{Failure, Kind, Outcome},
    output::{Out, at, clean_line, fields},
};

pub async fn receipt(home: &Path, out: Out, hash: &str) -> Outcome {
    if hash.len() != 64 || !hash.chars().all(|c| c.is_ascii_hexdigit()) {
        let usage = Failure::usage("a payment hash has 64 hexadecimal digits");
        return Err(usage.next("autopilotctl wallet history"));
    }
    let found = Audit::open(home).await?.receipt(hash).await?;
    let receipt = found.ok_or_else(|| {
        let message = "no payment of this hash went out and arrived";
        Failure::new(Kind::NotFound, "not-found", message).next("autopilotctl wallet history")
    })?;
    out.show(&receipt, text)?;
    match (receipt.preimage_matches, receipt.preimage.as_str()) {
        (true, _) => Ok(()),
        (false, "") => {
            let message = "the wallet did not keep the preimage: the ledger says that it was paid, and nothing proves it to others";
            Err(Failure::new(Kind::Refused, "no-preimage", message))
        }
        (false, _) => {
            let message = "the preimage does not fit the payment hash: this proves nothing";
            Err(Failure::new(Kind::Refused, "preimage-wrong", message).next("autopilotctl ledger verify"))
        }
    }
}

fn text(receipt: &Receipt) -> String {
    let checked = match receipt.preimage_matches {
        true => "  its SHA-256 is the hash: checked",
        false => "",
    };
    let facts = match receipt.approved_sequence {
        0 => format!("{} paid; no approval is known", receipt.sent_sequence),
        approved => format!("{approved} approved, {} paid", receipt.sent_sequence),
    };
    fields(&[
        ("paid", show_on(receipt.amount_msat, &receipt.network)),
        ("fee", show_msat(receipt.fee_msat)),
        (
            "fee ceiling",
            receipt.fee_ceiling_msat.map(show_msat).unwrap_or_default(),
        ),
        ("at", at(receipt.settled_at_ms)),
        (
            "for",
            format!("{} {}", receipt.purpose, receipt.belongs_to)
                .trim()
                .to_owned(),
        ),
        ("destination", clean_line(&receipt.destination)),
        ("by way of", receipt.path.join(" → ")),
        ("word of", clean_line(&receipt.authority)),
        ("payee", receipt.payee.clone()),
        ("hash", receipt.payment_hash.clone()),
        ("preimage", format!("{}{checked}", receipt.preimage)),
        ("facts", facts),
    ])
}
