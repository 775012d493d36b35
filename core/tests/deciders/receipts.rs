//! Receipts: when a buyer owes one, and which ones a provider records.
use autopilot_core::{
    Effect, Input,
    receipts::{NoReceipt, Receipt, check},
};
use autopilot_events::{
    pb::{self, Purpose},
    words::{EventId, JobId, Msat, PublicKey},
};

use crate::{
    given::{
        OWN_KEY, PRICE_MSAT, buy, hash, invoiced, job, online_with, policy, published, purchase, received,
        request, result, sent, signed,
    },
    ledger::Ledger,
};

fn receipt(n: u8) -> Receipt {
    Receipt {
        event_id: EventId([0xA0 + n; 32]),
        author: PublicKey([1; 32]),
        provider: PublicKey(OWN_KEY),
        job: job(n),
        payment_hash: hash(n),
        amount: Msat(PRICE_MSAT),
        created_at_s: 1_800_000_000,
    }
}

fn facts(n: u8) -> (pb::JobReceived, pb::InvoiceIssued) {
    let Input::Invoiced(invoice) = invoiced(n) else {
        unreachable!()
    };
    let request = pb::JobReceived {
        job_id: job(n).to_vec(),
        requester: request(n).requester.to_vec(),
        ..pb::JobReceived::default()
    };
    (request, invoice)
}

#[test]
fn only_who_asked_receipts_only_that_job_s_invoice() {
    let (request, invoice) = facts(1);
    let refused = |change: &dyn Fn(&mut Receipt), why: NoReceipt| {
        let mut forged = receipt(1);
        change(&mut forged);
        let own = PublicKey(OWN_KEY);
        assert_eq!(check(&forged, &own, Some(&request), Some(&invoice)), Err(why));
    };
    refused(&|r| r.author = PublicKey([2; 32]), NoReceipt::OtherBuyer);
    refused(&|r| r.provider = PublicKey([2; 32]), NoReceipt::OtherProvider);
    refused(&|r| r.job = JobId([2; 32]), NoReceipt::UnknownJob);
    refused(&|r| r.payment_hash = hash(2), NoReceipt::OtherInvoice);
    refused(&|r| r.amount = Msat(PRICE_MSAT + 1), NoReceipt::OtherAmount);
    let (_, of_another) = facts(2);
    let own = PublicKey(OWN_KEY);
    assert_eq!(
        check(&receipt(1), &own, None, Some(&invoice)),
        Err(NoReceipt::UnknownJob)
    );
    assert_eq!(
        check(&receipt(1), &own, Some(&request), Some(&of_another)),
        Err(NoReceipt::OtherInvoice)
    );
    let good = check(&receipt(1), &own, Some(&request), Some(&invoice)).unwrap();
    assert_eq!((good.job_id, good.amount_msat), (job(1).to_vec(), PRICE_MSAT));
}

#[test]
fn a_receipt_counts_once_and_moves_no_money() {
    let mut ledger = online_with(policy());
    ledger.delivered(1);
    ledger.submit(received(hash(1), PRICE_MSAT));
    let (request, invoice) = facts(1);
    let own = PublicKey(OWN_KEY);
    let good =
        |receipt: &Receipt| Input::Receipted(check(receipt, &own, Some(&request), Some(&invoice)).unwrap());
    let (earnings, accounts) = (
        ledger.engine.state().earnings.clone(),
        ledger.engine.state().accounts.clone(),
    );
    ledger.check(good(&receipt(1)), &["job.receipted"]);
    ledger.check(good(&receipt(1)), &["duplicate"]);
    let again = Receipt {
        event_id: EventId([0xAF; 32]),
        ..receipt(1)
    };
    ledger.check(good(&again), &["duplicate"]);
    assert_eq!(ledger.engine.state().earnings, earnings);
    assert_eq!(ledger.engine.state().accounts, accounts);
}

fn owes(ledger: &Ledger) -> bool {
    let effects = ledger.engine.outstanding();
    effects.contains(&Effect::Receipt { purchase: job(1) })
}

#[test]
fn a_receipt_is_owed_once_the_payment_is_final_and_signed_once() {
    let mut ledger = online_with(policy());
    ledger.submit(buy(1, purchase(1)));
    ledger.submit(result(1, 10, 1, 50));
    assert!(!owes(&ledger));
    ledger.check(signed(1, Purpose::Receipt), &[]);
    ledger.submit(sent(hash(50), 4_000));
    assert!(owes(&ledger));
    ledger.restart(&["provider.went_offline restart"]);
    assert!(owes(&ledger));
    ledger.check(signed(1, Purpose::Receipt), &["event.signed receipt"]);
    assert!(!owes(&ledger));
    ledger.check(signed(1, Purpose::Receipt), &[]);
    ledger.check(published(1, Purpose::Receipt, 1), &["event.published receipt"]);
}
