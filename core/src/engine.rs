//! The engine: a state machine without a task, a socket or a clock. The host drives it for real, a simulator with
//! seeded faults and virtual time drives the very same code.
use autopilot_events::{Draft, Head, Recorded, envelope, pb::Source};
use autopilot_projections::State;

use crate::{
    Effect, Input, Refusal, alerts, buy_mode, buyer, canary, chat, commanded, effects, forget, heads,
    input::{Command, Readiness, WalletInput},
    jobs, milestones, money, offers, outbox, presence,
    presence::Presence,
    prices, receipts, refund,
    refusal::Code,
    standing::{self, Standing},
    tick,
};

/// State and place in the ledger.
#[derive(Clone, Debug)]
pub struct Engine {
    head: Head,
    state: State,
    readiness: Readiness,
    presence: Presence,
    read_only: Option<String>,
}

impl Engine {
    /// An engine on a state that was folded up to `head`.
    pub fn new(head: Head, state: State) -> Engine {
        Engine {
            head,
            state,
            readiness: Readiness::default(),
            presence: Presence::default(),
            read_only: None,
        }
    }

    /// The state after the last fact.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Number, chain value and time of the last fact.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What the outside world could do, as last told.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Whether this run of the program serves. Presence is of a run, never restored.
    pub fn is_online(&self) -> bool {
        self.presence.online_since_ms.is_some()
    }

    /// The type of a critical fact that this program does not know: nothing is decided any more.
    pub fn read_only(&self) -> Option<&str> {
        self.read_only.as_deref()
    }

    /// Whether a job that comes now could be earned, and what is against it.
    pub fn standing(&self, now_ms: i64) -> Standing {
        standing::standing(
            &self.state,
            self.is_online(),
            &self.readiness,
            self.read_only.as_deref(),
            now_ms.max(self.head.recorded_at_ms),
        )
    }

