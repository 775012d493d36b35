//! A buyer's word that it paid: who may give it, and for what. It moves no money; it is evidence from the other side.
use autopilot_events::{
    Draft,
    pb::{self, Source},
    words::{EventId, JobId, Msat, PaymentHash, PublicKey},
};

use crate::{
    draft::{keyed, of_job},
    input::receipt_key,
};

/// A receipt as it came, its signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The receipt's own id.
    pub event_id: EventId,
    /// Who signed it.
    pub author: PublicKey,
    /// The provider that it names.
    pub provider: PublicKey,
    /// The job that it names.
    pub job: JobId,
    /// Of the invoice that it says is paid.
    pub payment_hash: PaymentHash,
    /// What it says was paid.
    pub amount: Msat,
    /// Its own date, Unix seconds.
    pub created_at_s: i64,
}

/// Why a receipt is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReceipt {
    /// It is for another provider.
    #[error("it is for another provider")]
    OtherProvider,
    /// No such request was recorded here.
    #[error("its job is not known here")]
    UnknownJob,
    /// Whoever asked for the job did not sign it.
    #[error("it is not signed by the key that asked for the job")]
    OtherBuyer,
    /// The payment hash is of no invoice of that job.
    #[error("its payment hash is not of that job's invoice")]
    OtherInvoice,
    /// The invoice asks another sum.
    #[error("its amount is not the invoice's")]
    OtherAmount,
}

/// Holds a receipt against the facts that it names: the request and the invoice with its payment hash, as recorded.
///
/// # Errors
/// [`NoReceipt`].
pub fn check(
    receipt: &Receipt,
    own: &PublicKey,
    request: Option<&pb::JobReceived>,
    invoice: Option<&pb::InvoiceIssued>,
) -> Result<pb::JobReceipted, NoReceipt> {
    let request = request
        .filter(|request| request.job_id == receipt.job.0)
        .ok_or(NoReceipt::UnknownJob)?;
    let invoice = invoice
        .filter(|i| i.job_id == request.job_id && i.payment_hash == receipt.payment_hash.0)
        .ok_or(NoReceipt::OtherInvoice)?;
    match () {
        () if receipt.provider != *own => Err(NoReceipt::OtherProvider),
        () if request.requester != receipt.author.0 => Err(NoReceipt::OtherBuyer),
        () if invoice.amount_msat != receipt.amount.0 => Err(NoReceipt::OtherAmount),
        () => Ok(pb::JobReceipted {
            job_id: receipt.job.to_vec(),
            event_id: receipt.event_id.to_vec(),
            receipt: None,
            payment_hash: receipt.payment_hash.to_vec(),
            amount_msat: receipt.amount.0,
            created_at_s: receipt.created_at_s,
        }),
    }
}

/// The first receipt of a job is recorded; the key keeps out any other.
pub(crate) fn receipted(receipt: pb::JobReceipted) -> Draft {
    let key = receipt_key(&receipt.job_id);
    let job = receipt.job_id.clone();
    keyed(of_job(&job, Source::Relay, receipt), key)
}
