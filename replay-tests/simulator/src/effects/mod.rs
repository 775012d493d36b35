//! Outstanding work, done to the simulated outside with the rules of `host/src/effects`.
mod money;

use autopilot_core::{
    Effect, Input,
    input::{Outcome, Replied, ResolvedInputs, Worked},
    offers::Offer,
};
use autopilot_events::{
    pb::{self, FailureClass, Purpose},
    words::{EventId, JobId, MessageId, Msat},
};
use autopilot_projections::jobs::Work;

use crate::{
    bug::Bug,
    oracle::Wrong,
    world::{Happening, Reply, Report, Said, World},
};

/// How long a result is offered to relays, and feedback, in milliseconds.
const RESULT_BOUND_MS: i64 = 24 * 3_600_000;
const FEEDBACK_BOUND_MS: i64 = 10 * 60_000;
/// How long a job that is paid for may run, in milliseconds.
const PAID_BOUND_MS: i64 = 10 * 60_000;

impl World {
    /// A text that was sealed away.
    pub(crate) fn body(&mut self, subject: String) -> pb::BodyRef {
        pb::BodyRef {
            ciphertext_digest: self.chance.id().to_vec(),
            size: 20 + self.chance.below(400),
            commitment: self.chance.id().to_vec(),
            subject,
        }
    }

    /// A moment, and the pause before a payment is tried again.
    pub(crate) fn wait_before(&mut self, effect: &Effect) -> i64 {
        let moment_ms = self.chance.between(0, 20);
        match effect {
            Effect::Pay { attempt, .. } if *attempt > 1 => {
                moment_ms + (1_000 << (attempt - 2).min(5)).min(30_000)
            }
            _ => moment_ms,
        }
    }

    /// The outside part of an effect. Its outcome comes a while later, if its task is still wanted.
    pub(crate) fn begins(&mut self, effect: &Effect, task: u64) -> Result<(), Wrong> {
        let known = self.host.as_ref().and_then(|host| host.running.get(effect));
        let unasked = self.is(Bug::WorksUnasked) && matches!(effect, Effect::Run { .. });
        if known.is_none_or(|known| known.id != task) && !unasked {
            return Ok(());
        }
        let mut wait_ms = self.chance.between(5, 300);
        let report = match effect {
            Effect::Run { job, attempt } => match self.work(job, *attempt)? {
                Some((took_ms, worked)) => {
                    wait_ms = took_ms;
                    Report::Submit(Box::new(Input::Worked(worked)))
                }
                None => Report::Nothing,
            },
            Effect::Answer { message } => {
                wait_ms = self.chance.between(100, 8_000);
                self.replies(*message)
            }
            Effect::Resolve { job } => self.resolve_inputs(job),
            Effect::Invoice {
                job,
                amount,
                expiry_s,
            } => self.invoice(job, *amount, *expiry_s),
            Effect::Sign { job, purpose } => self.sign(job, *purpose, None)?,
            Effect::TellLoser { purchase, result } => {
                self.sign(purchase, Purpose::LostRace as i32, Some(*result))?
            }
            Effect::Receipt { purchase } => self.sign(purchase, Purpose::Receipt as i32, None)?,
            // Nobody signs a head there, so none is owed.
            Effect::PublishHead { .. } => Report::Nothing,
            Effect::Publish { event } => self.publish(*event)?,
            Effect::Pay {
                payment_hash,
                attempt,
            } => self.pay(payment_hash, *attempt)?,
            Effect::PayOffer { intent } => self.pay_offer(intent)?,
            Effect::Refund { job } => self.refund(job),
            Effect::SendOnchain { intent } => self.send_onchain(intent),
        };
        // The outside did it, and its reply was lost on the way.
        let report = if self.fault(2) && !matches!(effect, Effect::Run { .. }) {
            Report::NotYet
        } else {
            report
        };
        self.later_here(wait_ms, Happening::Ends(effect.clone(), task, report));
        Ok(())
    }

    /// A task comes back. One that was dropped meanwhile is not heard.
    pub(crate) fn task_ends(&mut self, effect: Effect, task: u64, report: Report) {
        let known = self.host.as_ref().and_then(|host| host.running.get(&effect));
        if known.is_none_or(|known| known.id != task) {
            return;
        }
        if self.is(Bug::WorksUnasked) && matches!(effect, Effect::Run { .. }) {
            self.later_here(500, Happening::Begins(effect.clone(), task));
        }
        match report {
            // At times the answer to a task is lost, and it hands the same in again.
            Report::Submit(input) if self.fault(3) => {
                self.submit(*input, Reply::Nobody);
                self.again(effect, task);
            }
            Report::Submit(input) => self.submit(*input, Reply::Task(task, effect)),
            Report::NotYet => self.again(effect, task),
            Report::Nothing => self.finish(&effect, task),
        }
    }

    /// The model answers, gives no answer for good, or none for now.
    fn replies(&mut self, message: MessageId) -> Report {
        let waits = |host: &crate::world::Host| Some(host.engine.state().chat.waits(&message)?.1.thread);
        let Some(thread) = self.host.as_ref().and_then(waits) else {
            return Report::Nothing;
        };
        let fails = self.fault(15);
        let outcome = match fails {
            true => Outcome::Failed {
                class: FailureClass::Execution,
                code: "simulated".to_owned(),
                detail: "the model gave nothing".to_owned(),
                again: self.chance.one_in(2),
            },
            false => Outcome::Done {
                receipt: Box::default(),
                output: self.body(thread.subject()),
            },
        };
        if matches!(outcome, Outcome::Failed { again: true, .. }) {
            return Report::NotYet;
        }
        Report::Submit(Box::new(Input::Replied(Replied {
            message,
            outcome,
            left_out: 0,
        })))
    }

