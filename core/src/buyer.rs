//! The buyer's decider: one approved budget, one winner, one payment. Race mode: the first valid result wins.
//! Windowed: valid offers are collected, then `choice` takes one.
use autopilot_events::{
    Draft,
    pb::{self, Purpose, Source},
    words::{JobId, Msat},
};
use autopilot_projections::{
    State,
    purchases::{MAX_OFFERS, Purchase},
};

use crate::{
    buy_mode, choice,
    draft::{keyed, of_purchase},
    input::{Answer, AnswerKind, Bill, market_key},
    money,
    refusal::{Code, Refusal},
};

/// A purchase begins: budget approved, request signed; it is published once this is durable.
pub fn request(
    state: &State,
    terms: pb::PurchaseRequested,
    event: pb::EventSigned,
    now_ms: i64,
) -> Result<Vec<Draft>, Refusal> {
    buy_mode::admits(state, &terms, now_ms)?;
    if terms.choose_at_ms != 0 && !(now_ms..terms.deadline_ms).contains(&terms.choose_at_ms) {
        return Err(Refusal::new(
            Code::PolicyInvalid,
            "the window has to end before the purchase's deadline: the chosen one is paid after it",
        ));
    }
    if terms.budget_msat == 0 || terms.deadline_ms <= now_ms {
        return Err(Refusal::new(
            Code::PolicyInvalid,
            "a purchase needs a budget and time to be answered in",
        ));
    }
    let id = JobId::of(&terms.purchase_id);
    if state
        .purchases
        .get(&id)
        .or_else(|| state.purchases.recent(&id))
        .is_some()
    {
        return Err(Refusal::new(
            Code::AlreadySo,
            "this very request was made before; ask again in a second",
        ));
    }
    let spendable = Msat(state.wallet.figures.spendable_msat);
    let reserved = state
        .purchases
        .open()
        .filter(|(_, p)| p.winner.as_ref().is_none_or(|w| !w.paid));
    let promised = reserved
        .map(|(_, p)| p.terms.budget_msat)
        .fold(0_u64, u64::saturating_add);
    if Msat(promised.saturating_add(terms.budget_msat)) > spendable {
        return Err(Refusal::new(
            Code::InsufficientFunds,
            format!(
                "{} is asked for, {} is promised to open purchases, {spendable} can be sent now",
                Msat(terms.budget_msat),
                Msat(promised)
            ),
        ));
    }
    let id = terms.purchase_id.clone();
    let approved_by = if terms.buy_mode_id.is_empty() {
        Source::Person
    } else {
        Source::Policy
    };
    Ok(vec![
        of_purchase(&id, approved_by, terms),
        of_purchase(&id, Source::Policy, event),
    ])
}

/// A person stops waiting. What is approved for payment can't be taken back.
pub fn cancel(state: &State, id: JobId) -> Result<Vec<Draft>, Refusal> {
    match state.purchases.get(&id) {
        None => Err(Refusal::new(Code::NotFound, "there is no such open purchase")),
        Some(purchase) if purchase.winner.is_some() => {
            Err(Refusal::new(Code::TooLate, "its payment is approved already"))
        }
        Some(purchase) => {
            let mut drafts = vec![money::closed(&id, "cancelled")];
            drafts.extend(choice::all_lost(&id, purchase));
            // Nobody shall work for what is not wanted any more: a request that no relay took yet goes nowhere.
            let unsent = state
                .outbox
                .owed()
                .filter(|(_, owed)| owed.job == id && owed.purpose == Purpose::Request as i32);
            drafts.extend(unsent.map(|(event_id, owed)| {
                let abandoned = pb::EventAbandoned {
                    event_id: event_id.to_vec(),
                    job_id: id.to_vec(),
                    purpose: owed.purpose,
                    reason: "cancelled".to_owned(),
                };
                of_purchase(&id.0, Source::Person, abandoned)
            }));
            Ok(drafts)
        }
    }
}

