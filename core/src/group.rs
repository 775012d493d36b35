//! Decisions that become durable together: looked up, decided, recorded and folded one by one, answered only once the
//! last of them is durable. The host drives it over the store, the simulator over its model of one.
use std::{collections::HashMap, future::Future};

use autopilot_events::{
    Draft, Event, Head, Recorded,
    words::{JobId, PaymentHash},
};
use autopilot_projections::State;

use crate::{
    Engine, Input, Refusal,
    input::{WalletInput, invoice_key},
};

/// What is durable already. Looked up by key, never searched.
pub trait Past {
    /// Why it can't be read.
    type Error;

    /// The fact that took an idempotency key.
    fn fact_by_key(&self, key: &str) -> impl Future<Output = Result<Option<Recorded>, Self::Error>> + Send;

    /// The version that a stream has; 0: it has no fact.
    fn stream_version(&self, stream: &str) -> impl Future<Output = Result<u64, Self::Error>> + Send;
}

/// What became of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Its facts are durable; there may be none.
    Recorded {
        /// The ledger's end after its group.
        head: Head,
        /// Numbers of its facts.
        sequences: Vec<u64>,
    },
    /// The same observation was recorded before.
    Duplicate {
        /// Where.
        sequence: u64,
    },
}

/// Why an input was not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// The decider says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The same key was recorded with another payload. Never "ok".
    #[error("conflict: {key} was recorded as fact {sequence} with another content")]
    Conflict {
        /// The key.
        key: String,
        /// Where.
        sequence: u64,
    },
}

/// What is told to whoever handed an input in.
pub type Answered = Result<Done, Declined>;

/// The facts of a group are not durable, so nobody is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("facts up to {last} are to be answered for, {durable} are durable")]
pub struct NotDurable {
    /// The last fact of the group.
    pub last: u64,
    /// The last durable one.
    pub durable: u64,
}

/// What is decided and not yet durable. `R` is whom to answer.
#[derive(Debug)]
pub struct Group<R> {
    facts: Vec<Recorded>,
    streams: HashMap<String, u64>,
    keys: HashMap<String, usize>,
    answers: Vec<(R, Answered)>,
}

impl<R> Default for Group<R> {
    fn default() -> Self {
        Group {
            facts: Vec::new(),
            streams: HashMap::new(),
            keys: HashMap::new(),
            answers: Vec::new(),
        }
    }
}

impl<R> Group<R> {
    /// Decides one input behind those before it. An observation that was recorded before is decided no second time; a
    /// payment is bound to its job by payment hash. Says whether facts came of it.
    ///
    /// # Errors
    /// The past can't be read: the group is worthless then, and so is the engine.
    pub async fn decide<P: Past>(
        &mut self,
        engine: &mut Engine,
        past: &P,
        mut input: Input,
        now_ms: i64,
        reply: R,
    ) -> Result<bool, P::Error> {
        if let Some(key) = input.identity()
            && let Some((sequence, agrees)) = self.recorded(past, &key, &input).await?
        {
            let Some(again) = approved_again(engine.state(), &input).filter(|_| agrees) else {
                let answer = match agrees {
                    true => Ok(Done::Duplicate { sequence }),
                    false => Err(Declined::Conflict { key, sequence }),
                };
                self.answers.push((reply, answer));
                return Ok(false);
            };
            input = again;
        }
        bind(past, &mut input).await?;
        let drafts = match engine.decide(input, now_ms) {
            Ok(drafts) => drafts,
            Err(refusal) => {
                self.answers.push((reply, Err(refusal.into())));
                return Ok(false);
            }
        };
        self.know_streams(past, &drafts).await?;
        let version = |stream: &str| self.streams.get(stream).copied().unwrap_or(0);
        let facts = engine.record(drafts, version, now_ms);
        let sequences: Vec<u64> = facts.iter().map(|fact| fact.fact.sequence).collect();
        let any = !sequences.is_empty();
        for fact in facts {
            let envelope = &fact.fact;
            self.streams
                .insert(envelope.stream.clone(), envelope.stream_version);
            if !envelope.idempotency_key.is_empty() {
                self.keys
                    .insert(envelope.idempotency_key.clone(), self.facts.len());
            }
            self.facts.push(fact);
        }
        let head = *engine.head();
        self.answers.push((reply, Ok(Done::Recorded { head, sequences })));
        Ok(any)
    }

    /// The facts to be made durable, in order.
    pub fn facts(&self) -> &[Recorded] {
        &self.facts
    }

    /// Whom to answer what, now that everything up to `durable` is on disk.
    ///
    /// # Errors
    /// [`NotDurable`] while a fact of the group is not.
    pub fn answers(self, durable: &Head) -> Result<Vec<(R, Answered)>, NotDurable> {
        let last = self.facts.last().map_or(0, |fact| fact.fact.sequence);
        if durable.sequence < last {
            return Err(NotDurable {
                last,
                durable: durable.sequence,
            });
        }
        let ended = |done: Done| match done {
            Done::Recorded { sequences, .. } => Done::Recorded {
                head: *durable,
                sequences,
            },
            duplicate => duplicate,
        };
        let answers = self.answers.into_iter();
        Ok(answers
            .map(|(reply, answer)| (reply, answer.map(ended)))
            .collect())
    }

    /// The fact that took this key, durable or about to be, and whether the input says the same.
    async fn recorded<P: Past>(
        &self,
        past: &P,
        key: &str,
        input: &Input,
    ) -> Result<Option<(u64, bool)>, P::Error> {
        if let Some(fact) = self.keys.get(key).and_then(|index| self.facts.get(*index)) {
            return Ok(Some((fact.fact.sequence, input.agrees_with(&fact.event))));
        }
        let fact = past.fact_by_key(key).await?;
        Ok(fact.map(|fact| (fact.fact.sequence, input.agrees_with(&fact.event))))
    }

    async fn know_streams<P: Past>(&mut self, past: &P, drafts: &[Draft]) -> Result<(), P::Error> {
        for draft in drafts {
            if !self.streams.contains_key(&draft.stream) {
                let version = past.stream_version(&draft.stream).await?;
                self.streams.insert(draft.stream.clone(), version);
            }
        }
        Ok(())
    }
}

/// A payment that is on record as done, and was approved once more: whoever looked its hash up did so before it was done, or
/// an offer waited while its invoice was paid elsewhere. Without an outcome of its own the approval would stay for ever.
fn approved_again(state: &State, input: &Input) -> Option<Input> {
    let Input::Wallet(WalletInput::Sent(payment)) = input else {
        return None;
    };
    let payment_hash = PaymentHash::of(&payment.payment_hash);
    state.wallet.outgoing_by_hash(&payment_hash)?;
    Some(Input::Wallet(WalletInput::PaidBefore { payment_hash }))
}

/// Finds the job of a payment by its hash, where that job is over already. A quote's job that is over without its money
/// was never worked: what comes then is bound to nothing, and no earning.
async fn bind<P: Past>(past: &P, input: &mut Input) -> Result<(), P::Error> {
    let Input::Wallet(WalletInput::Received { payment, bound }) = input else {
        return Ok(());
    };
    let issued = past.fact_by_key(&invoice_key(&payment.payment_hash)).await?;
    if let Some(Event::InvoiceIssued(invoice)) = issued.map(|fact| fact.event)
        && !invoice.pay_first
    {
        *bound = Some(JobId::of(&invoice.job_id));
    }
    Ok(())
}
