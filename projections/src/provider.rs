//! The provider's standing: identity, policy, whether it is online, and for how long it has been.
use autopilot_events::{Event, Recorded, pb, words::Digest};
use serde::{Deserialize, Serialize};

use crate::{Projection, hexadecimal};

/// What the ledger says of this home folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Which ledger, 16 bytes as hexadecimal text.
    pub ledger_id: String,
    /// `bitcoin`, `testnet`, `signet` or `regtest`.
    pub network: String,
    /// x-only public key as hexadecimal text.
    pub public_key: String,
}

/// Provider status as the facts tell it. Whether a run is online *now* only that run knows: a fact may outlive it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// From the first fact.
    pub identity: Option<Identity>,
    /// In force.
    pub policy: Option<pb::Policy>,
    /// Digest of the policy in force, which every admission cites.
    pub policy_digest: Digest,
    /// The last word is "went online".
    pub online: bool,
    /// Since when.
    pub online_since_ms: Option<i64>,
    /// Online time of runs that ended, as far as liveness facts prove it, in milliseconds.
    pub uptime_ms: u64,
    /// Proven online time of the current run, in milliseconds.
    pub run_online_ms: u64,
    /// Why it went offline last.
    pub offline_reason: String,
}

impl Provider {
    /// The policy in force, or the one that accepts nothing.
    pub fn policy(&self) -> pb::Policy {
        self.policy.clone().unwrap_or_default()
    }

    /// Counts the current run's proven time as done.
    fn close_run(&mut self) {
        self.uptime_ms = self.uptime_ms.saturating_add(self.run_online_ms);
        self.run_online_ms = 0;
        self.online = false;
        self.online_since_ms = None;
    }
}

impl Projection for Provider {
    const NAME: &'static str = "provider";
    const VERSION: u32 = 4;

    fn apply(&mut self, fact: &Recorded) {
        match &fact.event {
            Event::LedgerOpened(m) => {
                self.identity = Some(Identity {
                    ledger_id: hexadecimal(&m.ledger_id),
                    network: m.network.clone(),
                    public_key: hexadecimal(&m.identity),
                });
            }
            Event::PolicyChanged(m) => {
                self.policy = m.policy.clone();
                self.policy_digest = Digest::of(&m.digest);
            }
            Event::ProviderWentOnline(_) => {
                self.close_run();
                self.online = true;
                self.online_since_ms = Some(fact.fact.recorded_at_ms);
            }
            Event::LivenessRecorded(m) => self.run_online_ms = self.run_online_ms.max(m.online_ms),
            Event::ProviderWentOffline(m) => {
                if let Some(since) = self.online_since_ms.filter(|_| m.reason != "restart") {
                    let run = fact.fact.recorded_at_ms.saturating_sub(since);
                    self.run_online_ms = self.run_online_ms.max(u64::try_from(run).unwrap_or(0));
                }
                self.close_run();
                self.offline_reason = m.reason.clone();
            }
            _ => {}
        }
    }
}