    fn work(&mut self, id: &JobId, attempt: u32) -> Result<Option<(i64, Worked)>, Wrong> {
        let job = self
            .host
            .as_ref()
            .and_then(|host| host.engine.state().jobs.get(id))
            .cloned();
        let wanted = job
            .as_ref()
            .is_some_and(|job| job.work == Work::Running && job.attempts == attempt);
        let Some(job) = job.filter(|_| wanted || self.is(Bug::WorksUnasked)) else {
            return Ok(None);
        };
        self.oracle.may_work(id, attempt)?;
        let slow = self.fault(10);
        let takes_ms = if slow {
            self.chance.between(20_000, 200_000)
        } else {
            self.chance.between(100, 4_000)
        };
        let left_ms = match job.money.arrived() {
            true => PAID_BOUND_MS,
            false => (job.deadline_ms - self.clock_ms()).max(1),
        };
        let failed = |class: FailureClass, code: &str, again| Outcome::Failed {
            class,
            code: code.to_owned(),
            detail: "simulated".to_owned(),
            again,
        };
        let outcome = if takes_ms > left_ms {
            failed(FailureClass::Deadline, "deadline-exceeded", false)
        } else if self.fault(8) {
            failed(FailureClass::Execution, "worker-crashed", true)
        } else if self.fault(2) {
            failed(FailureClass::Execution, "result-too-large", false)
        } else {
            let receipt = pb::Receipt {
                model: "m".to_owned(),
                output_tokens: 7,
                ..pb::Receipt::default()
            };
            Outcome::Done {
                receipt: Box::new(receipt),
                output: self.body(format!("job/{id}")),
            }
        };
        let worked = Worked {
            job: *id,
            attempt,
            outcome,
        };
        Ok(Some((takes_ms.min(left_ms), worked)))
    }

    fn resolve_inputs(&mut self, id: &JobId) -> Report {
        if self.fault(30) {
            return Report::NotYet;
        }
        let outcome = match self.fault(10) {
            true => Err("simulated: the event holds no text".to_owned()),
            false => Ok(pb::JobInputsResolved {
                job_id: id.to_vec(),
                events: Some(self.body(format!("job/{id}"))),
                ..pb::JobInputsResolved::default()
            }),
        };
        Report::Submit(Box::new(Input::Resolved(ResolvedInputs {
            job: *id,
            outcome,
            text: String::new(),
        })))
    }

    fn invoice(&mut self, id: &JobId, amount: Msat, expiry_s: u32) -> Report {
        let key = format!("job/{id}");
        let now_s = self.now_s();
        let Ok(invoice) = self
            .wallet
            .create_invoice(&mut self.chance, &key, amount, expiry_s, now_s)
        else {
            return Report::NotYet;
        };
        Report::Submit(Box::new(Input::Invoiced(pb::InvoiceIssued {
            job_id: id.to_vec(),
            payment_hash: invoice.payment_hash.to_vec(),
            bolt11: invoice.bolt11,
            amount_msat: invoice.amount.0,
            expires_at_ms: i64::try_from(invoice.expires_at_s * 1_000).unwrap_or(i64::MAX),
            pay_first: false, // The decider knows.
        })))
    }

    /// Composes and signs: a new event each time, which nobody sees before it is recorded.
    fn sign(&mut self, id: &JobId, purpose: i32, about: Option<EventId>) -> Result<Report, Wrong> {
        let event = EventId(self.chance.id());
        let bound_ms = if purpose == Purpose::Result as i32 {
            RESULT_BOUND_MS
        } else {
            FEEDBACK_BOUND_MS
        };
        let subject = if about.is_some() { "purchase" } else { "job" };
        let signed = pb::EventSigned {
            event_id: event.to_vec(),
            purpose,
            job_id: id.to_vec(),
            kind: 6_050,
            event: Some(self.body(format!("{subject}/{id}"))),
            deadline_ms: self.clock_ms() + bound_ms,
            about: about.map(EventId::to_vec).unwrap_or_default(),
            relays: Vec::new(),
        };
        self.said.insert(event, Said { job: *id, purpose });
        if self.is(Bug::PublishesUnsaid) {
            self.oracle.may_publish(event)?;
        }
        Ok(Report::Submit(Box::new(Input::Signed(signed))))
    }

    /// Offers an event to every relay.
    fn publish(&mut self, event: EventId) -> Result<Report, Wrong> {
        let owed = self
            .host
            .as_ref()
            .and_then(|host| host.engine.state().outbox.get(&event));
        if owed.is_none() {
            return Ok(Report::Nothing);
        }
        self.oracle.may_publish(event)?;
        let (mut taken, mut told, mut tried) = (0, 0, 0);
        for index in 0..self.relays.len() {
            tried += 1;
            // One in thirty-two is of a kind that no relay takes, ever.
            if self.relays[index].cut || event.0[0] < 8 || self.fault(10) {
                continue;
            }
            taken += 1;
            told += u32::from(!self.fault(5)); // It took it, and its word was lost.
        }
        if taken > 0 {
            self.oracle.taken(event);
            self.others_see(event);
        }
        if self.is(Bug::CountsTriedRelays) {
            told = tried;
        }
        Ok(match told {
            0 => Report::NotYet,
            accepted => Report::Submit(Box::new(Input::Published {
                event_id: event,
                accepted,
                tried,
            })),
        })
    }
}

/// An offer as the wallet reads it.
pub(crate) fn offer(bolt12: &str) -> Offer {
    Offer {
        bolt12: bolt12.to_owned(),
        offer_id: *blake3::hash(bolt12.as_bytes()).as_bytes(),
        payee: Vec::new(),
        amount: None,
        networks: vec!["regtest".to_owned()],
        expires_at_ms: None,
    }
}
