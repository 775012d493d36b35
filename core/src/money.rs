//! Money: what the wallet saw becomes facts, and what leaves is approved first.
use autopilot_events::{
    Draft, Event,
    pb::{self, PaymentPurpose, Source},
    words::{JobId, Msat, PaymentHash},
};
use autopilot_projections::{
    State,
    jobs::{Money, Work},
    purchases::Purchase,
};

use crate::{
    canary, chain,
    draft::{fact, keyed, of_job, of_purchase, of_wallet},
    input::{
        Bill, WalletInput, channel_closed_key, channel_opened_key, forwarded_key, onchain_key, received_key,
        sent_key, won_key,
    },
    offers, refund,
    refusal::{Code, Refusal},
};

/// Attempts at one payment for a purchase: with the pauses between them they outlast a payee that starts anew.
const MAX_PAY_ATTEMPTS: u32 = 10;

/// The one provider of a purchase that is paid. Its invoice wins no second purchase.
pub fn won(won: pb::PurchaseWon) -> Draft {
    let key = won_key(&won.payment_hash);
    keyed(of_purchase(&won.purchase_id.clone(), Source::Policy, won), key)
}

/// A wallet observation that was not recorded before (the driver looked its key up).
pub fn observed(state: &State, observed: WalletInput, now_ms: i64) -> Vec<Draft> {
    match observed {
        WalletInput::Started(m) => vec![fact("wallet", Source::Wallet, m)],
        WalletInput::Stopped(reason) => vec![fact("wallet", Source::Wallet, pb::WalletStopped { reason })],
        WalletInput::Received { payment, bound } => received(state, payment, bound),
        WalletInput::Sent(payment) => sent(state, payment),
        WalletInput::Failed(payment) => failed(state, payment, now_ms),
        WalletInput::PaidBefore { payment_hash } => paid_before(state, &payment_hash),
        WalletInput::ChannelOpened(m) => {
            let key = channel_opened_key(&m.channel_id);
            vec![keyed(fact("wallet", Source::Wallet, m), key)]
        }
        WalletInput::ChannelClosed(m) => {
            let key = channel_closed_key(&m.channel_id);
            vec![keyed(fact("wallet", Source::Wallet, m), key)]
        }
        WalletInput::Balances(m) => balances(state, m),
        WalletInput::Reconciled(m) => vec![fact("wallet", Source::Wallet, m)],
        WalletInput::OnchainReceived(m) => {
            let key = onchain_key(&m.txid);
            vec![keyed(fact("wallet", Source::Wallet, m), key)]
        }
        WalletInput::OnchainLeft(m) => chain::left(state, m),
        WalletInput::ClosingsOver => chain::closings_over(state),
        WalletInput::Forwarded(m) => {
            let key = forwarded_key(&m.event_id);
            vec![keyed(fact("wallet", Source::Wallet, m), key)]
        }
        WalletInput::OnchainSent(m) => onchain(state, &m.intent_id.clone(), m),
        WalletInput::OnchainFailed(m) => onchain(state, &m.intent_id.clone(), m),
        WalletInput::OfferFailed(m) => offers::failed(state, m),
    }
}

/// Money arrived. It settles a job by payment hash and by nothing else. What is paid before the work is owed until the
/// delivery, and no earning yet.
fn received(state: &State, payment: pb::WalletPaymentReceived, bound: Option<JobId>) -> Vec<Draft> {
    let hash = PaymentHash::of(&payment.payment_hash);
    let open = state.jobs.by_payment_hash(&hash);
    let owed = open.is_some_and(|(_, job)| job.pay_first && job.work != Work::Delivered);
    let starts = open.is_some_and(|(_, job)| job.pay_first && job.work == Work::Accepted);
    let id = open.map(|(id, _)| *id).or(bound);
    let key = received_key(&payment.payment_hash);
    let mut drafts = vec![keyed(of_wallet(&hash.0, payment.clone()), key)];
    let Some(id) = id else { return drafts };
    if owed {
        let prepaid = pb::JobPrepaid {
            job_id: id.to_vec(),
            payment_hash: payment.payment_hash,
            amount_msat: payment.amount_msat,
            settled_at_ms: payment.settled_at_ms,
            payment_id: payment.payment_id,
            preimage: payment.preimage,
        };
        drafts.push(of_job(&id.0, Source::Wallet, prepaid));
    } else {
        let settled = pb::JobSettled {
            job_id: id.to_vec(),
            payment_hash: payment.payment_hash,
            amount_msat: payment.amount_msat,
            settled_at_ms: payment.settled_at_ms,
            payment_id: payment.payment_id,
            prepaid: false,
            evidence: open.map(|(_, job)| job.evidence.clone()).unwrap_or_default(),
            preimage: payment.preimage,
        };
        drafts.push(canary::settled(state, Source::Wallet, settled));
    }
    if starts {
        let started = pb::JobStarted {
            job_id: id.to_vec(),
            attempt: 1,
        };
        drafts.push(of_job(&id.0, Source::Policy, started));
    }
    drafts
}

