//! Outstanding work, derived from facts: intents that have no outcome yet. A restart derives the same list.
use autopilot_events::{
    pb::Purpose,
    words::{EventId, JobId, MessageId, Msat, PaymentHash},
};
use autopilot_projections::{
    State,
    jobs::{Job, Money, Work},
    purchases::{Purchase, Winner},
};

use crate::chat;

/// Something to be done to the outside world. Equal effects are the same piece of work; each has a rule in its adapter
/// that makes repeating harmless.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Run the model on a job. Harmless to repeat: nothing was recorded of the attempt.
    Run {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: u32,
    },
    /// Have the model answer a message. Harmless to repeat: nothing was recorded of a try that was dropped.
    Answer {
        /// Which message.
        message: MessageId,
    },
    /// Fetch the inputs of a job that lie elsewhere. Harmless to repeat: reading changes nothing.
    Resolve {
        /// Which job.
        job: JobId,
    },
    /// Make the invoice of a job. Keyed by job inside the wallet: the same invoice comes back.
    Invoice {
        /// Which job.
        job: JobId,
        /// The agreed price.
        amount: Msat,
        /// Seconds until it runs out.
        expiry_s: u32,
    },
    /// Compose, sign and seal away an event. Until it is recorded nobody saw it.
    Sign {
        /// Job or purchase.
        job: JobId,
        /// What it says.
        purpose: i32,
    },
    /// Tell a provider that its result will not be paid. Until it is recorded nobody saw it.
    TellLoser {
        /// Which purchase.
        purchase: JobId,
        /// Which result.
        result: EventId,
    },
    /// Sign our word that a purchase is paid. Until it is recorded nobody saw it.
    Receipt {
        /// Which purchase.
        purchase: JobId,
    },
    /// Tell relays the newest signed head. Composed from the fact, so every try has the same id.
    PublishHead {
        /// Facts that it covers.
        size: u64,
    },
    /// Publish the signed bytes. Relays know an event by its id.
    Publish {
        /// Which event.
        event: EventId,
    },
    /// Pay an approved invoice. Keyed by payment hash inside the wallet.
    Pay {
        /// Which payment.
        payment_hash: PaymentHash,
        /// Which attempt.
        attempt: u32,
    },
    /// Pay an approved offer. Keyed by intent inside the wallet, which asks the payee once for it.
    PayOffer {
        /// Which intent, as hexadecimal text.
        intent: String,
    },
    /// Pay a debt back to the offer that its buyer supplied. Once: the first approval or failure ends it.
    Refund {
        /// Which job.
        job: JobId,
    },
    /// Send on chain. Keyed by intent inside the wallet.
    SendOnchain {
        /// Which intent, as hexadecimal text.
        intent: String,
    },
}

/// All outstanding work of a state, in a fixed order.
pub fn outstanding(state: &State) -> Vec<Effect> {
    let expiry_s = state.provider.policy().invoice_expiry_s;
    let mut effects: Vec<Effect> = state
        .jobs
        .open()
        .flat_map(|(id, job)| of_job(*id, job, expiry_s))
        .collect();
    effects.extend(state.purchases.listened().flat_map(|(id, purchase)| {
        purchase.losers.keys().map(|result| Effect::TellLoser {
            purchase: *id,
            result: *result,
        })
    }));
    let owed_receipt = |p: &Purchase| p.winner.as_ref().and_then(Winner::owed_receipt).is_some();
    let receipts = state.purchases.listened().filter(|(_, p)| owed_receipt(p));
    effects.extend(receipts.map(|(id, _)| Effect::Receipt { purchase: *id }));
    let message = chat::due(state).map(|waiting| waiting.message);
    effects.extend(message.map(|message| Effect::Answer { message }));
    let head = state.heads.unpublished();
    effects.extend(head.map(|head| Effect::PublishHead { size: head.size }));
    effects.extend(
        state
            .outbox
            .owed()
            .map(|(event, _)| Effect::Publish { event: *event }),
    );
    effects.extend(
        state
            .wallet
            .outgoing()
            .filter(|(_, outgoing)| outgoing.attempts > 0)
            .map(|(hash, outgoing)| Effect::Pay {
                payment_hash: *hash,
                attempt: outgoing.attempts,
            }),
    );
    effects.extend(state.wallet.onchain().map(|(intent, _)| Effect::SendOnchain {
        intent: intent.clone(),
    }));
    effects.extend(state.wallet.offers().map(|(intent, _)| Effect::PayOffer {
        intent: intent.clone(),
    }));
    effects
}

fn of_job(id: JobId, job: &Job, expiry_s: u32) -> Vec<Effect> {
    if job.work == Work::Accepted && job.waits_for_inputs {
        return vec![Effect::Resolve { job: id }];
    }
    let mut effects = Vec::new();
    let mut sign = |due: bool, purpose: Purpose| {
        if due && !job.has_signed(purpose) {
            effects.push(Effect::Sign {
                job: id,
                purpose: purpose as i32,
            });
        }
    };
    let executed = matches!(job.work, Work::Executed | Work::Delivered);
    let invoiced = job.invoice.is_some();
    sign(job.work == Work::Running, Purpose::Processing);
    sign(
        job.pay_first && job.work == Work::Accepted && job.money == Money::Invoiced,
        Purpose::PaymentRequired,
    );
    sign(executed && invoiced, Purpose::Result);
    sign(
        matches!(job.work, Work::Refused | Work::Failed) && job.reply,
        Purpose::Error,
    );
    sign(
        job.work == Work::Delivered && job.money == Money::Settled,
        Purpose::Success,
    );
    if job.is_debt() && job.refund.is_none() && !job.refund_offer.is_empty() {
        effects.push(Effect::Refund { job: id });
    }
    if job.work == Work::Running {
        effects.push(Effect::Run {
            job: id,
            attempt: job.attempts,
        });
    }
    let wants_invoice = if job.pay_first {
        job.work == Work::Accepted
    } else {
        job.work == Work::Executed
    };
    if wants_invoice && !invoiced {
        effects.push(Effect::Invoice {
            job: id,
            amount: Msat(job.price_msat),
            expiry_s,
        });
    }
    effects
}
