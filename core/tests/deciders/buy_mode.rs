//! Buy mode: paced, within its budget whatever happens, killed at once, and never restarted by itself.
use autopilot_core::{
    Input, buy_mode,
    input::{AnswerKind, Command},
};
use autopilot_events::{Event, pb};
use proptest::prelude::*;

use crate::{
    given::{answer, bill, buy, hash, not_sent, offline, policy, purchase, result, sent, spendable},
    ledger::{Ledger, NOON_MS},
};

const BOUGHT: &[&str] = &["purchase.requested", "event.signed request"];

fn terms() -> pb::BuyModeStarted {
    pb::BuyModeStarted {
        buy_mode_id: vec![3; 16],
        budget_msat: 12_300,
        per_job_msat: 4_000,
        fee_ceiling_msat: 100,
        pay_first_ceiling_msat: 0,
        pace_ms: 5_000,
        count: 0,
        at_once: 2,
        kind: 5050,
        provider: Vec::new(),
        deadline_s: 60,
        window_s: 0,
        max_tokens: 8,
        ends_at_ms: NOON_MS + 3_600_000,
        prompt: None,
    }
}

fn start(terms: pb::BuyModeStarted) -> Input {
    Input::Person(Command::StartBuyMode(terms))
}

fn started(terms: pb::BuyModeStarted) -> Ledger {
    let mut ledger = offline(policy());
    ledger.check(start(terms), &["buy_mode.started"]);
    ledger
}

/// As the host does: whatever is due is bought, as purchase `n`.
fn next(ledger: &mut Ledger, n: u8) -> Vec<String> {
    let due = buy_mode::due(ledger.engine.state(), ledger.now_ms).map(|mode| mode.terms.clone());
    let Some(terms) = due else { return Vec::new() };
    ledger.submit(buy(n, of(&terms, n, ledger.now_ms)))
}

fn of(terms: &pb::BuyModeStarted, n: u8, now_ms: i64) -> pb::PurchaseRequested {
    pb::PurchaseRequested {
        buy_mode_id: terms.buy_mode_id.clone(),
        budget_msat: terms.per_job_msat,
        fee_ceiling_msat: terms.fee_ceiling_msat,
        pay_first_ceiling_msat: terms.pay_first_ceiling_msat,
        deadline_ms: now_ms + i64::from(terms.deadline_s) * 1_000,
        ..purchase(n)
    }
}

#[test]
fn purchases_keep_pace_places_and_budget_and_then_it_ends() {
    let mut ledger = started(terms());
    assert_eq!(next(&mut ledger, 1), BOUGHT);
    assert!(next(&mut ledger, 2).is_empty(), "the pace");
    ledger.later(5_000, &[]);
    assert_eq!(next(&mut ledger, 2), BOUGHT);
    ledger.later(5_000, &[]);
    assert!(next(&mut ledger, 3).is_empty(), "two places");
    for n in [1, 2] {
        ledger.submit(result(n, 10, n, 50 + n));
        ledger.check(
            sent(hash(50 + n), 4_000),
            &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
        );
    }
    // 2 × (4,000 + 3) spent; one more fits (8,006 + 4,100 ≤ 12,300), a fourth does not.
    assert_eq!(next(&mut ledger, 3), BOUGHT);
    ledger.later(5_000, &[]);
    assert!(next(&mut ledger, 4).is_empty(), "the budget is set aside");
    ledger.submit(result(3, 10, 3, 53));
    ledger.submit(sent(hash(53), 4_000));
    ledger.later(1_000, &["buy_mode.stopped budget-spent"]);
    let mode = ledger.engine.state().buy_modes.last.clone().unwrap();
    assert_eq!((mode.purchases, mode.paid, mode.spent_msat), (3, 3, 12_009));
    assert!(next(&mut ledger, 4).is_empty());
}

#[test]
fn what_comes_back_unspent_is_spent_later() {
    let mut ledger = started(pb::BuyModeStarted {
        budget_msat: 4_100,
        count: 2,
        ..terms()
    });
    assert_eq!(next(&mut ledger, 1), BOUGHT);
    ledger.later(60_000, &["purchase.closed no valid result in time"]);
    assert_eq!(next(&mut ledger, 2), BOUGHT);
    ledger.later(60_000, &["purchase.closed no valid result in time"]);
    ledger.later(0, &["buy_mode.stopped count-reached"]);
}

#[test]
fn the_kill_switch_closes_what_is_open_and_keeps_what_is_approved() {
    let mut ledger = started(terms());
    next(&mut ledger, 1);
    ledger.later(5_000, &[]);
    next(&mut ledger, 2);
    ledger.submit(result(1, 10, 1, 50));
    ledger.check(
        Input::Person(Command::StopBuyMode),
        &[
            "buy_mode.stopped stopped",
            "purchase.closed cancelled",
            "event.abandoned request",
        ],
    );
    ledger.later(60_000, &[]);
    assert!(next(&mut ledger, 3).is_empty());
    ledger.check(
        sent(hash(50), 4_000),
        &["wallet.payment_sent", "purchase.paid", "purchase.closed paid"],
    );
    assert_eq!(
        ledger.engine.state().buy_modes.last.as_ref().unwrap().spent_msat,
        4_003
    );
    ledger.check(Input::Person(Command::StopBuyMode), &["no: not-found"]);
}

