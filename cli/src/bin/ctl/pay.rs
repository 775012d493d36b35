//! Paying an invoice: decoded and shown first, then approved, then paid within a fee ceiling.
use autopilot_cli::money::{show_msat, show_on};
use autopilot_proto::control::v1::{DecodeReply, DecodeRequest, PayReply, PayRequest};

use crate::{
    args::Yes,
    confirm::{confirm, rehearsed},
    connect::{Client, call, call_waiting},
    failure::{Failure, Kind, Outcome},
    output::{Out, at, clean_line, fields},
};

/// What somebody wants to be paid.
pub struct Wish {
    pub invoice: String,
    pub amount_msat: Option<u64>,
    pub fee_ceiling_msat: Option<u64>,
    pub wait_s: u32,
}

/// 1 % of the sum, at least 5 sat.
pub fn default_fee_ceiling_msat(amount_msat: u64) -> u64 {
    (amount_msat / 100).max(5_000)
}

pub async fn pay(client: &mut Client, out: Out, wish: Wish, yes: Yes) -> Outcome {
    let request = DecodeRequest {
        payment_request: wish.invoice.clone(),
    };
    let decoded = call(client.decode(request)).await?;
    let amount_msat = amount(&decoded, wish.amount_msat)?;
    let fee_ceiling_msat = wish
        .fee_ceiling_msat
        .unwrap_or_else(|| default_fee_ceiling_msat(amount_msat));
    let what = summary(&decoded, amount_msat, fee_ceiling_msat);
    if yes.dry_run {
        return rehearsed(out, &what);
    }
    confirm(out, yes, &what)?;
    let request = PayRequest {
        payment_request: wish.invoice,
        // Only an invoice without an amount leaves it to the payer.
        amount_msat: decoded.amount_msat.is_none().then_some(amount_msat),
        fee_ceiling_msat,
        wait_s: wish.wait_s,
    };
    let reply = call_waiting(wish.wait_s, client.pay(request)).await?;
    out.show(&reply, |reply| text(reply, &decoded.network))?;
    match reply.status.as_str() {
        "failed" => {
            let message = format!("the payment failed, nothing was paid: {}", reply.reason);
            Err(Failure::new(Kind::Refused, "payment-failed", message).next("autopilotctl wallet balance"))
        }
        "pending" if wish.wait_s > 0 => {
            let message =
                "the payment is still under way; it is not paid twice, but do not pay another invoice for it";
            Err(Failure::new(Kind::Timeout, "timeout", message).next("autopilotctl wallet history"))
        }
        _ => Ok(()),
    }
}

fn amount(decoded: &DecodeReply, wished: Option<u64>) -> Outcome<u64> {
    match (decoded.amount_msat, wished) {
        (Some(asked), Some(wished)) if asked != wished => Err(Failure::usage(format!(
            "the invoice asks for {}, not {}: leave the amount out",
            show_msat(asked),
            show_msat(wished)
        ))),
        (Some(asked), _) => Ok(asked),
        (None, Some(wished)) => Ok(wished),
        (None, None) => Err(Failure::usage(
            "the invoice names no amount: add AMOUNT (such as 10sat) or --sats N",
        )),
    }
}

fn summary(decoded: &DecodeReply, amount_msat: u64, fee_ceiling_msat: u64) -> String {
    fields(&[
        ("pay", show_on(amount_msat, &decoded.network)),
        ("to", decoded.payee.clone()),
        ("fee ceiling", show_msat(fee_ceiling_msat)),
        ("hash", decoded.payment_hash.clone()),
        ("expires", at(decoded.expires_at_ms)),
        ("they say", clean_line(&decoded.description)),
    ])
}

fn text(reply: &PayReply, network: &str) -> String {
    fields(&[
        ("status", reply.status.clone()),
        (
            "amount",
            reply
                .amount_msat
                .map(|msat| show_on(msat, network))
                .unwrap_or_default(),
        ),
        ("fee", reply.fee_msat.map(show_msat).unwrap_or_default()),
        ("hash", reply.payment_hash.clone()),
        ("receipt", reply.preimage.clone()),
        ("reason", clean_line(&reply.reason)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_invoices_or_ours_never_a_guess() {
        let decoded = |amount_msat| DecodeReply {
            amount_msat,
            ..DecodeReply::default()
        };
        assert_eq!(amount(&decoded(Some(5)), None).unwrap(), 5);
        assert_eq!(amount(&decoded(None), Some(7)).unwrap(), 7);
        assert_eq!(amount(&decoded(Some(5)), Some(7)).unwrap_err().exit_code(), 2);
        assert_eq!(amount(&decoded(None), None).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn small_sums_have_a_ceiling_that_a_hop_fits_into() {
        assert_eq!(default_fee_ceiling_msat(10_000), 5_000);
        assert_eq!(default_fee_ceiling_msat(10_000_000), 100_000);
    }
}
