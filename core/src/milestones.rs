//! Round sums that were earned: recorded when the facts reach them, celebrated when a face has shown them.
use autopilot_events::{
    Draft,
    pb::{self, Source},
};
use autopilot_projections::State;

use crate::{
    draft::fact,
    refusal::{Code, Refusal},
};

/// Sums that the earnings have reached and no fact says so.
pub fn due(state: &State) -> impl Iterator<Item = Draft> {
    let reached = state.milestones.due(state.earnings.earned_msat);
    reached.map(|sats| fact("ledger", Source::Policy, pb::MilestoneReached { sats }))
}

/// A face has shown a sum that was reached: once, however many faces there are.
pub fn celebrate(state: &State, sats: u64) -> Result<Vec<Draft>, Refusal> {
    match state.milestones.get(sats) {
        Some(milestone) if milestone.celebrated => Ok(Vec::new()),
        Some(_) => Ok(vec![fact(
            "ledger",
            Source::Person,
            pb::MilestoneCelebrated { sats },
        )]),
        None => Err(Refusal::new(
            Code::NotFound,
            format!("{sats} sats in all were not reached so far"),
        )),
    }
}
