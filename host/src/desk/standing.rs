//! How each pane is: something to see, nothing yet and what to do, or broken, what helps, and whether earning is possible
//! meanwhile. The words are for an earner. Pure: from folds, readiness and configuration.
use autopilot_core::Engine;

use super::{
    Pane,
    scene::{Scene, empty},
};
use crate::tailnet::Tailnet;

/// Which of the three it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is something to see.
    Ready,
    /// There is nothing yet.
    Empty,
    /// Something is broken.
    Error,
}

impl Kind {
    /// `ready`, `empty` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ready => "ready",
            Kind::Empty => "empty",
            Kind::Error => "error",
        }
    }
}

/// How a pane is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaneStanding {
    /// Which of the three.
    pub kind: Kind,
    /// What is there, or what broke and whether earning is possible.
    pub sentence: String,
    /// What can be done; empty where nothing has to be.
    pub next: String,
}

/// What this home is set up for, beside what facts and readiness say.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Relays of the configuration.
    pub relays: usize,
    /// Whether a model is chosen.
    pub serves: bool,
    /// What is known of the tailnet.
    pub tailnet: Tailnet,
}

/// How a pane is, over a ledger as it stands.
pub fn standing(pane: Pane, engine: &Engine, setting: &Setting, now_ms: i64) -> PaneStanding {
    let scene = Scene {
        state: engine.state(),
        readiness: engine.readiness(),
        earning: engine.standing(now_ms),
        facts: engine.head().sequence,
        setting,
    };
    match pane {
        Pane::AutopilotChat => scene.chat(),
        Pane::GoOnline => scene.go_online(),
        Pane::ProviderStatus => scene.provider(),
        Pane::TailnetStatus => scene.tailnet(),
        Pane::JobInbox => scene.inbox(),
        Pane::ActiveJob => scene.active_job(),
        Pane::JobHistory => scene.history(),
        Pane::EarningsScoreboard => scene.earnings(),
        Pane::Wallet => scene.wallet(),
        Pane::PayInvoice => scene.pay(),
        Pane::CreateInvoice => scene.receive(),
        Pane::IdentityKeys => scene.identity(),
        Pane::RelayConnections => scene.relays(),
        Pane::SyncHealth => empty("This home is not synced with another device.", ""),
        Pane::NetworkRequests => scene.purchases(),
        Pane::StarterJobs => empty(
            "No Nexus is configured, so there are no starter jobs.",
            "Nothing has to be done: jobs of the open market come without one.",
        ),
        Pane::ActivityFeed => scene.activity(),
        Pane::AlertsRecovery => scene.alerts(),
        Pane::Settings => scene.settings(),
    }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