#[test]
fn it_is_of_this_run_and_one_at_a_time() {
    let mut ledger = started(terms());
    ledger.check(start(terms()), &["no: already-so"]);
    next(&mut ledger, 1);
    ledger.restart(&["buy_mode.stopped restart"]);
    assert!(next(&mut ledger, 2).is_empty());
    ledger.check(
        start(pb::BuyModeStarted {
            buy_mode_id: vec![4; 16],
            ..terms()
        }),
        &["buy_mode.started"],
    );
    ledger.check(Input::Tick, &[]);
    ledger.later(
        3_600_000,
        &[
            "event.abandoned request",
            "purchase.closed no valid result in time",
            "buy_mode.stopped time-over",
        ],
    );
}

#[test]
fn nobody_buys_in_its_name_beyond_its_terms() {
    let ok = |ledger: &Ledger| of(&terms(), 1, ledger.now_ms);
    let bad: [fn(&mut pb::PurchaseRequested); 5] = [
        |terms| terms.budget_msat += 1,
        |terms| terms.fee_ceiling_msat += 1,
        |terms| terms.pay_first_ceiling_msat = 1,
        |terms| terms.provider = vec![9; 32],
        |terms| terms.buy_mode_id = vec![9; 16],
    ];
    for change in bad {
        let mut ledger = started(terms());
        let mut wanted = ok(&ledger);
        change(&mut wanted);
        ledger.check(buy(1, wanted), &["no: not-ready"]);
    }
}

#[test]
fn terms_without_sense_are_refused() {
    let bad: [fn(&mut pb::BuyModeStarted); 9] = [
        |t| t.per_job_msat = 0,
        |t| t.budget_msat = 4_099,
        |t| t.pace_ms = 999,
        |t| t.at_once = 0,
        |t| t.at_once = 17,
        |t| t.kind = 1,
        |t| t.deadline_s = 0,
        |t| t.window_s = 60,
        |t| t.ends_at_ms = NOON_MS,
    ];
    for change in bad {
        let mut wanted = terms();
        change(&mut wanted);
        offline(policy()).check(start(wanted), &["no: policy-invalid"]);
    }
    let mut poor = offline(policy());
    poor.check(spendable(4_099), &["wallet.balance_observed"]);
    poor.check(start(terms()), &["no: insufficient-funds"]);
}

/// What may happen to a running buy mode.
#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    Offer {
        n: u8,
        provider: u8,
        event: u8,
        msat: u64,
        first: bool,
    },
    Paid(u8),
    Failed(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..20_000_i64).prop_map(Step::Wait),
        4 => (0..12_u8, 10..14_u8, any::<u8>(), 0..6_000_u64, any::<bool>())
            .prop_map(|(n, provider, event, msat, first)| Step::Offer { n, provider, event, msat, first }),
        2 => any::<u8>().prop_map(Step::Paid),
        1 => any::<u8>().prop_map(Step::Failed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever providers ask and wallets answer: no payment above its ceiling, all of them within the budget.
    #[test]
    fn nothing_is_ever_paid_above_what_was_approved(
        steps in prop::collection::vec(step(), 1..60),
        window in any::<bool>(),
        first_ceiling in 0..5_000_u64,
    ) {
        let all = pb::BuyModeStarted { pay_first_ceiling_msat: first_ceiling, ..terms() };
        let mut ledger = started(all.clone());
        let mut made = 0;
        for step in steps {
            let due = buy_mode::due(ledger.engine.state(), ledger.now_ms).is_some();
            if due && made < 12 {
                let mut wanted = of(&all, made, ledger.now_ms);
                wanted.choose_at_ms = if window { ledger.now_ms + 10_000 } else { 0 };
                ledger.submit(buy(made, wanted));
                made += 1;
            }
            match step {
                Step::Wait(ms) => {
                    ledger.now_ms += ms;
                    ledger.submit(Input::Tick);
                }
                Step::Offer { n, provider, event, msat, first } => {
                    let kind = if first { AnswerKind::PaymentRequired } else { AnswerKind::Result(Ok(())) };
                    ledger.submit(answer(n, provider, event, kind, Some(Ok(bill(event, msat)))));
                }
                Step::Paid(n) => {
                    if let Some(approved) = ledger.engine.state().wallet.outgoing_by_hash(&hash(n)) {
                        let msat = approved.approval.amount_msat;
                        ledger.submit(sent(hash(n), msat));
                    }
                }
                Step::Failed(n) => drop(ledger.submit(not_sent(hash(n)))),
            }
        }
        let mut paid = 0;
        for fact in &ledger.facts {
            match &fact.event {
                Event::PaymentApproved(m) => prop_assert!(m.amount_msat <= all.per_job_msat && m.fee_ceiling_msat <= all.fee_ceiling_msat),
                Event::PurchasePaid(m) => paid += m.amount_msat + m.fee_msat,
                _ => {}
            }
        }
        prop_assert!(paid <= all.budget_msat, "{} of {}", paid, all.budget_msat);
    }
}
