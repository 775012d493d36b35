//! Limits that count: per hour, unpaid, in flight, replies, and the day's intake.
use autopilot_core::{
    Effect, Input,
    input::{Readiness, Request},
};
use autopilot_events::{
    Event, pb,
    pb::Purpose,
    words::{Digest, Msat, PublicKey},
};

use crate::{
    given::{hash, job, offline, online, online_with, policy, published, ready, received, request, signed},
    ledger::{Ledger, NOON_MS},
};

const TAKEN: &[&str] = &["job.received", "job.accepted work-first", "job.started 1"];

/// A request that is dated by the ledger's clock.
fn ask(ledger: &mut Ledger, n: u8, buyer: u8, expected: &[&str]) {
    let now_s = ledger.now_ms / 1_000;
    let asked = Request {
        requester: PublicKey([buyer; 32]),
        created_at_s: now_s,
        ..request(n)
    };
    ledger.check(Input::Request(asked), expected);
}

#[test]
fn hourly_limits_count_a_sliding_hour() {
    let limits = pb::Policy {
        per_buyer_per_hour: 2,
        global_per_hour: 3,
        max_in_flight: 64,
        ..policy()
    };
    let mut ledger = online_with(limits);
    ask(&mut ledger, 1, 1, TAKEN);
    ledger.now_ms += 1_000;
    ask(&mut ledger, 2, 1, TAKEN);
    ask(&mut ledger, 3, 1, &["job.received", "job.refused buyer-limit"]);
    ask(&mut ledger, 4, 2, TAKEN);
    ask(&mut ledger, 5, 3, &["job.received", "job.refused global-quota"]);
    // The first one is an hour old: one more of this buyer, and of all.
    ledger.now_ms = NOON_MS + 3_600_000 - 1;
    ask(&mut ledger, 6, 1, &["job.received", "job.refused buyer-limit"]);
    ledger.now_ms += 1;
    ask(&mut ledger, 7, 1, TAKEN);
    ask(&mut ledger, 8, 1, &["job.received", "job.refused buyer-limit"]);
    ask(&mut ledger, 9, 2, &["job.received", "job.refused global-quota"]);
    // A restart forgets none of it.
    ledger.reopen(ledger.facts.len());
    ask(&mut ledger, 10, 2, &["job.received", "job.refused offline"]);
}

#[test]
fn delivered_and_unpaid_work_is_capped_until_it_is_paid_or_a_day_old() {
    let mut ledger = online_with(pb::Policy {
        unpaid_jobs_per_buyer: 2,
        unpaid_jobs_total: 3,
        ..policy()
    });
    ledger.delivered(1);
    ledger.delivered(2);
    ask(&mut ledger, 3, 1, &["job.received", "job.refused unpaid-cap"]);
    // Paid by hash, one place is free again, for this buyer as for others.
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.settled 1000"],
    );
    ask(&mut ledger, 4, 1, TAKEN);
    ledger.check(crate::given::cancelled(4, 1), &["job.failed cancelled"]);
    // The other one runs out unpaid, and counts for a day from then on.
    ledger.later(3_600_000 + 599_999, &["milestone.reached 1", "liveness.recorded"]);
    ledger.later(1, &["invoice.expired"]);
    ledger.delivered_later(5);
    ask(&mut ledger, 6, 1, &["job.received", "job.refused unpaid-cap"]);
    ask(&mut ledger, 7, 2, TAKEN);
}

impl Ledger {
    /// Like `delivered`, dated now, with an invoice from now on.
    fn delivered_later(&mut self, n: u8) {
        ask(self, n, 1, TAKEN);
        self.check(crate::given::done(n, 1), &["job.executed"]);
        let Input::Invoiced(invoice) = crate::given::invoiced(n) else {
            unreachable!()
        };
        let expires_at_ms = self.now_ms + 3_600_000;
        self.check(
            Input::Invoiced(pb::InvoiceIssued {
                expires_at_ms,
                ..invoice
            }),
            &["invoice.issued"],
        );
        self.check(signed(n, Purpose::Result), &["event.signed result"]);
        self.check(
            published(n, Purpose::Result, 1),
            &["job.delivered", "event.published result"],
        );
    }
}

#[test]
fn a_quote_that_waits_holds_no_place_and_a_job_at_work_does() {
    let mut ledger = online();
    ledger.quoted(1);
    ask(&mut ledger, 2, 1, TAKEN);
    ask(&mut ledger, 3, 1, &["job.received", "job.refused busy"]);
    ledger.check(crate::given::done(2, 1), &["job.executed"]);
    ask(&mut ledger, 4, 1, TAKEN);
}

