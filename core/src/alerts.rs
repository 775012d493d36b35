//! A person says of something wrong that they know. It stays wrong until a fact says that it is over.
use autopilot_events::{
    Draft,
    pb::{self, Source},
};
use autopilot_projections::{State, alerts::Standing};

use crate::{
    draft::fact,
    refusal::{Code, Refusal},
};

/// Acknowledges an alert. Saying it twice changes nothing.
pub fn acknowledge(state: &State, id: String) -> Result<Vec<Draft>, Refusal> {
    match state.alerts.get(&id).map(|alert| alert.standing) {
        Some(Standing::Active) => Ok(vec![fact("ledger", Source::Person, pb::AlertAcknowledged { id })]),
        Some(Standing::Acknowledged) => Ok(Vec::new()),
        Some(Standing::Resolved) => Err(Refusal::new(
            Code::AlreadySo,
            "that is over already: there is nothing to acknowledge",
        )),
        None => Err(Refusal::new(
            Code::NotFound,
            "there is no such alert: see `autopilotctl alerts list`",
        )),
    }
}
