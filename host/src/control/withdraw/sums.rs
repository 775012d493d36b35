//! How much leaves, and what is set aside: for a given sum, and for everything.
use autopilot_core::ports::wallet::{Balances, NodeId};
use autopilot_events::words::Msat;
use autopilot_proto::control::v1 as pb;
use tonic::{Code, Status};

use crate::control::errors::{coded, invalid};

/// The least that a fee ceiling is by default: a small sum needs room for one hop's base fee.
const LEAST_CEILING: Msat = Msat(5_000);

/// A sum over Lightning with its fee ceiling, and what is to be said about both.
#[derive(Debug, PartialEq)]
pub(super) struct Sum {
    pub(super) amount: Msat,
    pub(super) ceiling: Msat,
    pub(super) notes: Vec<String>,
}

/// What a way to pay allows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// It asks for this, neither more nor less.
    pub(super) fixed: Option<Msat>,
    /// The most that it takes.
    pub(super) most: Option<Msat>,
    /// Who is paid, where that is known.
    pub(super) payee: Option<NodeId>,
    /// It takes whole satoshi only.
    pub(super) whole_sat: bool,
}

/// 1 % of the sum, at least 5 sat.
fn default_ceiling(amount: Msat) -> Msat {
    Msat(amount.0 / 100).max(LEAST_CEILING)
}

/// The largest ceiling of 1 % or 5 sat that fits into `limit` beside its sum.
fn ceiling_within(limit: Msat) -> Msat {
    Msat(limit.0.div_ceil(101)).max(LEAST_CEILING)
}

/// The sum that a person asked for, or that the destination asks for.
pub(super) fn given(
    request: &pb::PlanWithdrawalRequest,
    linked: Option<Msat>,
    terms: Terms,
    live: &Balances,
) -> Result<Sum, Status> {
    if let (Some(fixed), Some(given)) = (terms.fixed.or(linked), request.amount_msat.map(Msat))
        && fixed != given
    {
        return Err(invalid(format!(
            "it asks for {fixed}, not {given}: leave the amount out"
        )));
    }
    let asked = request.amount_msat.map(Msat).or(terms.fixed).or(linked);
    let amount =
        asked.ok_or_else(|| invalid("it names no amount: add AMOUNT (such as 10sat), --sats N, or --all"))?;
    let ceiling = request.fee_ceiling_msat.map_or(default_ceiling(amount), Msat);
    let left = Msat(live.spendable.0.saturating_sub(amount.0));
    let mut notes = Vec::new();
    if amount <= live.spendable && left < ceiling {
        notes.push(format!(
            "only {left} is left for fees: a dearer route fails, and nothing is paid"
        ));
    }
    Ok(Sum {
        amount,
        ceiling,
        notes,
    })
}

/// All that can leave over Lightning, with the fee set aside.
pub(super) fn everything(
    request: &pb::PlanWithdrawalRequest,
    terms: Terms,
    live: &Balances,
) -> Result<Sum, Status> {
    if let Some(fixed) = terms.fixed {
        return Err(invalid(format!(
            "it asks for {fixed}, no more and no less: leave --all out"
        )));
    }
    let limit = live.spendable;
    // To the other end of our own channel there is no hop that could charge.
    let direct = terms.payee.is_some_and(|payee| {
        live.channels
            .iter()
            .filter(|c| c.usable)
            .all(|c| c.counterparty == payee)
    });
    let ceiling = match request.fee_ceiling_msat {
        Some(ceiling) => Msat(ceiling),
        None if direct => Msat::ZERO,
        None => ceiling_within(limit),
    };
    let mut amount = Msat(limit.0.saturating_sub(ceiling.0));
    if amount == Msat::ZERO {
        let why = format!(
            "{limit} can leave over Lightning now, and {ceiling} of it would be set aside for fees: choose a lower --fee-ceiling"
        );
        return Err(coded(Code::FailedPrecondition, "insufficient-funds", why));
    }
    let mut notes = vec![match ceiling {
        Msat::ZERO => format!("{limit} can leave over Lightning now, and nothing is set aside for fees"),
        _ => format!(
            "{limit} can leave over Lightning now; {ceiling} of it is set aside for fees, and what they don't take stays"
        ),
    }];
    if let Some(most) = terms.most.filter(|most| *most < amount) {
        notes.push(format!(
            "the payee takes at most {most} at once: {} stays for another time",
            Msat(amount.0 - most.0)
        ));
        amount = most;
    }
    if terms.whole_sat && !amount.0.is_multiple_of(1_000) {
        notes.push(format!(
            "the payee is asked for whole satoshi: {} stays",
            Msat(amount.0 % 1_000)
        ));
        amount = Msat(amount.0 / 1_000 * 1_000);
    }
    notes.extend(what_stays(live));
    Ok(Sum {
        amount,
        ceiling,
        notes,
    })
}