/// A payment of ours is done.
fn sent(state: &State, mut payment: pb::WalletPaymentSent) -> Vec<Draft> {
    let hash = PaymentHash::of(&payment.payment_hash);
    payment.approval = state.wallet.approved_at(&hash, &payment.intent_id).unwrap_or(0);
    // Also one that was closed because its payment seemed to have failed: what left is still its price.
    let pays = |purchase: &Purchase| purchase.winner.as_ref().is_some_and(|w| w.payment_hash == hash);
    let purchase = state.purchases.listened().find(|(_, purchase)| pays(purchase));
    let paid = purchase.map(|(id, purchase)| {
        let paid = pb::PurchasePaid {
            purchase_id: id.to_vec(),
            payment_hash: hash.to_vec(),
            amount_msat: payment.amount_msat,
            fee_msat: payment.fee_msat,
        };
        let delivered = purchase.winner.as_ref().is_some_and(|w| w.delivered);
        (*id, paid, delivered && state.purchases.get(id).is_some())
    });
    let key = sent_key(&payment.payment_hash);
    let refunded = refund::settled(state, &payment);
    let mut drafts = vec![keyed(of_wallet(&hash.0, payment), key)];
    drafts.extend(refunded);
    if let Some((id, paid, delivered)) = paid {
        drafts.push(of_purchase(&id.0, Source::Wallet, paid));
        if delivered {
            drafts.push(closed(&id, "paid"));
        }
    }
    drafts
}

/// A purchase is over.
pub fn closed(id: &JobId, reason: &str) -> Draft {
    let closed = pb::PurchaseClosed {
        purchase_id: id.to_vec(),
        reason: reason.to_owned(),
    };
    of_purchase(&id.0, Source::Policy, closed)
}

/// A payment of ours failed for good. A purchase's is approved again within its terms, a few times.
pub fn failed(state: &State, failed: pb::WalletPaymentFailed, now_ms: i64) -> Vec<Draft> {
    let hash = PaymentHash::of(&failed.payment_hash);
    let Some(outgoing) = state.wallet.outgoing_by_hash(&hash) else {
        return Vec::new();
    };
    let owed = refund::unsettled(state, &hash.0, &[], &failed.reason);
    let mut drafts = vec![of_wallet(&hash.0, failed)];
    drafts.extend(owed);
    let Some((id, purchase)) = state.purchases.by_payment_hash(&hash) else {
        return drafts;
    };
    if outgoing.attempts < MAX_PAY_ATTEMPTS && now_ms < purchase.terms.deadline_ms {
        drafts.push(of_wallet(&hash.0, outgoing.approval.clone()).by(Source::Policy));
        drafts.push(attempt(&hash, outgoing.attempts + 1));
    } else {
        drafts.push(closed(id, "the payment failed"));
    }
    drafts
}

/// An invoice pays once: what it was approved for a second time gets nothing of it, and is not tried again.
fn paid_before(state: &State, hash: &PaymentHash) -> Vec<Draft> {
    let reason = "an invoice with this payment hash was paid before: nothing left for it again";
    let failed = pb::WalletPaymentFailed {
        payment_id: hash.to_vec(),
        payment_hash: hash.to_vec(),
        reason: reason.to_owned(),
    };
    let mut drafts = vec![of_wallet(&hash.0, failed).by(Source::Policy)];
    drafts.extend(refund::unsettled(state, &hash.0, &[], reason));
    let purchase = state.purchases.by_payment_hash(hash);
    drafts.extend(purchase.map(|(id, _)| closed(id, "its invoice was paid before")));
    drafts
}

/// Figures are a fact when they differ from the last ones.
fn balances(state: &State, m: pb::WalletBalanceObserved) -> Vec<Draft> {
    let last = &state.wallet.figures;
    let same = last.observed_at_ms != 0
        && m == pb::WalletBalanceObserved {
            spendable_msat: last.spendable_msat,
            reserved_msat: last.reserved_msat,
            receivable_msat: last.receivable_msat,
            closing_msat: last.closing_msat,
            onchain_sat: last.onchain_sat,
            onchain_confirmed_sat: last.onchain_confirmed_sat,
            channels_usable: last.channels_usable,
            channels: last.channels,
        };
    if same {
        Vec::new()
    } else {
        vec![fact("wallet", Source::Wallet, m)]
    }
}

fn onchain(state: &State, intent_id: &[u8], event: impl Into<Event>) -> Vec<Draft> {
    let known = state
        .wallet
        .onchain()
        .any(|(intent, _)| *intent == hex::encode(intent_id));
    if known {
        vec![fact("wallet", Source::Wallet, event)]
    } else {
        Vec::new()
    }
}