    /// Takes in a fact that is already in the ledger (replay, recovery).
    pub fn replay(&mut self, fact: &Recorded) {
        if fact.blocks_writing() {
            self.read_only = Some(fact.fact.r#type.clone());
        }
        self.state.apply(fact);
        self.head = fact.head();
    }

    /// Decides what an input means: facts to be recorded together, or a refusal. Changes nothing but telemetry.
    /// `now_ms` is the raw clock; a clock that went back is held at the last fact's time.
    ///
    /// # Errors
    /// [`Refusal`], for a person's command or, with [`Code::ReadOnly`], for everything.
    pub fn decide(&mut self, input: Input, now_ms: i64) -> Result<Vec<Draft>, Refusal> {
        if let Some(kind) = &self.read_only {
            return Err(Refusal::new(
                Code::ReadOnly,
                format!(
                    "this ledger holds a critical fact of an unknown type ({kind}): it is read-only for this program. Use the newer program that wrote it"
                ),
            ));
        }
        let now_ms = now_ms.max(self.head.recorded_at_ms);
        match input {
            Input::Readiness(readiness) => {
                self.readiness = readiness;
                Ok(Vec::new())
            }
            Input::Resumed => Ok(presence::resumed(&self.state, now_ms)),
            Input::Tick => Ok(tick::tick(&self.state, &mut self.presence, now_ms)),
            Input::Request(request) => Ok(jobs::received(
                &self.state,
                &mut self.presence,
                &self.readiness,
                request,
                now_ms,
            )),
            Input::Demand(seen) => {
                let online = self.presence.online_since_ms.is_some();
                Ok(self
                    .presence
                    .demand
                    .count(online, seen, now_ms)
                    .into_iter()
                    .collect())
            }
            Input::Cancelled(cancelled) => Ok(jobs::cancelled(&self.state, &cancelled)),
            Input::Refund(offered) => refund::offered(&self.state, offered, now_ms),
            Input::Resolved(inputs) => Ok(jobs::resolved(&self.state, inputs)),
            Input::Worked(worked) => Ok(jobs::worked(&self.state, worked, now_ms)),
            Input::Replied(replied) => Ok(chat::replied(&self.state, replied)),
            Input::Invoiced(invoice) => Ok(jobs::invoiced(&self.state, invoice)),
            Input::Signed(signed) => Ok(outbox::signed(&self.state, signed)),
            Input::Published {
                event_id,
                accepted,
                tried,
            } => Ok(outbox::published(&self.state, event_id, accepted, tried)),
            Input::Wallet(WalletInput::Failed(failed)) => Ok(money::failed(&self.state, failed, now_ms)),
            Input::Wallet(observed) => Ok(money::observed(&self.state, observed, now_ms)),
            Input::HeadSigned(signed) => Ok(heads::signed(&self.state, signed)),
            Input::HeadHeld(held) => Ok(heads::compared(&self.state, &mut self.presence, held)),
            Input::HeadPublished(published) => Ok(heads::published(&self.state, published)),
            Input::HeadSeen(seen) => Ok(heads::seen(&self.state, seen)),
            Input::Receipted(receipt) => Ok(vec![receipts::receipted(receipt)]),
            Input::Answer(answer) => Ok(buyer::answered(&self.state, answer, now_ms)),
            Input::Person(command) => self.command(command, now_ms),
        }
    }

    fn command(&mut self, command: Command, now_ms: i64) -> Result<Vec<Draft>, Refusal> {
        match command {
            Command::OpenLedger(opened) => presence::open_ledger(&self.state, opened),
            Command::NoteBackup(noted) => Ok(vec![presence::custody(noted)]),
            Command::NoteProtection(noted) => Ok(vec![presence::custody(noted)]),
            Command::SetPolicy(policy) => presence::set_policy(&self.state, policy),
            Command::GoOnline { run_id } => {
                presence::go_online(&self.state, &mut self.presence, &self.readiness, run_id, now_ms)
            }
            Command::GoOffline { reason } => presence::go_offline(&self.state, &mut self.presence, reason),
            Command::MarkRefusal(mark) => presence::mark_refusal(&self.state, mark),
            Command::RecordPrice(price) => prices::record(price, now_ms),
            Command::Abort(job) => jobs::abort(&self.state, job),
            Command::Pay {
                bill,
                amount,
                fee_ceiling,
                resolution,
            } => money::approve(&self.state, bill, amount, fee_ceiling, resolution, now_ms),
            Command::PayOffer(wish) => offers::approve(&self.state, wish, Source::Person, now_ms),
            Command::Refund { job, to, fee_ceiling } => {
                refund::by_hand(&self.state, job, to, fee_ceiling, now_ms)
            }
            Command::SendOnchain(approved) => money::approve_onchain(&self.state, approved),
            Command::Buy { terms, event } => buyer::request(&self.state, terms, event, now_ms),
            Command::OverruleHead { from, reason } => heads::overrule(&self.state, from, &reason),
            Command::StartCanary(started) => {
                let online = self.presence.online_since_ms.is_some();
                canary::start(&self.state, online, started, now_ms)
            }
            Command::FinishCanary(finished) => Ok(canary::finish(&self.state, finished)),
            Command::StartBuyMode(terms) => buy_mode::start(&self.state, terms, now_ms),
            Command::StopBuyMode => buy_mode::stop(&self.state),
            Command::Ask { asked, begins } => chat::ask(&self.state, asked, begins),
            Command::StopAnswer(message) => chat::stop(&self.state, message),
            Command::NoteCommanded(commanded) => Ok(commanded::begun(commanded)),
            Command::NoteAnswered(answered) => Ok(commanded::answered(answered)),
            Command::Forget { subject, reason } => forget::forget(&self.state, subject, reason),
            Command::CancelPurchase(id) => buyer::cancel(&self.state, id),
            Command::ChooseModel(chosen) => Ok(presence::choose_model(chosen)),
            Command::ChangeRelays(changed) => presence::change_relays(&self.presence, changed),
            Command::AcknowledgeAlert(id) => alerts::acknowledge(&self.state, id),
            Command::Celebrate(sats) => milestones::celebrate(&self.state, sats),
        }
    }

    /// Numbers, dates, chains and folds the facts of one decision. `stream_version` answers the version that a stream
    /// has in the ledger so far, facts recorded here and not yet durable included.
    pub fn record(
        &mut self,
        drafts: Vec<Draft>,
        mut stream_version: impl FnMut(&str) -> u64,
        now_ms: i64,
    ) -> Vec<Recorded> {
        let first = self.head.sequence + 1;
        let mut recorded: Vec<Recorded> = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let earlier = recorded.iter().filter(|r| r.fact.stream == draft.stream).count() as u64;
            let version = stream_version(&draft.stream) + earlier + 1;
            // The first fact of a decision caused the others.
            let causation = if recorded.is_empty() { 0 } else { first };
            let fact = envelope::seal(&self.head, version, draft, causation, now_ms);
            self.replay(&fact);
            recorded.push(fact);
        }
        recorded
    }

    /// Outstanding work, derived.
    pub fn outstanding(&self) -> Vec<Effect> {
        effects::outstanding(&self.state)
    }
}