/// An answer came. It is recorded, and may win.
pub fn answered(state: &State, answer: Answer, now_ms: i64) -> Vec<Draft> {
    let Some(purchase) = state.purchases.get(&answer.purchase) else {
        return late(state, &answer);
    };
    let flooded = purchase.offers >= MAX_OFFERS;
    match judge(state, purchase, &answer, now_ms) {
        // A flood of answers hides neither the one that wins nor the one that was paid for.
        Err(_) if flooded => Vec::new(),
        Ok(Verdict::Note | Verdict::Collect) if flooded && !from_winner(purchase, &answer) => Vec::new(),
        Err(reason) => vec![rejected(&answer, reason)],
        Ok(verdict) => {
            let bill = answer.invoice.as_ref().and_then(|invoice| invoice.as_ref().ok());
            let mut drafts = vec![noted(
                &answer,
                offered(&answer, bill, verdict == Verdict::Collect),
            )];
            if let (Verdict::Pay(amount), Some(bill)) = (&verdict, bill) {
                let won = pb::PurchaseWon {
                    purchase_id: answer.purchase.to_vec(),
                    provider: answer.provider.to_vec(),
                    event_id: answer.event_id.to_vec(),
                    payment_hash: bill.payment_hash.to_vec(),
                    amount_msat: amount.0,
                };
                drafts.insert(0, money::won(won));
                // Facts of one decision stand in the order: won, then what won, then the approval.
                drafts.extend(money::approve_purchase(&answer.purchase, purchase, bill, *amount));
            }
            match verdict {
                Verdict::Delivered => drafts.push(money::closed(&answer.purchase, "paid")),
                Verdict::Refused => drafts.push(money::closed(&answer.purchase, "its provider refused")),
                Verdict::Pay(_) | Verdict::Collect | Verdict::Note => {}
            }
            drafts
        }
    }
}

/// Whether this is the result that its approved winner owes.
fn from_winner(purchase: &Purchase, answer: &Answer) -> bool {
    let result = matches!(answer.kind, AnswerKind::Result(Ok(())));
    result
        && purchase
            .winner
            .as_ref()
            .is_some_and(|winner| winner.provider == answer.provider)
}

/// A result for a purchase that is over: its provider is told that nobody will pay.
fn late(state: &State, answer: &Answer) -> Vec<Draft> {
    let Some(purchase) = state.purchases.recent(&answer.purchase) else {
        return Vec::new();
    };
    let wanted = &purchase.terms.provider;
    let asked = wanted.is_empty() || wanted[..] == answer.provider.0;
    let paid_one = purchase
        .winner
        .as_ref()
        .is_some_and(|w| w.provider == answer.provider);
    let result = matches!(answer.kind, AnswerKind::Result(Ok(())));
    if !result || !asked || paid_one || purchase.offers >= MAX_OFFERS {
        return Vec::new();
    }
    vec![rejected(answer, LATE.to_owned())]
}

/// Reasons that a loser is told.
pub(crate) const LOST: &str = "lost-race";
const LATE: &str = "late-result-unpaid";

fn rejected(answer: &Answer, reason: String) -> Draft {
    let told = reason == LOST || reason == LATE;
    let rejected = pb::PurchaseRejected {
        purchase_id: answer.purchase.to_vec(),
        provider: answer.provider.to_vec(),
        event_id: answer.event_id.to_vec(),
        reason,
        result: told.then(|| answer.body.clone()),
    };
    noted(answer, of_purchase(&answer.purchase.0, Source::Relay, rejected))
}

/// What a valid answer leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It wins: pay this.
    Pay(Msat),
    /// Payable, and it waits for the window's end.
    Collect,
    /// The result that was paid before.
    Delivered,
    /// The only one who was asked says that nothing will come.
    Refused,
    /// Good to know.
    Note,
}

