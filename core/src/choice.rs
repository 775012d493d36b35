//! The choice of a windowed purchase: of the offers whose invoice can still be paid the cheapest, of equal ones the
//! earliest. The others are told that they lost.
use autopilot_events::{
    Draft,
    pb::{self, Source},
    words::{EventId, JobId, Msat},
};
use autopilot_projections::{
    State,
    purchases::{Candidate, Purchase},
};

use crate::{buyer::LOST, draft::of_purchase, input::Bill, money};

/// Whether the window is over and the choice is still to be made.
pub fn is_due(purchase: &Purchase, now_ms: i64) -> bool {
    let over = now_ms >= purchase.terms.choose_at_ms;
    over && purchase.winner.is_none() && !purchase.candidates.is_empty()
}

/// Chooses, once the window is over. Without an offer by then the first valid one wins, as in a race.
pub fn choose(state: &State, id: &JobId, purchase: &Purchase, now_ms: i64) -> Vec<Draft> {
    if !is_due(purchase, now_ms) {
        return Vec::new();
    }
    let payable = purchase.candidates.iter().filter(|(_, offer)| {
        let hash = &offer.payment_hash;
        let free = state.wallet.outgoing_by_hash(hash).is_none() && !state.purchases.was_won(hash);
        free && offer.expires_at_ms > now_ms
    });
    let best = payable.min_by_key(|(_, offer)| (offer.amount_msat, offer.sequence));
    let mut drafts = Vec::new();
    let Some((event_id, offer)) = best else {
        // Every invoice ran out within the window: nothing can be paid, and everybody is told.
        drafts.push(money::closed(
            id,
            "no offer could still be paid at the window's end",
        ));
        drafts.extend(all_lost(id, purchase));
        return drafts;
    };
    let won = pb::PurchaseWon {
        purchase_id: id.to_vec(),
        provider: offer.provider.to_vec(),
        event_id: event_id.to_vec(),
        payment_hash: offer.payment_hash.to_vec(),
        amount_msat: offer.amount_msat,
    };
    drafts.push(money::won(won));
    drafts.extend(money::approve_purchase(
        id,
        purchase,
        &bill(offer),
        Msat(offer.amount_msat),
    ));
    let others = purchase.candidates.iter().filter(|(event, _)| *event != event_id);
    drafts.extend(others.filter_map(|(event, offer)| lost(id, event, offer)));
    drafts
}

/// Nobody is chosen any more.
pub fn all_lost<'a>(id: &'a JobId, purchase: &'a Purchase) -> impl Iterator<Item = Draft> + 'a {
    let candidates = purchase.candidates.iter().filter(|_| purchase.winner.is_none());
    candidates.filter_map(|(event, offer)| lost(id, event, offer))
}

fn bill(offer: &Candidate) -> Bill {
    Bill {
        bolt11: offer.bolt11.clone(),
        payment_hash: offer.payment_hash,
        amount: Some(Msat(offer.amount_msat)),
        payee: offer.payee.clone(),
        network: String::new(),
        expires_at_ms: offer.expires_at_ms,
    }
}

/// Who worked for nothing is told. An offer to be paid first cost no work: it is no loser.
fn lost(id: &JobId, event_id: &EventId, offer: &Candidate) -> Option<Draft> {
    let rejected = pb::PurchaseRejected {
        purchase_id: id.to_vec(),
        provider: offer.provider.to_vec(),
        event_id: event_id.to_vec(),
        reason: LOST.to_owned(),
        result: Some(offer.result.clone()?),
    };
    Some(of_purchase(&id.0, Source::Policy, rejected))
}
