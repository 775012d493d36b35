//! Forgetting texts: what open work, a debt or an unpaid claim still rests on is kept until it is closed.
use autopilot_events::{
    Draft,
    pb::{self, ForgetReason, Source},
    texts::{forgotten_key, is_forgettable},
};
use autopilot_projections::State;

use crate::{
    draft::{fact, keyed},
    refusal::{Code, Refusal},
};

/// Why the texts of a subject can't be forgotten yet, in words; `None` when nothing needs them any more.
pub fn needed(state: &State, subject: &str) -> Option<&'static str> {
    let (kind, id) = subject.split_once('/')?;
    let named = |other: &dyn std::fmt::Display| other.to_string() == id;
    match kind {
        _ if state.outbox.owed().any(|(_, owed)| named(&owed.job)) => {
            Some("a signed event of it is still owed to the relays")
        }
        "job" => {
            let open = id.parse().is_ok_and(|id| state.jobs.get(&id).is_some());
            let tried = state.canaries.running().is_some_and(|canary| named(&canary.job));
            (open || tried).then_some("the job is not over: work, payment or a debt is open")
        }
        "purchase" => {
            let open = state.purchases.listened().any(|(other, _)| named(other));
            open.then_some("the purchase is not over, or its late answers are still listened for")
        }
        "buy_mode" => {
            let mode = state.buy_modes.running();
            let runs = mode.is_some_and(|mode| hex::encode(&mode.terms.buy_mode_id) == id);
            runs.then_some("the buy mode still asks with this text")
        }
        "chat" => {
            let waits = state.chat.waiting().any(|(_, waiting)| named(&waiting.thread));
            waits.then_some("a message of it still waits for its answer")
        }
        _ => None,
    }
}

/// The texts of a subject are forgotten, once nothing needs them.
///
/// # Errors
/// [`Code::NotFound`] for no such kind of subject, [`Code::StillNeeded`] with the cause.
pub fn forget(state: &State, subject: String, reason: ForgetReason) -> Result<Vec<Draft>, Refusal> {
    if !is_forgettable(&subject) {
        let sentence = format!("{subject:?} names no job, purchase, buy mode or conversation");
        return Err(Refusal::new(Code::NotFound, sentence));
    }
    if let Some(why) = needed(state, &subject) {
        let sentence = format!("the texts of {subject} are needed: {why}");
        return Err(Refusal::new(Code::StillNeeded, sentence));
    }
    let source = match reason {
        ForgetReason::Retention => Source::Policy,
        _ => Source::Person,
    };
    let key = forgotten_key(&subject);
    let forgotten = pb::TextForgotten {
        subject,
        reason: reason as i32,
    };
    Ok(vec![keyed(fact("ledger", source, forgotten), key)])
}
