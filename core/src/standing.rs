//! Whether a job that comes now could be earned, and if not, why and what helps. Pure: faces show it, nobody decides
//! by it; the deciders judge each job by the same figures.
use autopilot_projections::State;

use crate::{admission, input::Readiness, presence};

/// How things stand for the next job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// This run of the program takes jobs.
    pub online: bool,
    /// What is against earning, most important first, each a cause and a next step. Being offline is a state and no
    /// obstacle: it is not among them.
    pub against: Vec<String>,
}

impl Standing {
    /// Whether a job that fits the policy would be taken, worked and paid now.
    pub fn can_earn(&self) -> bool {
        self.online && self.against.is_empty()
    }

    /// One sentence: "yes", or "no" with the first reason.
    pub fn sentence(&self) -> String {
        match (self.against.as_slice(), self.online) {
            ([], true) => "yes".to_owned(),
            ([], false) => {
                "no: the provider is offline, go online with `autopilotctl provider online`".to_owned()
            }
            ([only], _) => format!("no: {only}"),
            ([first, rest @ ..], _) => format!("no: {first} (and {} more)", rest.len()),
        }
    }
}

/// Everything against earning now.
pub fn standing(
    state: &State,
    online: bool,
    readiness: &Readiness,
    read_only: Option<&str>,
    now_ms: i64,
) -> Standing {
    let mut against = Vec::new();
    if let Some(kind) = read_only {
        against.push(format!(
            "the ledger holds a critical fact of an unknown type ({kind}) and is read-only: use the newer program that wrote it"
        ));
    }
    if state.provider.policy.is_none() {
        against.push("this home offers no work: a provider needs a model and a policy".to_owned());
        return Standing { online, against };
    }
    against.extend(presence::blockers(state, readiness));
    against.extend(admission::used_up(state, now_ms));
    Standing { online, against }
}
