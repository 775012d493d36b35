//! Commands of programs over HTTP: that they were begun, and what they were answered. They decide nothing.
use autopilot_events::{
    Draft,
    pb::{self, Source},
};

use crate::{
    draft::{fact, keyed},
    keys::{answered_key, commanded_key},
};

/// A command is about to be carried out.
pub fn begun(commanded: pb::ControlCommanded) -> Vec<Draft> {
    let key = commanded_key(&commanded.key_digest);
    vec![keyed(fact("ledger", Source::Person, commanded), key)]
}

/// It was carried out, or refused.
pub fn answered(answered: pb::ControlAnswered) -> Vec<Draft> {
    let key = answered_key(&answered.key_digest);
    vec![keyed(fact("ledger", Source::Person, answered), key)]
}
