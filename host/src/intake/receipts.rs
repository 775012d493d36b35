//! Receipts of buyers: held against the facts that they name, by key, and recorded once a job.
use autopilot_core::{
    Input,
    input::{invoice_key, market_key},
    ports::market::{MARKET_NIP90, Market, PaymentReceipt},
    receipts::{Receipt, check},
};
use autopilot_events::{Event, words::JobId};
use autopilot_store_sqlite::ReadError;

use super::{journal, nothing};
use crate::{
    ledger::{Done, SubmitError},
    outside::Outside,
};

/// A receipt came. One that does not hold is a line of the journal and no fact: keys and events are free.
pub(super) async fn came(
    outside: &Outside,
    relay: &str,
    receipt: PaymentReceipt,
) -> Result<Done, SubmitError> {
    let refused = match held_against_facts(outside, &receipt).await {
        Ok(Ok(input)) => {
            let job = JobId::derive(MARKET_NIP90, &receipt.job.0);
            let body = Some((format!("job/{job}"), receipt.raw.as_slice()));
            return outside.ledger.submit(input, body).await;
        }
        Ok(Err(why)) => why,
        Err(error) => error.to_string(),
    };
    let text = format!("{relay} of {}: {refused}", receipt.job);
    journal(
        outside,
        "relay.receipt-refused",
        &receipt.native_id.to_string(),
        text,
    )
    .await;
    Ok(nothing(outside))
}

async fn held_against_facts(
    outside: &Outside,
    receipt: &PaymentReceipt,
) -> Result<Result<Input, String>, ReadError> {
    let reader = outside.ledger.reader();
    let request = match reader
        .fact_by_key(&market_key(&receipt.job))
        .await?
        .map(|f| f.event)
    {
        Some(Event::JobReceived(m)) => Some(m),
        _ => None,
    };
    let invoice = match reader
        .fact_by_key(&invoice_key(&receipt.payment_hash.0))
        .await?
        .map(|f| f.event)
    {
        Some(Event::InvoiceIssued(m)) => Some(m),
        _ => None,
    };
    let own = outside.market().map(Market::public_key).unwrap_or_default();
    let said = Receipt {
        event_id: receipt.native_id,
        author: receipt.author,
        provider: receipt.provider,
        job: JobId::derive(MARKET_NIP90, &receipt.job.0),
        payment_hash: receipt.payment_hash,
        amount: receipt.amount_msat,
        created_at_s: i64::try_from(receipt.created_at_s).unwrap_or(i64::MAX),
    };
    let checked = check(&said, &own, request.as_ref(), invoice.as_ref());
    Ok(checked.map(Input::Receipted).map_err(|why| why.to_string()))
}