/// What is ours and can't leave over Lightning now, each with its reason.
fn what_stays(live: &Balances) -> Vec<String> {
    let reserved = format!(
        "{} is ours and can't leave: the channels' reserve and what they keep for fees, until they close",
        live.reserved
    );
    let offline = format!("{} is in channels whose peer is not connected now", live.offline);
    let onchain = format!(
        "{} sat are on chain: withdraw --all to an address sends them",
        live.onchain_spendable_sat
    );
    let all = [
        (live.reserved > Msat::ZERO, reserved),
        (live.offline > Msat::ZERO, offline),
        (live.onchain_spendable_sat > 0, onchain),
    ];
    all.into_iter()
        .filter(|(there, _)| *there)
        .map(|(_, words)| words)
        .collect()
}

/// What is to be said about a send on chain.
pub(super) fn onchain_notes(amount_sat: Option<u64>, live: &Balances) -> Vec<String> {
    let fee = match amount_sat {
        Some(_) => "the miners' fee comes on top, at the wallet's estimate for the next blocks".to_owned(),
        None => format!(
            "{} sat can leave; the miners' fee is taken out of it, at the wallet's estimate for the next blocks",
            live.onchain_spendable_sat
        ),
    };
    let mut notes = vec![fee];
    if live.onchain_reserve_sat > 0 {
        notes.push(format!(
            "{} sat stay on chain as a reserve: with them a channel can be closed by force, which needs a fee at that time; closing the channels sets them free",
            live.onchain_reserve_sat
        ));
    }
    let waiting = live
        .onchain_total_sat
        .saturating_sub(live.onchain_spendable_sat + live.onchain_reserve_sat);
    if waiting > 0 {
        notes.push(format!(
            "{waiting} sat are not spendable yet: they wait for a block"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(spendable_msat: u64) -> Balances {
        Balances {
            spendable: Msat(spendable_msat),
            reserved: Msat(1_000_000),
            ..Balances::default()
        }
    }

    fn request(ceiling: Option<u64>) -> pb::PlanWithdrawalRequest {
        pb::PlanWithdrawalRequest {
            all: true,
            fee_ceiling_msat: ceiling,
            ..Default::default()
        }
    }

    #[test]
    fn everything_and_its_ceiling_are_what_can_leave() {
        for limit in [5_001, 100_000, 504_999, 505_000, 505_001, 10_000_000, 123_456_789] {
            let sum = everything(&request(None), Terms::default(), &live(limit)).unwrap();
            assert_eq!(sum.amount.0 + sum.ceiling.0, limit);
            // The ceiling is what it would be for that sum by itself, to the rounding.
            assert!(
                sum.ceiling.0.abs_diff(default_ceiling(sum.amount).0) <= 1,
                "{sum:?}"
            );
        }
        let sum = everything(&request(Some(0)), Terms::default(), &live(100)).unwrap();
        assert_eq!((sum.amount, sum.ceiling), (Msat(100), Msat::ZERO));
        let none = everything(&request(None), Terms::default(), &live(5_000)).unwrap_err();
        assert!(none.message().contains("lower --fee-ceiling"));
    }

    #[test]
    fn what_stays_is_explained_to_the_millisatoshi() {
        let terms = Terms {
            most: Some(Msat(50_500)),
            whole_sat: true,
            ..Terms::default()
        };
        let sum = everything(&request(Some(0)), terms, &live(60_700)).unwrap();
        assert_eq!(sum.amount, Msat(50_000));
        let words = sum.notes.join("\n");
        for said in [
            "60.700 sat can leave",
            "10.200 sat stays for another time",
            "0.500 sat stays",
            "1000 sat is ours",
        ] {
            assert!(words.contains(said), "{said} in {words}");
        }
    }
}
