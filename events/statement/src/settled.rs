//! One settlement: from its place in the tree to the signatures of those who took part.
use autopilot_events::{
    Event,
    head::SignedHead,
    pb,
    words::{JobId, PaymentHash},
};
use sha2::{Digest, Sha256};

use crate::{
    Heading, Level, Line, Settlement, SignedEvent, Why,
    check::included,
    evidence::{self, Evidence},
    invoice,
};

/// The market's name, from which and a request's id a job's id is made.
const MARKET: &str = "nip90";

/// Kinds of requests; the kind of a result is 1,000 more.
const REQUEST_KINDS: std::ops::RangeInclusive<u16> = 5_000..=5_999;
const RESULT_OFFSET: u16 = 1_000;

/// Kind of a buyer's receipt (docs/MARKET.md).
const RECEIPT_KIND: u16 = 7_001;

/// What a settlement is held against.
pub(crate) struct Against<'a> {
    pub(crate) heading: &'a Heading,
    pub(crate) head: &'a SignedHead,
    pub(crate) last_fact: u64,
}

/// The settlement's fact, decoded.
pub(crate) struct Read {
    pub(crate) sequence: u64,
    settled: pb::JobSettled,
}

pub(crate) fn read(settlement: &Settlement) -> Result<Read, Why> {
    match evidence::fact(&settlement.fact.0)? {
        (fact, Event::JobSettled(settled)) => Ok(Read {
            sequence: fact.sequence,
            settled,
        }),
        _ => Err(Why::Fact("it is no job.settled")),
    }
}

/// Checks in the order that `docs/STATEMENT.md` gives.
pub(crate) fn check(settlement: &Settlement, read: &Read, against: &Against<'_>) -> Result<Line, Why> {
    let (settled, heading) = (&read.settled, against.heading);
    if read.sequence <= against.last_fact {
        return Err(Why::Order(against.last_fact));
    }
    included(
        against.head,
        read.sequence,
        &settlement.fact.0,
        &settlement.proof.0,
    )?;
    let outside = heading.from_ms.is_some_and(|from| settled.settled_at_ms < from)
        || heading.to_ms.is_some_and(|to| settled.settled_at_ms >= to);
    if outside {
        return Err(Why::OutsideWindow);
    }
    let evidence = Evidence::of(settlement, settled)?;
    let (hash, job_id) = (PaymentHash::of(&settled.payment_hash), JobId::of(&settled.job_id));
    let asked_msat = asked(settlement, &evidence, &hash, heading)?;
    let paid = preimage(settled)?;
    told(settlement, &evidence)?;
    let request = match &settlement.result {
        Some(result) => Some(result_and_request(result, &evidence, &job_id, heading)?),
        None => None,
    };
    if let Some(receipt) = &settlement.receipt {
        let about = settlement.result.as_ref().zip(request.as_ref());
        let about = about.ok_or(Why::Receipt("there is no request beside it"))?;
        check_receipt(receipt, about, (&hash, asked_msat), heading)?;
    }
    let proven = match (&settlement.receipt, asked_msat) {
        (_, None) => Level::Recorded,
        _ if !paid => Level::Recorded,
        (None, _) => Level::SelfAttested,
        (Some(_), _) => Level::CounterpartyAttested,
    };
    let receipt = evidence.executed.and_then(|executed| executed.receipt);
    Ok(Line {
        fact: read.sequence,
        settled_at_ms: settled.settled_at_ms,
        amount_msat: asked_msat.map_or(settled.amount_msat, |asked| settled.amount_msat.min(asked)),
        arrived_msat: settled.amount_msat,
        job_id,
        payment_hash: hash,
        request: request.as_ref().map(|request| request.id.clone()),
        buyer: request.as_ref().map(SignedEvent::author),
        kind: request.as_ref().map(|request| request.kind),
        model: receipt.map(|receipt| match receipt.model.is_empty() {
            true => hex::encode(receipt.model_digest),
            false => receipt.model,
        }),
        prepaid: settled.prepaid,
        erased: settlement.erased,
        proven,
        witnessed: !heading.witnessed_by.is_empty(),
    })
}