#[test]
fn refusals_are_told_to_whom_they_concern_and_within_a_budget() {
    let mut ledger = online_with(pb::Policy {
        refusal_replies_per_hour: 2,
        ..policy()
    });
    let cheap = |n: u8| Request {
        bid: None,
        kind: 5999,
        targeted: true,
        open: false,
        ..request(n)
    };
    let tell = |n: u8| Effect::Sign {
        job: job(n),
        purpose: Purpose::Error as i32,
    };
    let refused = &["job.received", "job.refused kind-not-served"];
    // An open request is nobody's in particular: no word.
    ledger.check(
        Input::Request(Request {
            targeted: false,
            open: true,
            ..cheap(1)
        }),
        refused,
    );
    ledger.owes(&[]);
    for n in 2..=4 {
        ledger.check(Input::Request(cheap(n)), refused);
    }
    let mut told = vec![tell(2), tell(3)];
    told.sort();
    ledger.owes(&told);
    ledger.now_ms += 3_600_000;
    let now_s = ledger.now_ms / 1_000;
    ledger.check(
        Input::Request(Request {
            created_at_s: now_s,
            ..cheap(5)
        }),
        refused,
    );
    told.push(tell(5));
    told.sort();
    ledger.owes(&told);
    // What ran out by itself needs no word.
    ledger.check(
        Input::Request(Request {
            kind: 5050,
            created_at_s: 0,
            ..cheap(6)
        }),
        &["job.received", "job.refused expired"],
    );
    ledger.owes(&told);
}

#[test]
fn a_told_refusal_is_over_once_it_was_published() {
    let mut ledger = online();
    let asked = Request {
        targeted: true,
        open: false,
        kind: 5999,
        ..request(1)
    };
    ledger.check(
        Input::Request(asked),
        &["job.received", "job.refused kind-not-served"],
    );
    ledger.check(signed(1, Purpose::Error), &["event.signed error"]);
    ledger.owes(&[Effect::Publish {
        event: crate::given::event(1, Purpose::Error),
    }]);
    ledger.check(published(1, Purpose::Error, 0), &[]);
    ledger.check(published(1, Purpose::Error, 2), &["event.published error"]);
    ledger.owes(&[]);
    assert_eq!(ledger.engine.state().jobs.open().count(), 0);
}

#[test]
fn intake_beyond_the_budget_becomes_one_fact_per_window() {
    let mut ledger = online_with(pb::Policy {
        intake_jobs_per_day: 2,
        max_in_flight: 64,
        ..policy()
    });
    ask(&mut ledger, 1, 1, TAKEN);
    ask(&mut ledger, 2, 1, TAKEN);
    for n in 3..10 {
        ask(&mut ledger, n, 1, &[]);
    }
    ledger.later(15 * 60_000 - 1, &[]);
    ledger.later(1, &["liveness.recorded", "intake.aggregated 7"]);
    let aggregated = ledger.all("intake.aggregated");
    let Event::IntakeAggregated(m) = &aggregated[0].event else {
        unreachable!()
    };
    let mut ids = blake3::Hasher::new();
    for n in 3..10 {
        ids.update(&[n; 32]);
    }
    let expected = pb::IntakeAggregated {
        window_start_ms: NOON_MS,
        window_end_ms: NOON_MS + 15 * 60_000,
        count: 7,
        bytes: 7 * 500,
        ids_digest: Digest(*ids.finalize().as_bytes()).to_vec(),
    };
    assert_eq!(*m, expected);
    // Nothing came since: no second fact. Another window begins with the next one.
    ledger.later(14 * 60_000, &[]);
    ask(&mut ledger, 10, 1, &[]);
    ledger.later(60_000, &["liveness.recorded"]);
    ledger.later(14 * 60_000, &["intake.aggregated 1"]);
    // A new day (UTC) has a new budget.
    ledger.now_ms += 86_400_000;
    ask(&mut ledger, 11, 1, TAKEN);
}

#[test]
fn intake_is_bounded_in_bytes_too() {
    let mut ledger = online_with(pb::Policy {
        intake_bytes_per_day: 1_200,
        max_in_flight: 64,
        ..policy()
    });
    ask(&mut ledger, 1, 1, TAKEN);
    ask(&mut ledger, 2, 1, TAKEN);
    ask(&mut ledger, 3, 1, &[]);
    // What is beyond the budget was not recorded: it may come again on a better day.
    ledger.now_ms += 86_400_000;
    ask(&mut ledger, 3, 1, TAKEN);
}