fn judge(state: &State, purchase: &Purchase, answer: &Answer, now_ms: i64) -> Result<Verdict, String> {
    let wanted = &purchase.terms.provider;
    if !wanted.is_empty() && wanted[..] != answer.provider.0 {
        return Err("not-asked: the answer is from another provider than the one asked".to_owned());
    }
    let from_winner = purchase.winner.as_ref().filter(|w| w.provider == answer.provider);
    match &answer.kind {
        AnswerKind::Status(status) => Ok(match status.as_str() {
            "error" if !wanted.is_empty() && purchase.winner.is_none() && purchase.candidates.is_empty() => {
                Verdict::Refused
            }
            _ => Verdict::Note,
        }),
        AnswerKind::Result(Err(reason)) => Err(format!("invalid-result: {reason}")),
        AnswerKind::Result(Ok(())) if choice::is_due(purchase, now_ms) => Err(LOST.to_owned()),
        AnswerKind::Result(Ok(())) => match (&purchase.winner, from_winner) {
            (None, _) => payable(state, purchase, answer, purchase.terms.budget_msat, now_ms),
            (Some(_), Some(winner)) if winner.delivered => Err("duplicate-result".to_owned()),
            (Some(_), Some(winner)) if winner.paid => Ok(Verdict::Delivered),
            (Some(_), Some(_)) => Ok(Verdict::Note),
            (Some(winner), None) if winner.paid => Err(LATE.to_owned()),
            (Some(_), None) => Err(LOST.to_owned()),
        },
        AnswerKind::PaymentRequired if purchase.winner.is_some() || choice::is_due(purchase, now_ms) => {
            Ok(Verdict::Note)
        }
        AnswerKind::PaymentRequired if purchase.terms.pay_first_ceiling_msat == 0 => Ok(Verdict::Note),
        AnswerKind::PaymentRequired => {
            let ceiling = purchase
                .terms
                .pay_first_ceiling_msat
                .min(purchase.terms.budget_msat);
            payable(state, purchase, answer, ceiling, now_ms)
        }
    }
}

/// The invoice of an answer, held against budget, network and time.
fn payable(
    state: &State,
    purchase: &Purchase,
    answer: &Answer,
    ceiling_msat: u64,
    now_ms: i64,
) -> Result<Verdict, String> {
    let bill = match &answer.invoice {
        None => return Err("no-invoice: the answer carries no invoice".to_owned()),
        Some(Err(reason)) => return Err(format!("bad-invoice: {reason}")),
        Some(Ok(bill)) => bill,
    };
    let network = state
        .provider
        .identity
        .as_ref()
        .map(|i| i.network.as_str())
        .unwrap_or_default();
    let used = state.wallet.outgoing_by_hash(&bill.payment_hash).is_some()
        || state.purchases.was_won(&bill.payment_hash)
        || state.purchases.is_candidate(&bill.payment_hash)
        || state.jobs.by_payment_hash(&bill.payment_hash).is_some();
    match bill.amount {
        _ if now_ms >= purchase.terms.deadline_ms => {
            Err("late: the purchase's deadline has passed".to_owned())
        }
        _ if bill.network != network => Err(format!("foreign-network: the invoice is of {}", bill.network)),
        _ if bill.expires_at_ms <= now_ms => Err("expired-invoice".to_owned()),
        _ if used => Err("reused-invoice: its payment hash is in use already".to_owned()),
        None | Some(Msat::ZERO) => Err("amountless-invoice".to_owned()),
        Some(amount) if amount.0 > ceiling_msat => Err(format!(
            "over-budget: {amount} is asked, {} is approved",
            Msat(ceiling_msat)
        )),
        Some(_) if now_ms < purchase.terms.choose_at_ms => Ok(Verdict::Collect),
        Some(amount) => Ok(Verdict::Pay(amount)),
    }
}

fn offered(answer: &Answer, bill: Option<&Bill>, candidate: bool) -> Draft {
    let status = match &answer.kind {
        AnswerKind::Result(_) => "result",
        AnswerKind::PaymentRequired => "payment-required",
        AnswerKind::Status(status) => status,
    };
    let chosen = bill.filter(|_| candidate);
    let offered = pb::PurchaseOffered {
        purchase_id: answer.purchase.to_vec(),
        provider: answer.provider.to_vec(),
        event_id: answer.event_id.to_vec(),
        status: status.to_owned(),
        amount_msat: bill.and_then(|bill| bill.amount).map(|amount| amount.0),
        bolt11: bill.map(|bill| bill.bolt11.clone()).unwrap_or_default(),
        result: Some(answer.body.clone()),
        candidate,
        payment_hash: chosen.map(|bill| bill.payment_hash.to_vec()).unwrap_or_default(),
        payee: chosen.map(|bill| bill.payee.clone()).unwrap_or_default(),
        expires_at_ms: chosen.map_or(0, |bill| bill.expires_at_ms),
    };
    of_purchase(&answer.purchase.0, Source::Relay, offered)
}

fn noted(answer: &Answer, draft: Draft) -> Draft {
    keyed(draft, market_key(&answer.event_id))
}