/// The invoice: that of the bound fact, and that of the result, which must be one. `None`: there is none to show.
fn asked(
    settlement: &Settlement,
    evidence: &Evidence,
    hash: &PaymentHash,
    heading: &Heading,
) -> Result<Option<u64>, Why> {
    let billed = settlement.result.as_ref().and_then(|result| result.tag("amount"));
    let billed = billed.and_then(|words| words.get(1)).map(String::as_str);
    let issued = evidence.invoiced.as_ref().map(|issued| issued.bolt11.as_str());
    if let (Some(billed), Some(issued)) = (billed, issued)
        && billed != issued
    {
        return Err(Why::Invoice("the result carries another one than the ledger"));
    }
    match issued.or(billed) {
        Some(bolt11) => invoice::asked_msat(bolt11, hash, heading).map(Some),
        None => Ok(None),
    }
}

/// Whether there is a preimage; a wrong one is an error.
fn preimage(settled: &pb::JobSettled) -> Result<bool, Why> {
    if settled.preimage.is_empty() {
        return Ok(false);
    }
    let hashed = Sha256::digest(&settled.preimage);
    match settled.preimage.len() == 32 && hashed[..] == settled.payment_hash[..] {
        true => Ok(true),
        false => Err(Why::Preimage),
    }
}

/// Texts are there, or were erased, or the ledger bound none.
fn told(settlement: &Settlement, evidence: &Evidence) -> Result<(), Why> {
    match (&settlement.result, settlement.erased) {
        (Some(_), true) => Err(Why::Erased("it says that the result was erased, and carries it")),
        (None, false) if evidence.result.is_some() => Err(Why::Erased(
            "the result is missing, and it does not say that it was erased",
        )),
        (None, true) if evidence.result.is_none() => Err(Why::Erased(
            "it says that a result was erased that the ledger does not name",
        )),
        _ => Ok(()),
    }
}

/// Checks the seller's result and the buyer's request in it, which it answers with.
fn result_and_request(
    result: &SignedEvent,
    evidence: &Evidence,
    job_id: &JobId,
    heading: &Heading,
) -> Result<SignedEvent, Why> {
    if !result.holds() {
        return Err(Why::Result("id or signature does not hold"));
    }
    if result.author() != heading.seller {
        return Err(Why::Result("it is not the seller's"));
    }
    if let Some(signed) = &evidence.result
        && signed.event_id != result.id().0
    {
        return Err(Why::Result("it is not the one that the ledger names"));
    }
    let carried = result
        .word("request")
        .ok_or(Why::Result("it carries no request"))?;
    let request = SignedEvent::read(carried).map_err(|_| Why::Request("it is no signed event"))?;
    if !request.holds() {
        return Err(Why::Request("id or signature does not hold"));
    }
    if result.word("e") != Some(request.id.as_str()) {
        return Err(Why::Result("it answers another request than it carries"));
    }
    if !REQUEST_KINDS.contains(&request.kind) || result.kind != request.kind + RESULT_OFFSET {
        return Err(Why::Result("its kind is not that of an answer to the request"));
    }
    if JobId::derive(MARKET, &request.id().0) != *job_id {
        return Err(Why::Request("it is of another job"));
    }
    if let Some(received) = &evidence.received
        && (received.native_id != request.id().0 || received.requester != request.author().0)
    {
        return Err(Why::Request("it is not the one that the ledger names"));
    }
    if request.author() == heading.seller {
        return Err(Why::OwnJob);
    }
    Ok(request)
}

/// Checks the buyer's receipt: of this request, to this seller, for this payment.
fn check_receipt(
    receipt: &SignedEvent,
    (result, request): (&SignedEvent, &SignedEvent),
    (hash, asked_msat): (&PaymentHash, Option<u64>),
    heading: &Heading,
) -> Result<(), Why> {
    if receipt.kind != RECEIPT_KIND || !receipt.holds() {
        return Err(Why::Receipt("kind, id or signature does not hold"));
    }
    if receipt.author() != request.author() {
        return Err(Why::Receipt("it is not of whoever asked"));
    }
    if receipt.marked("request") != Some(request.id.as_str()) {
        return Err(Why::Receipt("it is about another request"));
    }
    if receipt.marked("result") != Some(result.id.as_str()) {
        return Err(Why::Receipt("it is about another result"));
    }
    if receipt.word("p") != Some(heading.seller.to_string().as_str()) {
        return Err(Why::Receipt("it is about another seller"));
    }
    if receipt.word("payment_hash") != Some(hash.to_string().as_str()) {
        return Err(Why::Receipt("it is about another payment"));
    }
    let asked = asked_msat.map(|msat| msat.to_string());
    if asked.is_none() || receipt.word("amount") != asked.as_deref() {
        return Err(Why::Receipt("it is about another sum than the invoice's"));
    }
    Ok(())
}