/// The attempt fact: durable before the wallet is asked.
fn attempt(hash: &PaymentHash, attempt: u32) -> Draft {
    of_wallet(
        &hash.0,
        pb::PaymentAttempted {
            payment_hash: hash.to_vec(),
            attempt,
        },
    )
    .by(Source::Policy)
}

/// Approval and first attempt of the payment that a purchase's winner is owed.
pub fn approve_purchase(id: &JobId, purchase: &Purchase, bill: &Bill, amount: Msat) -> Vec<Draft> {
    approval(
        bill,
        amount,
        Msat(purchase.terms.fee_ceiling_msat),
        PaymentPurpose::Purchase,
        id.to_vec(),
        None,
        Source::Policy,
    )
}

fn approval(
    bill: &Bill,
    amount: Msat,
    fee_ceiling: Msat,
    purpose: PaymentPurpose,
    purchase_id: Vec<u8>,
    resolution: Option<pb::Resolution>,
    by: Source,
) -> Vec<Draft> {
    let approved = pb::PaymentApproved {
        payment_hash: bill.payment_hash.to_vec(),
        payee: bill.payee.clone(),
        amount_msat: amount.0,
        fee_ceiling_msat: fee_ceiling.0,
        purpose: purpose as i32,
        purchase_id,
        bolt11: bill.bolt11.clone(),
        resolution,
    };
    vec![
        of_wallet(&bill.payment_hash.0, approved).by(by),
        attempt(&bill.payment_hash, 1),
    ]
}

/// A person pays an invoice. The driver checked that its hash was never paid.
pub fn approve(
    state: &State,
    bill: Bill,
    amount: Option<Msat>,
    fee_ceiling: Msat,
    resolution: Option<pb::Resolution>,
    now_ms: i64,
) -> Result<Vec<Draft>, Refusal> {
    let unusable = |sentence: String| Err(Refusal::new(Code::InvoiceUnusable, sentence));
    let network = state
        .provider
        .identity
        .as_ref()
        .map(|i| i.network.clone())
        .unwrap_or_default();
    let amount = match (bill.amount, amount) {
        (Some(asked), Some(given)) if asked != given => {
            return unusable(format!(
                "the invoice asks for {asked}, not {given}: leave the amount out"
            ));
        }
        (Some(Msat::ZERO), _) | (None, Some(Msat::ZERO)) => {
            return unusable("nothing is to be paid: the amount must be at least 1 msat".to_owned());
        }
        (Some(asked), _) => asked,
        (None, Some(given)) => given,
        (None, None) => return unusable("the invoice names no amount: say how much to pay".to_owned()),
    };
    if bill.network != network {
        return unusable(format!(
            "the invoice is of the network {}, this wallet of {network}",
            bill.network
        ));
    }
    if bill.expires_at_ms <= now_ms {
        return unusable("the invoice has run out: ask for a new one".to_owned());
    }
    if state.wallet.outgoing_by_hash(&bill.payment_hash).is_some() {
        return Err(Refusal::new(
            Code::AlreadyPaid,
            "this invoice is being paid already",
        ));
    }
    if state.purchases.is_candidate(&bill.payment_hash) {
        return Err(Refusal::new(
            Code::StillNeeded,
            "an open purchase of yours may choose this invoice: wait until it has chosen, or cancel it (`autopilotctl cancel`)",
        ));
    }
    if state
        .jobs
        .by_payment_hash(&bill.payment_hash)
        .is_some_and(|(_, job)| job.money == Money::Invoiced)
    {
        return unusable("the invoice is this wallet's own".to_owned());
    }
    let spendable = Msat(state.wallet.figures.spendable_msat);
    if amount > spendable {
        return Err(Refusal::new(
            Code::InsufficientFunds,
            format!("{amount} is more than the {spendable} that can be sent now"),
        ));
    }
    Ok(approval(
        &bill,
        amount,
        fee_ceiling,
        PaymentPurpose::Withdrawal,
        Vec::new(),
        resolution,
        Source::Person,
    ))
}

/// A person sends on chain.
pub fn approve_onchain(state: &State, approved: pb::OnchainApproved) -> Result<Vec<Draft>, Refusal> {
    let have = state.wallet.figures.onchain_sat;
    match approved.amount_sat {
        Some(amount) if amount > have => Err(Refusal::new(
            Code::InsufficientFunds,
            format!("{amount} sat is more than the {have} sat on chain"),
        )),
        _ => Ok(vec![fact("wallet", Source::Person, approved)]),
    }
}

/// Sets the source of a draft.
trait By {
    fn by(self, source: Source) -> Draft;
}

impl By for Draft {
    fn by(mut self, source: Source) -> Draft {
        self.source = source;
        self
    }
}
