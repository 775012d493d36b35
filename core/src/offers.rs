//! BOLT12 offers: what leaves is approved by intent, because its payment hash is not known before the payee answers.
use autopilot_events::{
    Draft,
    pb::{self, PaymentPurpose, Source},
    words::Msat,
};
use autopilot_projections::State;

use crate::{
    draft::fact,
    refund,
    refusal::{Code, Refusal},
};

/// An offer as somebody else wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// As given.
    pub bolt12: String,
    /// Names the offer, 32 bytes.
    pub offer_id: [u8; 32],
    /// The issuer's signing key, 33 bytes; empty where the offer hides it.
    pub payee: Vec<u8>,
    /// What it asks for; `None`: the payer chooses.
    pub amount: Option<Msat>,
    /// Where it can be paid: `bitcoin`, `testnet`, `signet` or `regtest`.
    pub networks: Vec<String>,
    /// When it runs out, if ever.
    pub expires_at_ms: Option<i64>,
}

/// A payment to an offer that somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferWish {
    /// Names the intent: the wallet pays at most once for it.
    pub intent_id: [u8; 16],
    /// Whom.
    pub offer: Offer,
    /// How much; `None`: what the offer asks for.
    pub amount: Option<Msat>,
    /// Routing fees above this fail the payment.
    pub fee_ceiling: Msat,
    /// Why.
    pub purpose: PaymentPurpose,
    /// The job that is refunded; empty otherwise.
    pub job_id: Vec<u8>,
    /// What a person's destination turned out to be, where one was given.
    pub resolution: Option<pb::Resolution>,
}

/// The approval of a payment to an offer: with it the payment is outstanding.
///
/// # Errors
/// A refusal when the offer can't be paid on this network, has run out, asks for another amount, when the intent is
/// under way already, or when there is not enough to send.
pub fn approve(state: &State, wish: OfferWish, by: Source, now_ms: i64) -> Result<Vec<Draft>, Refusal> {
    let unusable = |sentence: String| Err(Refusal::new(Code::InvoiceUnusable, sentence));
    let identity = state.provider.identity.as_ref();
    let network = identity.map(|i| i.network.as_str()).unwrap_or_default();
    let amount = match (wish.offer.amount, wish.amount) {
        (Some(asked), Some(given)) if asked != given => {
            return unusable(format!(
                "the offer asks for {asked}, not {given}: leave the amount out"
            ));
        }
        (Some(asked), _) => asked,
        (None, Some(given)) => given,
        (None, None) => return unusable("the offer names no amount: say how much to pay".to_owned()),
    };
    if amount == Msat::ZERO {
        return unusable("nothing is to be paid: the amount must be at least 1 msat".to_owned());
    }
    if !wish.offer.networks.iter().any(|there| there == network) {
        let there = wish.offer.networks.join(", ");
        return unusable(format!(
            "the offer can be paid on {there}, and this wallet is of {network}"
        ));
    }
    if wish.offer.expires_at_ms.is_some_and(|end| end <= now_ms) {
        return unusable("the offer has run out: ask for a new one".to_owned());
    }
    if state.wallet.offer(&wish.intent_id).is_some() {
        return Err(Refusal::new(
            Code::AlreadyPaid,
            "this intent is being paid already",
        ));
    }
    let spendable = Msat(state.wallet.figures.spendable_msat);
    if amount > spendable {
        return Err(Refusal::new(
            Code::InsufficientFunds,
            format!("{amount} is more than the {spendable} that can be sent now"),
        ));
    }
    let approved = pb::OfferApproved {
        intent_id: wish.intent_id.to_vec(),
        offer_id: wish.offer.offer_id.to_vec(),
        bolt12: wish.offer.bolt12,
        payee: wish.offer.payee,
        amount_msat: amount.0,
        fee_ceiling_msat: wish.fee_ceiling.0,
        purpose: wish.purpose as i32,
        job_id: wish.job_id,
        resolution: wish.resolution,
    };
    Ok(vec![Draft {
        correlation: approved.intent_id.clone(),
        ..fact("wallet", by, approved)
    }])
}

/// A payment to an offer ended without success. Counts once, and only for what is outstanding.
pub fn failed(state: &State, failed: pb::OfferFailed) -> Vec<Draft> {
    if state.wallet.offer(&failed.intent_id).is_none() {
        return Vec::new();
    }
    let owed = refund::unsettled(state, &[], &failed.intent_id, &failed.reason);
    let failed = Draft {
        correlation: failed.intent_id.clone(),
        ..fact("wallet", Source::Wallet, failed)
    };
    std::iter::once(failed).chain(owed).collect()
}