#[test]
fn a_wallet_that_cannot_receive_says_why() {
    let mut ledger = online();
    let problem = Some("the channel is being closed".to_owned());
    let readiness = Readiness {
        receivable: autopilot_events::words::Msat(0),
        wallet_problem: problem,
        ..ready()
    };
    ledger.check(Input::Readiness(readiness), &[]);
    ask(&mut ledger, 1, 1, &["job.received", "job.refused cannot-receive"]);
    let refused = ledger.all("job.refused");
    let Event::JobRefused(m) = &refused[0].event else {
        unreachable!()
    };
    assert_eq!(m.detail, "the channel is being closed");
}

/// A buyer whose bid is below the price: what it asks is declined.
fn ask_too_cheap(ledger: &mut Ledger, n: u8, expected: &[&str]) {
    let asked = Request {
        bid: Some(Msat(1)),
        created_at_s: ledger.now_ms / 1_000,
        ..request(n)
    };
    ledger.check(Input::Request(asked), expected);
}

#[test]
fn what_is_declined_leaves_half_of_the_day_for_work() {
    let mut ledger = online_with(pb::Policy {
        intake_jobs_per_day: 5,
        max_in_flight: 64,
        ..policy()
    });
    for n in 1..=3 {
        ask_too_cheap(&mut ledger, n, &["job.received", "job.refused price-too-low"]);
    }
    for n in 4..=200 {
        ask_too_cheap(&mut ledger, n, &[]);
    }
    ask(&mut ledger, 201, 2, TAKEN);
    ask(&mut ledger, 202, 3, TAKEN);
    assert_eq!(
        standing(&ledger),
        "no: the day's room for requests is used up (5 requests, 67108864 bytes): it is free again at midnight UTC"
    );
    ask(&mut ledger, 203, 4, &[]);
    ledger.later(15 * 60_000, &["liveness.recorded", "intake.aggregated 198"]);
}

fn standing(ledger: &Ledger) -> String {
    ledger.engine.standing(ledger.now_ms).sentence()
}

#[test]
fn work_on_trust_is_capped_while_it_is_done_already() {
    let mut ledger = online_with(pb::Policy {
        unpaid_jobs_per_buyer: 2,
        unpaid_jobs_total: 3,
        max_in_flight: 64,
        ..policy()
    });
    ledger.delivered(1);
    ask(&mut ledger, 2, 1, TAKEN);
    // One is delivered and one at work, which may end unpaid too.
    ask(&mut ledger, 3, 1, &["job.received", "job.refused unpaid-cap"]);
    assert_eq!(standing(&ledger), "yes");
    // Keys are free: another one is another buyer, and the cap of all holds for it.
    ask(&mut ledger, 4, 2, TAKEN);
    ask(&mut ledger, 5, 3, &["job.received", "job.refused unpaid-cap"]);
    let said = standing(&ledger);
    assert!(
        said.starts_with("no: 3 jobs are worked or delivered and unpaid")
            && said.contains("--unpaid-jobs-total"),
        "{said}"
    );
    ledger.check(
        received(hash(1), 1_000),
        &["wallet.payment_received", "job.settled 1000"],
    );
    assert_eq!(standing(&ledger), "yes");
    ask(&mut ledger, 6, 3, TAKEN);
}

#[test]
fn whether_earning_is_possible_is_said_with_the_first_reason() {
    assert_eq!(
        standing(&Ledger::empty()),
        "no: this home offers no work: a provider needs a model and a policy"
    );
    let mut ledger = offline(policy());
    ledger.check(Input::Readiness(ready()), &[]);
    let said = standing(&ledger);
    assert!(said.starts_with("no: the provider is offline"), "{said}");
    let readiness = Readiness {
        model: None,
        relays_connected: 0,
        ..ready()
    };
    ledger.check(Input::Readiness(readiness), &[]);
    let said = standing(&ledger);
    assert!(
        said.starts_with("no: no model is ready") && said.ends_with("(and 1 more)"),
        "{said}"
    );
    let mut busy = online_with(pb::Policy {
        global_per_hour: 1,
        ..policy()
    });
    assert_eq!(standing(&busy), "yes");
    ask(&mut busy, 1, 1, TAKEN);
    assert!(standing(&busy).starts_with("no: 1 jobs were taken within the hour"));
    busy.now_ms += 3_600_000;
    assert_eq!(standing(&busy), "yes");
}
